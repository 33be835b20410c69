"""JPEG 2000: what the boxes and the codestream of a file say of its components (ITU-T T.800, annexes A and I)."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from cnnfilter.io.boxes import find_box, list_boxes

GREY, BILEVEL, RGB, SYCC, CMYK = "grey", "grey whose 1 is black", "RGB", "sYCC", "CMYK"

_SPACES = {0: BILEVEL, 12: CMYK, 15: GREY, 16: RGB, 17: GREY, 18: SYCC} | {
    1: "YCbCr(1)",
    3: "YCbCr(2)",
    4: "YCbCr(3)",
    9: "PhotoYCC",
    11: "CMY",
    13: "YCCK",
    14: "CIELab",
    19: "CIEJab",
    20: "e-sRGB",
    21: "ROMM-RGB",
    24: "e-sYCC",
}
"""Colour spaces by their number in the box `colr` (T.801, table M.25)."""

_PROFILES = {b"GRAY": GREY, b"RGB ": RGB, b"CMYK": CMYK, b"Lab ": "Lab", b"XYZ ": "XYZ", b"YCbr": "YCbCr"}
"""Colour spaces by the name in an ICC profile (ICC.1:2022, section 7.2.6)."""

COLOUR_COUNTS = {GREY: 1, BILEVEL: 1, RGB: 3, SYCC: 3, CMYK: 4}
"""Those that are read, with their numbers of colours."""

_SOC, _SIZ, _SOT, _EOC = 0xFF4F, 0xFF51, 0xFF90, 0xFFD9
_IS_SIGNED = 0x80
_ALPHA, _MULTIPLIED, _WHOLE_IMAGE = 1, 2, 0  # T.800, tables I.16 and I.17
_MOST_BITS = 16


class Component(NamedTuple):
    """A component of a codestream, and how many columns and rows of the image one of its samples covers."""

    bits: int
    across: int
    down: int


class Codestream(NamedTuple):
    """Where a codestream is in a file, and what its marker SIZ says."""

    start: int
    end: int
    height: int
    width: int
    offset: tuple[int, int]  # the top and the left of the image on its canvas
    tile: tuple[int, int]  # the height and the width of a tile
    components: tuple[Component, ...]
    is_whole: bool

    @property
    def bits(self) -> int:
        """Those of the deepest component."""
        return max(component.bits for component in self.components)

    @property
    def is_subsampled(self) -> bool:
        """Whether a component has fewer samples than the image has pixels."""
        return any(component[1:] != (1, 1) for component in self.components)


class Palette(NamedTuple):
    """The entries of a palette, and how many bits each of their numbers has."""

    entries: tuple[tuple[int, ...], ...]
    bits: tuple[int, ...]


class Channel(NamedTuple):
    """A component, or the column of the palette that it looks up."""

    component: int
    column: int | None
    bits: int


class Boxes(NamedTuple):
    """What a file says."""

    codestream: Codestream
    space: str  # of its colours, one of `COLOUR_COUNTS`, or one that is not supported
    channels: tuple[Channel, ...]
    palette: Palette | None
    colours: tuple[int, ...]  # the numbers of the channels that are colours, in their order
    alpha: int | None  # that of the channel that is alpha
    is_multiplied: bool  # whether the colours were multiplied by alpha
    codestreams: int  # their number

    @property
    def bands(self) -> bool:
        """Whether channels have no meaning as colour or alpha."""
        return len(self.colours) + (self.alpha is not None) < len(self.channels)

    @property
    def bits(self) -> int:
        """Those of the deepest channel."""
        return max(channel.bits for channel in self.channels)

    @property
    def channel_count(self) -> int:
        """How many channels the pixels have."""
        if self.bands:
            return len(self.channels)
        return 4 if self.alpha is not None else 1 if COLOUR_COUNTS.get(self.space) == 1 else 3

    @property
    def refusal(self) -> str:
        """What of it is not supported; empty if all is."""
        stream = self.codestream
        if len(stream.components) > 4:
            return f"{len(stream.components)} components"
        if max(stream.bits, self.bits) > _MOST_BITS:
            return f"{max(stream.bits, self.bits)} bits"
        if self.space not in COLOUR_COUNTS:
            return f"the colour space {self.space}"
        if len(self.colours) < COLOUR_COUNTS[self.space] or (self.bands and self.space in {SYCC, CMYK}):
            return f"{len(self.channels)} channels in the colour space {self.space}"
        if stream.bits > 8 and len(stream.components) > 1 and (stream.is_subsampled or any(stream.offset)):
            return "an image offset or subsampled components and more than 8 bits"
        steps = {number for component in stream.components for number in component[1:]}
        sides = (stream.height, stream.width, *stream.offset, *stream.tile)
        if stream.is_subsampled and any(side % step for side in sides for step in steps):
            return "subsampled components that do not divide its size"
        return ""


def read_boxes(data: bytes) -> Boxes:
    """Return what a file says; `struct.error`, `ValueError` or `IndexError` where it does not."""
    if data[:4] == struct.pack(">HH", _SOC, _SIZ):
        return _explain(_read_codestream(data, 0, len(data)), {}, 1)
    streams = [(start, stop) for name, start, stop in list_boxes(data, 0, len(data)) if name == b"jp2c"]
    if not streams:
        raise ValueError("it has no codestream")
    boxes: dict[bytes, list[bytes]] = {}
    for name, start, stop in list_boxes(data, *find_box(data, b"jp2h")):
        boxes.setdefault(name, []).append(data[start:stop])
    return _explain(_read_codestream(data, *streams[0]), boxes, len(streams))


def _read_codestream(data: bytes, start: int, end: int) -> Codestream:
    """Read the marker SIZ (T.800, A.5.1), and look for the end behind all tile-parts."""
    right, bottom, left, top, tile_width, tile_height, tile_left, tile_top, count = struct.unpack_from(
        ">8IH", data, start + 8
    )
    sizes = [struct.unpack_from("3B", data, start + 42 + 3 * number) for number in range(count)]
    components = tuple(Component((bits & ~_IS_SIGNED) + 1, across, down) for bits, across, down in sizes)
    if not components or right <= left or bottom <= top or not all(across and down for _, across, down in components):
        raise ValueError("the image or a component has no samples")
    offset, tile = (top, left), (tile_height, tile_width)
    if not tile_width or not tile_height or right <= tile_left or bottom <= tile_top:
        raise ValueError("it has no tiles")
    tiles = -(-(right - tile_left) // tile_width) * -(-(bottom - tile_top) // tile_height)
    is_whole = _find_end(data, start, end, tiles)
    return Codestream(start, end, bottom - top, right - left, offset, tile, components, is_whole)


def _find_end(data: bytes, start: int, end: int, tiles: int) -> bool:
    """Return whether the marker EOC follows parts of all tiles (T.800, A.4), as far as lengths can be believed."""
    place, seen = start + 2, set[int]()
    while place + 2 <= end:
        (marker,) = struct.unpack_from(">H", data, place)
        if marker == _EOC:
            return len(seen) == tiles
        if place + 10 > end or marker <= 0xFF00:
            break
        if marker == _SOT:
            number, length = struct.unpack_from(">HI", data, place + 4)
            seen.add(number)
            if length < 14:  # up to the end
                break
            place += length
        else:
            place += 2 + struct.unpack_from(">H", data, place + 2)[0]
    return place <= end and data.find(b"\xff\xd9", max(place, end - 64), end) > 0


def _explain(stream: Codestream, boxes: dict[bytes, list[bytes]], codestreams: int) -> Boxes:
    """Return what the boxes say of a codestream: palette, channels, colours and alpha."""
    palette = _read_palette(boxes[b"pclr"][0]) if b"pclr" in boxes and b"cmap" in boxes else None
    if palette:
        channels = tuple(_read_mapping(boxes[b"cmap"][0], palette, stream))
    else:
        channels = tuple(Channel(number, None, component.bits) for number, component in enumerate(stream.components))
    space = _read_space(boxes.get(b"colr", []), len(channels), stream)
    expected = COLOUR_COUNTS.get(space, 3)
    kinds = {number: (0, number + 1) for number in range(min(expected, len(channels)))}
    if b"cdef" in boxes:
        kinds |= _read_definitions(boxes[b"cdef"][0], len(channels))
    elif len(channels) == expected + 1 and expected in {1, 3}:  # as all decoders have it
        kinds[expected] = (_ALPHA, _WHOLE_IMAGE)
    colours = {place or number + 1: number for number, (kind, place) in kinds.items() if kind == 0}
    alphas = {
        number: kind
        for number, (kind, place) in kinds.items()
        if kind in {_ALPHA, _MULTIPLIED} and (place == _WHOLE_IMAGE or expected == 1)
    }
    alpha = min(alphas, default=None)
    order = tuple(colours[place] for place in range(1, expected + 1) if place in colours)
    return Boxes(stream, space, channels, palette, order, alpha, alphas.get(alpha or 0) == _MULTIPLIED, codestreams)


def _read_space(boxes: list[bytes], count: int, stream: Codestream) -> str:
    """Return the first colour space that is supported, or the first at all; what is usual if none is given."""
    spaces = list[str]()
    for box in boxes:
        if box[0] == 1:
            (number,) = struct.unpack_from(">I", box, 3)
            spaces.append(_SPACES.get(number, f"number {number}"))
        elif (space := _PROFILES.get(box[19:23], "")) not in {GREY, RGB, ""}:  # else the number of channels tells
            spaces.append(space)
    if spaces:
        return next((space for space in spaces if space in COLOUR_COUNTS), spaces[0])
    if count <= 2:
        return GREY
    steps = [component[1:] for component in stream.components]
    return SYCC if not boxes and steps[0] == (1, 1) and steps[1:3] != [(1, 1), (1, 1)] else RGB


def _read_palette(box: bytes) -> Palette:
    """Read the box `pclr` (T.800, I.5.3.4)."""
    count, columns = struct.unpack_from(">HB", box)
    bits = box[3 : 3 + columns]
    form = ">" + "".join("B" if bit < 8 else "H" for bit in bits)
    if not count or not columns or max(bits) >= _MOST_BITS:
        raise ValueError("a palette of negative or of long numbers")
    start, size = 3 + columns, struct.calcsize(form)
    entries = tuple(struct.unpack_from(form, box, start + number * size) for number in range(count))
    return Palette(entries, tuple(bit + 1 for bit in bits))


def _read_mapping(box: bytes, palette: Palette, stream: Codestream) -> Iterator[Channel]:
    """Yield the channels in the box `cmap` (T.800, I.5.3.5)."""
    rows = [struct.unpack_from(">HBB", box, place) for place in range(0, len(box) - 3, 4)]
    if len(stream.components) == 1 and {column for _, _, column in rows} != set(range(len(palette.bits))):
        rows = [(0, 1, column) for column in range(len(palette.bits))]  # some programs count no columns
    for component, looks_up, column in rows:
        bits = palette.bits[column] if looks_up else stream.components[component].bits
        yield Channel(component, column if looks_up else None, bits)


def _read_definitions(box: bytes, count: int) -> dict[int, tuple[int, int]]:
    """Return what kind of channel each is, and which colour it belongs to, of the box `cdef` (T.800, I.5.3.6)."""
    (length,) = struct.unpack_from(">H", box)
    rows = [struct.unpack_from(">3H", box, 2 + 6 * number) for number in range(length)]
    return {number: (kind, place) for number, kind, place in rows if number < count}
