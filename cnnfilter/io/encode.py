"""Image files written through OpenCV, a picture or many in each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.atomic import Encoded, Pieces
from cnnfilter.io.formats import FULL_CHROMA, LOSSLESS, Format, find_format, find_suffix
from cnnfilter.io.levels import DEPTHS, MAXIMA
from cnnfilter.io.matrices import encode_matrix
from cnnfilter.io.metadata import Metadata
from cnnfilter.io.opencv import SILENCE, cv2, swap_red_and_blue

if TYPE_CHECKING:
    from cnnfilter.io.strips import Strips

SMALLEST_IN_STRIPS = 1 << 21
"""Bytes of the smallest images that are encoded in strips; smaller ones take no less time so."""

_STILL = 1000  # milliseconds for which a page is shown that comes from a file without times


def encode_image(
    pixels: Array,
    path: str | Path,
    *,
    quality: int | None = None,
    compression: int | None = None,
    owned: bool = False,
    metadata: Metadata | None = None,
    notes: list[str] | None = None,
    strips: Strips | None = None,
) -> Encoded:
    """Return the bytes of a file, whose suffix is the format; `ImageFileError` if it cannot hold the pixels.

    An image is (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA, and may be changed if it is `owned`; a matrix holds
    any shape. `metadata` is what `carry_over` says that the file can hold; `notes` gets what is lost of the pixels.
    `strips` are those of the pixels that `cut_into_strips` has returned, of which some are encoded perhaps.
    """
    format_, suffix = find_format(path), find_suffix(path)
    if format_.is_matrix:
        return encode_matrix(pixels, path)
    if format_.name == "GIF":
        from cnnfilter.io.gif_writer import encode_gif  # noqa: PLC0415  for GIF alone

        return encode_gif([_fit(pixels, format_, path)], notes=notes)
    fitted, kept = _fit(pixels, format_, path), metadata or Metadata()
    if strips := strips or cut_into_strips(fitted, path, quality=quality, compression=compression):
        head, *others = strips.pieces()
        return Pieces([_add_metadata(head, format_, [kept]) if any(kept) else head, *others])
    if format_.name in {"PGM", "PPM", "PNM"}:
        from cnnfilter.io.netpbm import encode_netpbm  # noqa: PLC0415  for these formats alone

        return encode_netpbm(fitted)
    blue_first = swap_red_and_blue(fitted, owned=owned or fitted is not pixels)
    parameters = _parameters(format_, quality, compression)
    if format_.name == "AVIF":
        named = zip(_AVIF_BLOCKS, (kept.exif, kept.profile, kept.xmp), strict=True)
        blocks = {kind: block for kind, block in named if block}
        held = [np.frombuffer(block, np.uint8) for block in blocks.values()]
        data = _encode(lambda: cv2.imencodeWithMetadata(suffix, blue_first, [*blocks], held, parameters))
    else:
        data = _encode(lambda: cv2.imencode(suffix, blue_first, parameters))
    if data is None:
        what = f"{blue_first.shape} pixels of {blue_first.dtype}, or there is too little memory"
        raise ImageFileError(f"{format_.name} cannot hold {what}", path=path)
    return _add_metadata(data, format_, [kept]) if any(kept) else data


def cut_into_strips(
    pixels: Array, path: str | Path, *, quality: int | None = None, compression: int | None = None
) -> Strips | None:
    """Return the strips that an image is encoded in; None if it is encoded as a whole, or not at all.

    It has the shape and the type that the file gets, and its rows may be filled in later.
    """
    format_ = find_format(path)
    if format_.name not in {"PNG", "JPEG"} or pixels.nbytes < SMALLEST_IN_STRIPS or pixels.ndim not in {2, 3}:
        return None
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    is_held = DEPTHS.get(pixels.dtype) in format_.depths and channels in format_.channels
    if not is_held or max(pixels.shape[:2]) > format_.largest_side or compression == 0:  # nothing is packed
        return None
    from cnnfilter.io.strips import JpegStrips, PngStrips  # noqa: PLC0415  for large images alone

    kind = PngStrips if format_.name == "PNG" else JpegStrips
    return kind(pixels, path, _parameters(format_, quality, compression))


def encode_pages(
    pages: Sequence[Array],
    path: str | Path,
    durations: Sequence[int] = (),
    loops: int = 0,
    *,
    quality: int | None = None,
    compression: int | None = None,
    owned: bool = False,
    metadata: Sequence[Metadata] = (),
    notes: list[str] | None = None,
) -> Encoded:
    """Return the bytes of a file of several pictures: pages of a TIFF, or frames of an animation, which have one size.

    Frames are shown for their durations in milliseconds, or a second each, in as many loops, 0 for always. Pages have
    metadata each, an animation has one for all. Pages may be changed if they are `owned`; `notes` gets what is lost of
    their pixels and times.
    """
    format_, suffix = find_format(path), find_suffix(path)
    parameters = _parameters(format_, quality, compression, are_frames=format_.pages == "frames")
    fitted = [_fit(page, format_, path) for page in pages]
    if notes is not None and durations:
        notes += _find_lost_times(format_, durations, loops)
    most = LONGEST_TIMES.get(format_.name, max(durations, default=0))
    durations = [min(time, most) for time in durations] or [_STILL] * len(pages)
    loops = min(loops, MOST_LOOPS.get(format_.name, loops))
    if format_.pages == "frames":
        _check_sizes(fitted, path)
    if format_.name == "GIF":
        from cnnfilter.io.gif_writer import encode_gif  # noqa: PLC0415  for GIF alone

        return encode_gif(fitted, durations, loops, notes)
    pairs = zip(fitted, pages, strict=True)
    blue_first = [swap_red_and_blue(page, owned=owned or page is not given) for page, given in pairs]
    if format_.pages == "pages":
        data = _encode(lambda: cv2.imencodemulti(suffix, blue_first, parameters))
    else:
        animation = cv2.Animation()
        animation.frames = _make_alike(blue_first)
        animation.durations = durations
        animation.loop_count = loops
        data = _encode(lambda: cv2.imencodeanimation(suffix, animation, parameters))
    if data is None:
        raise ImageFileError(f"{format_.name} cannot hold {len(pages)} images of {pages[0].shape}", path=path)
    return _add_metadata(data, format_, metadata) if any(map(any, metadata)) else data


LONGEST_TIMES = {"GIF": 655_350, "PNG": 65_535, "WebP": (1 << 24) - 1}
"""How long a frame can be shown, in milliseconds, where a format or its encoder has a limit that animations reach."""

MOST_LOOPS = {"GIF": 65_536, "WebP": 65_535}
"""How often an animation can be shown, where a format has a limit."""


def _find_lost_times(format_: Format, durations: Sequence[int], loops: int) -> Iterator[str]:
    """Yield what a format does not hold of the times of frames and of their loops."""
    if format_.pages == "pages":
        yield f"the times of the frames dropped: pages of {format_.name} have none"
        return
    most = LONGEST_TIMES.get(format_.name)
    if most and max(durations) > most:
        limit = f"a {format_.name} shows a frame for {most / 1000} s at most, and longer times become that"
        yield limit + "; WebP keeps them" * (max(durations) <= LONGEST_TIMES["WebP"])
    if loops > (often := MOST_LOOPS.get(format_.name, loops)):
        yield f"a {format_.name} is shown {often} times at most, and more loops become that; PNG keeps them"
    if format_.name == "AVIF" and loops:
        yield f"the number of loops, {loops}, dropped: animations of AVIF are written without one"
    if format_.name == "AVIF" and min(durations) < 1:
        yield "an AVIF shows a frame for 1 ms at least, and shorter times become that"


_AVIF_BLOCKS = cv2.IMAGE_METADATA_EXIF, cv2.IMAGE_METADATA_ICCP, cv2.IMAGE_METADATA_XMP
"""EXIF, a colour profile and XMP, as OpenCV numbers them."""


def _add_metadata(data: bytes | memoryview, format_: Format, pages: Sequence[Metadata]) -> bytes | memoryview:
    """Return a file with metadata, of each page or of all."""
    from cnnfilter.io.containers import write_metadata  # noqa: PLC0415  many files have none

    return write_metadata(data, format_.name, pages)


_CONVERSIONS = {(1, 3): cv2.COLOR_GRAY2BGR, (1, 4): cv2.COLOR_GRAY2BGRA, (3, 4): cv2.COLOR_BGR2BGRA}
"""What adds channels to a frame, by how many it has and gets; new alpha is opaque."""


def _check_sizes(frames: list[Array], path: str | Path) -> None:
    """Raise an `ImageFileError` if frames differ in size."""
    if len({frame.shape[:2] for frame in frames}) > 1:
        sizes = ", ".join(dict.fromkeys(f"{frame.shape[0]}x{frame.shape[1]}" for frame in frames))
        reason = (
            f"frames have one size, and the pages have {sizes}; use .tif, --page N for one, or {{page}} in -o for each"
        )
        raise ImageFileError(reason, path=path)


def _make_alike(frames: list[Array]) -> list[Array]:
    """Return frames with as many channels each."""
    channels = [1 if frame.ndim == 2 else frame.shape[2] for frame in frames]
    codes = [_CONVERSIONS.get((count, max(channels))) for count in channels]
    return [frame if code is None else cv2.cvtColor(frame, code) for frame, code in zip(frames, codes, strict=True)]


def _encode(call: Callable[[], tuple[bool, Array]]) -> memoryview | None:
    """Return what OpenCV encodes, or None if it cannot."""
    try:
        with SILENCE:
            written, data = call()
    except cv2.error:
        return None
    return data.data if written else None


def _fit(pixels: Array, format_: Format, path: str | Path) -> Array:
    """Return pixels in a type and with channels that the format holds."""
    if DEPTHS.get(pixels.dtype) not in format_.depths:
        reason = f"{format_.name} cannot hold {pixels.dtype}; it holds {', '.join(format_.depths)}"
        raise ImageFileError(reason, path=path)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim not in {2, 3} or pixels.size == 0:
        raise ImageFileError(
            f"a result of shape {pixels.shape} is not an image; a .npy or .txt file holds it", path=path
        )
    check_shape(pixels.shape, format_, path)
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels not in format_.channels:
        pixels = _change_channels(pixels, channels, format_, path)
    if pixels.dtype == np.float64 and not format_.doubles:
        pixels = pixels.astype(np.float32)  # OpenCV would make 8 bits of it
    if not format_.signed and pixels.min() < 0:
        raise ImageFileError(f"{format_.name} holds no negative values; TIFF, PFM and .npy do", path=path)
    return pixels


def check_shape(shape: Sequence[int], format_: Format, path: str | PurePath) -> None:
    """Raise an `ImageFileError` if a format holds no image (H, W) or (H, W, C) of a shape, whatever its alpha is."""
    channels = shape[2] if len(shape) == 3 else 1
    if channels == 3 and channels not in format_.channels:
        raise ImageFileError(GREY_ONLY.format(format_.name), path=path)
    if channels not in {1, 3, 4}:
        raise ImageFileError(
            f"an image file holds 1, 3 or 4 channels, and the result has {channels}; a .npy file holds any number, "
            "--plot draws them, and --save all, of pipeline, writes an image for each map",
            path=path,
        )
    size = "x".join(map(str, shape[:2]))
    if min(shape[:2]) < format_.smallest_side:
        reason = f"{format_.name} needs {format_.smallest_side} pixels on each side, and the result is {size}"
        raise ImageFileError(reason, path=path)
    if max(shape[:2]) > format_.largest_side:
        reason = f"{format_.name} holds {format_.largest_side} pixels on each side at most, and the result is {size}"
        raise ImageFileError(f"{reason}; TIFF holds more", path=path)


NO_ALPHA = "{} holds no alpha; PNG, WebP, TIFF and AVIF do"
"""What is said of transparent pixels that go into such a format."""

GREY_ONLY = "{} holds grey images only; `gray`, a layer or --channels gray, makes one"
"""What is said of colours that go into such a format."""


def _change_channels(pixels: Array, channels: int, format_: Format, path: str | Path) -> Array:
    """Return the pixels with as many channels as the format holds; grey is repeated, only opaque alpha is dropped."""
    if channels == 1:
        return np.repeat(pixels[:, :, None], 3, axis=2)
    if channels == 4 and 3 in format_.channels and (pixels[:, :, 3] >= MAXIMA[DEPTHS[pixels.dtype]]).all():
        return pixels[:, :, :3].copy()
    raise ImageFileError(NO_ALPHA.format(format_.name), path=path)


def _parameters(
    format_: Format, quality: int | None, compression: int | None, *, are_frames: bool = False
) -> list[int]:
    """Return what OpenCV is told when it writes a format, one image or frames."""
    asked = {"quality": quality, "compression": compression}.get(format_.option)
    value = format_.usual if asked is None else asked
    if value is None:
        return []
    parameters = [getattr(cv2, format_.flag), value]
    if format_.name == "JPEG" and value >= FULL_CHROMA:
        parameters += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    if format_.name == "WebP" and value >= LOSSLESS:
        if are_frames:  # of which OpenCV knows no mode; 101 means no loss of what can be seen
            return [getattr(cv2, format_.flag), LOSSLESS + 1]
        parameters += [cv2.IMWRITE_WEBP_LOSSLESS_MODE, cv2.IMWRITE_WEBP_LOSSLESS_PRESERVE_COLOR]
    return parameters
