"""GIF 89a written frame by frame: palettes that fit, and of each frame what differs from the one before it."""

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.io.palettes import MOST, Colours, dither, make_palette, pack, unpack

_CLEAR = 1 << 24
"""What is transparent, or stays as it was; no colour."""

_HEAD, _CONTROL, _IMAGE = struct.Struct("<6sHHBBB"), struct.Struct("<3sBHBB"), struct.Struct("<BHHHHB")
_LOOPS = struct.Struct("<3s11sBBHB")
"""Sections 18, 23 and 20 of GIF 89a, and Netscape's extension."""

_KEPT, _REMOVED = 1, 2  # what happens to a frame when it has been shown

_PARTLY = (
    "a GIF has no partial transparency: alpha below 128 is written as transparent, the rest as opaque; "
    "--background flattens it"
)
_ROUNDED = "a GIF counts times in hundredths of a second, to which those of the frames are rounded"


class _Part(NamedTuple):
    """What a frame draws: colours (H, W), where they begin, and whether all that is shown is removed after it."""

    colours: Colours
    top: int
    left: int
    is_removed: bool


def encode_gif(
    frames: Iterable[Array], durations: Sequence[int] = (), loops: int = 1, notes: list[str] | None = None
) -> bytes:
    """Return a file of frames (H, W), (H, W, 3) or (H, W, 4), uint8, each of which is looked at once and not kept.

    They are shown for their durations in milliseconds, in as many loops, 0 for always. As long as all colours fit into
    256 there is one palette for all; a frame of others has its own, and one of more gets the best ones. Alpha below 128
    is transparent, the rest opaque. `notes` gets what is lost.
    """
    notes = [] if notes is None else notes
    frames = iter(frames)
    first = next(frames)
    height, width, *channels = first.shape
    shared: list[int] = []  # the palette for all
    blocks: list[bytes] = []
    most = 0
    for number, part in enumerate(_find_parts(_pack(frame, notes) for frame in chain([first], frames))):
        colours = np.unique(part.colours)
        most = max(most, len(colours))
        begins = not number and channels == [4] and len(colours) < MOST and bool(durations)
        if (part.is_removed or begins) and colours[-1] != _CLEAR:  # by which readers know that there is alpha
            colours = np.append(colours, np.uint32(_CLEAR))
        palette = _choose_palette(colours, part, shared)
        if _CLEAR in palette or durations:
            time = round(durations[number] / 10) if durations else 0
            blocks.append(_encode_control(palette, time, is_removed=part.is_removed))
        blocks += _encode_part(part, palette, is_exact=len(colours) <= MOST, is_own=palette is not shared)
    if any(time % 10 for time in durations):
        notes.append(_ROUNDED)
    if most > MOST:
        notes.append(f"a GIF has {MOST} colours a frame, and the image {most}; PNG and WebP keep them")
    repeats = max(0, loops - 1)
    extension = b"" if loops == 1 else _LOOPS.pack(b"!\xff\x0b", b"NETSCAPE2.0", 3, 1, repeats, 0)
    head = _HEAD.pack(b"GIF89a", width, height, 0x80 | _count_bits(shared) - 1, 0, 0)
    return b"".join([head, _encode_palette(shared), extension, *blocks, b";"])


def _pack(frame: Array, notes: list[str]) -> Colours:
    """Return a frame as whole numbers (H, W)."""
    if frame.ndim == 2:
        return frame * np.uint32(0x010101)
    colours = pack(frame)
    if frame.shape[2] == 4:
        alpha = frame[:, :, 3]
        colours[alpha < 128] = _CLEAR
        if _PARTLY not in notes and ((alpha > 0) & (alpha < 255)).any():
            notes.append(_PARTLY)
    return colours


def _find_parts(frames: Iterator[Colours]) -> Iterator[_Part]:
    """Yield what each frame draws: what is new in it; all of it, if that before it was removed."""
    shown: Colours | None = None
    after: Colours | None = next(frames)
    while (now := after) is not None:
        after = next(frames, None)
        is_removed = after is not None and bool(((after == _CLEAR) & (now != _CLEAR)).any())
        new = now if shown is None else np.where(now == shown, np.uint32(_CLEAR), now)
        top, left, bottom, right = 0, 0, *now.shape
        if shown is not None and not is_removed:
            rows, columns = (np.flatnonzero((new != _CLEAR).any(axis=axis)) for axis in (1, 0))
            top, bottom, left, right = (
                (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1) if len(rows) else (0, 1, 0, 1)
            )
        yield _Part(new[top:bottom, left:right], int(top), int(left), is_removed)
        shown = None if is_removed else now


def _choose_palette(colours: Colours, part: _Part, shared: list[int]) -> list[int]:
    """Return a palette for some colours: the shared one, to which they are added if they fit, or one of their own."""
    palette: list[int] = colours.tolist()
    if len(colours) <= MOST:
        known = set(shared)
        missing = [colour for colour in palette if colour not in known]
        if len(shared) + len(missing) > MOST:
            return palette
        shared += missing
        return shared
    clear = palette[-1:] if palette[-1] == _CLEAR else []
    visible = part.colours[part.colours != _CLEAR]
    palette = [*make_palette(visible, MOST - len(clear)).tolist(), *clear]
    if shared:
        return palette
    shared += palette
    return shared


def _encode_control(palette: list[int], time: int, *, is_removed: bool) -> bytes:
    """Return the block before an image that says how long it is shown, in hundredths of a second, and what is clear."""
    has_clear = _CLEAR in palette
    flags = (_REMOVED if is_removed else _KEPT) << 2 | has_clear
    return _CONTROL.pack(b"!\xf9\x04", flags, time, palette.index(_CLEAR) if has_clear else 0, 0)


def _encode_part(part: _Part, palette: list[int], *, is_exact: bool, is_own: bool) -> list[bytes]:
    """Return the blocks of an image."""
    from PIL import Image  # noqa: PLC0415  few files need it

    colours = np.array(palette, np.uint32)
    if is_exact:
        order = np.argsort(colours)
        indices = order.astype(np.uint8)[np.searchsorted(colours[order], part.colours)]
    else:
        visible = colours[colours != _CLEAR]
        indices = dither(part.colours, visible, part.top, part.left)
        if len(visible) < len(colours):
            indices[part.colours == _CLEAR] = len(visible)
    bits, (height, width) = _count_bits(palette), part.colours.shape
    head = _IMAGE.pack(0x2C, part.left, part.top, width, height, 0x80 | bits - 1 if is_own else 0)
    least = max(2, bits)  # of which codes begin
    packed = Image.fromarray(indices).tobytes("gif", "L", least, 0)
    return [head, _encode_palette(palette) if is_own else b"", bytes([least]), packed, b"\0"]


def _count_bits(palette: list[int]) -> int:
    return max(1, (len(palette) - 1).bit_length())


def _encode_palette(palette: list[int]) -> bytes:
    """Return the colours of a palette, as many as its bits can count; what is none is black."""
    colours = np.zeros(1 << _count_bits(palette), np.uint32)
    colours[: len(palette)] = palette
    return unpack(colours & np.uint32(_CLEAR - 1)).tobytes()
