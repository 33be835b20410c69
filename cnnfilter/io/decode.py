"""Image and matrix files read: the header, then OpenCV, then what OpenCV leaves undone of a format."""

from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import islice
from typing import Any, NoReturn, cast

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.colours import spread
from cnnfilter.io.formats import Depth, is_matrix
from cnnfilter.io.headers import ALLOWING, CUT_OFF, Header, check_header, read_header
from cnnfilter.io.levels import DEPTHS, MAXIMA
from cnnfilter.io.matrices import decode_matrix
from cnnfilter.io.metadata import Metadata, apply_orientation
from cnnfilter.io.opencv import call_opencv, cv2, explain_failure, swap_red_and_blue
from cnnfilter.io.pillow import open_with_pillow
from cnnfilter.io.signatures import NETPBM, not_supported

# ruff: noqa: PLC0415  what reads a format is loaded when a file of it is met


class Pages:
    """The pages or frames of a file, decoded when they are asked for."""

    def __init__(self, data: bytes, header: Header, name: str) -> None:
        self._data, self._header, self._name = data, header, name
        self.count = header.pages
        self.durations: tuple[int, ...] = ()  # of frames in milliseconds, known when all have been asked for
        self.loops = 0  # how often frames are shown, 0 for always
        if header.screen:
            self.durations = tuple(frame.duration for frame in header.screen.frames)
            self.loops = header.screen.loops
        if header.png:
            self.durations = tuple(frame.duration for frame in header.png.frames)
            self.loops = header.png.loops

    def metadata(self) -> list[Metadata]:
        """Return what is said beside each page of a TIFF, or beside an animation."""
        from cnnfilter.io.containers import read_metadata

        count = self.count if self._header.layouts else 1
        return [read_metadata(self._data, self._header, page) for page in range(count)]

    def __iter__(self) -> Iterator[Array]:
        """Yield each as (H, W), (H, W, 3) RGB or (H, W, 4) RGBA; `ImageFileError` at one that cannot be read."""
        if self._header.screen:
            from cnnfilter.io.gif import decode_frames

            yield from decode_frames(self._data, self._header.screen, self._name)
            return
        if self._header.png:
            yield from _decode_apng(self._data, self._header, self._name)
            return
        if _find_decoder(self._header):
            yield from map(self.__getitem__, range(self.count))
            return
        animation = self._decode_animation()
        self.durations, self.loops = tuple(map(int, animation.durations)), int(animation.loop_count)
        for frame in animation.frames:
            yield _correct(frame, self._header, self._name)
        if len(animation.frames) < self.count:
            self._refuse(len(animation.frames))

    def __getitem__(self, index: int) -> Array:
        """Return one of them, counted from 0."""
        if decode := _find_decoder(self._header):
            return decode(self._data, self._header, index, self._name)
        frames = self._decode_animation(index, 1).frames
        if len(frames) != 1:
            self._refuse(index)
        return _correct(frames[0], self._header, self._name)

    def _decode_animation(self, *part: int) -> Any:
        """Return what OpenCV decodes of a WebP or an AVIF: all frames, or some from one on, in a `cv2.Animation`."""
        buffer = np.frombuffer(_prepare(self._data, self._header), np.uint8)
        (_, animation), _ = call_opencv(self._header.format, self._name, lambda: cv2.imdecodeanimation(buffer, *part))
        return animation

    def pictures(self) -> Iterator["Picture"]:
        """Yield each as a picture."""
        for index, pixels in enumerate(self):
            matrix, bands = _find_meaning(self._header, index)
            yield Picture(pixels, DEPTHS[pixels.dtype], matrix=matrix, bands=bands)

    def _refuse(self, index: int) -> NoReturn:
        what = (
            f"page {index + 1} of the {self._header.format} is cut off, damaged, or of a kind that OpenCV cannot read"
        )
        raise ImageFileError(what, path=self._name)


class Batch(Pages):
    """The inputs in an array (N, H, W, C), as the pages of a file."""

    def __init__(self, items: Array) -> None:
        self._items, self.count, self.durations, self.loops = items, len(items), (), 0

    def metadata(self) -> list[Metadata]:
        """Return what an array says beside its items: nothing."""
        return [Metadata()]

    def __iter__(self) -> Iterator[Array]:
        """Yield each as (H, W, C)."""
        yield from self._items

    def __getitem__(self, index: int) -> Array:
        """Return one of them, counted from 0."""
        return np.asarray(self._items[index])

    def pictures(self) -> Iterator["Picture"]:
        """Yield each as a matrix."""
        return (Picture(item, Depth.EIGHT, matrix=True) for item in self)


class Picture:
    """An input: pixels (H, W), (H, W, 3) RGB or (H, W, 4) RGBA, upright; of a matrix or of bands (H, W) or (H, W, C).

    `depth` is how its file held them; a matrix has no range of its own, and its numbers are taken for levels of 8 bits.
    `bands` are channels without a common meaning as a colour, and none of them is alpha.
    `pages` are all those of the file, of which the pixels are the first, or None where there is one, or one was chosen.
    `notes` are warnings about how it was read.
    """

    def __init__(
        self,
        pixels: Array,
        depth: Depth,
        *,
        matrix: bool = False,
        bands: bool = False,
        metadata: Metadata | None = None,
        pages: Pages | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.pixels, self.depth, self.matrix = pixels, depth, matrix
        self.metadata, self.pages, self.notes = metadata or Metadata(), pages, notes
        self.maximum = MAXIMA[Depth.EIGHT if matrix else depth]  # white: 255, 65535, or 1 for floats
        self.has_alpha = not (matrix or bands) and pixels.shape[2:] == (4,)  # as the fourth channel
        volume = pixels if pixels.ndim == 3 else np.atleast_3d(pixels)
        self.colours: Array = volume[:, :, :3] if self.has_alpha else volume  # without alpha, (H, W, C)


def decode_picture(
    data: bytes,
    name: str,
    *,
    matrix: bool | None = None,
    page: int | None = None,
    allow_truncated: bool = False,
    most_pixels: int | None = None,
    foresee: Callable[["Picture"], None] | None = None,
    batch: bool = False,
) -> Picture:
    """Return the picture, or the matrix, in a whole file; its name is for messages, and says which unless told.

    Of several pages one is taken, counted from 1, or the first with the others at hand. A JPEG that ends too early, or
    is damaged, is taken as far as it goes if that is allowed. All pages that are taken may hold as many pixels as
    `most_pixels` says, or as OpenCV reads; `foresee` looks at the sketch of a large picture first, and may refuse it.
    An array of four dimensions is read where it may be a `batch`, whose pages are its inputs.
    `ImageFileError` if the file is empty, cut off, damaged, too large, or no image of a known format, or has no such
    page.
    """
    if is_matrix(name) if matrix is None else matrix:
        return _decode_matrix(data, name, page, batch=batch)
    if not data:
        raise ImageFileError("the file is empty", path=name)
    header, notes = read_header(data, name), list[str]()
    check_header(header, name, most_pixels, page=page, allow_truncated=allow_truncated)
    if foresee and header.height * header.width >= _LONG_TO_DECODE and (sketch := make_sketch(header)) and not page:
        foresee(sketch)
    metadata = Metadata()
    if not header.is_bare:
        from cnnfilter.io.containers import read_metadata

        metadata = read_metadata(data, header, (page or 1) - 1)
    pages = Pages(data, header, name) if header.pages > 1 else None
    if pages and page and page > 1:
        pixels = pages[page - 1]
    elif decode := _find_decoder(header):
        pixels = decode(data, header, 0, name)
    else:
        red_first = header.channels == 3 and header.format in {"JPEG", "PNG"}
        flags = _RED_FIRST if red_first else cv2.IMREAD_UNCHANGED
        if header.format == "JPEG":
            pixels = _decode_jpeg(data, name, flags, notes, allow_truncated=allow_truncated)
        else:
            pixels = _decode_with_opencv(data if header.is_bare else _prepare(data, header), header, name, flags)
        pixels = _correct(pixels, header, name, red_first=red_first)
    if not header.height or page:  # what was decoded may be larger than the header, or its first page, said
        check_header(Header(*pixels.shape[:2]), name, most_pixels)
    notes += header.notes
    matrix, bands = _find_meaning(header, (page or 1) - 1)
    return Picture(
        pixels,
        DEPTHS[pixels.dtype],
        matrix=matrix,
        bands=bands,
        metadata=metadata,
        pages=None if page else pages,
        notes=tuple(notes),
    )


def _decode_matrix(data: bytes, name: str, page: int | None, *, batch: bool) -> Picture:
    notes = list[str]()
    matrix = decode_matrix(data, name, notes, batch=batch)
    items = Batch(matrix) if matrix.ndim == 4 else None
    count = items.count if items else 1
    if page and page > count:
        what = f"the batch has {count} inputs" if items else "a matrix has 1 page"
        raise ImageFileError(f"{what}, and --page {page} does not exist", path=name)
    pixels = items[(page or 1) - 1] if items else matrix
    return Picture(pixels, Depth.EIGHT, matrix=True, pages=None if page else items, notes=tuple(notes))


def _decode_with_opencv(data: bytes, header: Header, name: str, flags: int) -> Array:
    """Return what OpenCV decodes of a file, of a PNG that it refuses what it decodes of the chunks with pixels."""
    buffer = np.frombuffer(data, np.uint8)
    pixels, lines = call_opencv(header.format, name, lambda: cast(Array, cv2.imdecode(buffer, flags)))
    if pixels is None and header.png and not header.is_bare:
        from cnnfilter.io.png import keep_chunks

        return _decode_with_opencv(keep_chunks(data, header.png), header._replace(is_bare=True), name, flags)
    if pixels is None and header.format == "WebP":
        with open_with_pillow(data, "WEBP", name) as image:
            colours = np.array(image.convert("RGBA" if header.channels == 4 else "RGB"))
            return swap_red_and_blue(colours, owned=True)
    if pixels is None:
        raise ImageFileError(explain_failure(header.format, lines), path=name)
    return pixels


_LONG_TO_DECODE = 1 << 22
"""Pixels that take so long to decode that what cannot be made of them is better known before."""


def make_sketch(header: Header) -> Picture | None:
    """Return a picture as large as the first page, once it has been read; None where the header does not tell."""
    if not header.shape:
        return None
    matrix, bands = _find_meaning(header, 0)
    return Picture(np.broadcast_to(np.uint8(0), header.shape), Depth.EIGHT, matrix=matrix, bands=bands)


def _find_meaning(header: Header, index: int) -> tuple[bool, bool]:
    """Return whether a page, counted from 0, is a matrix, and whether its channels are bands, as `Picture` has them."""
    layout = header.layouts[index] if header.layouts else None
    return bool(layout and layout.numbers), header.bands or bool(layout and layout.bands)


def _prepare(data: bytes, header: Header) -> bytes:
    """Return a file as OpenCV reads it right."""
    if header.png:
        from cnnfilter.io.png import without_damage

        return without_damage(data, header.png)
    if header.format == "AVIF":
        from cnnfilter.io.boxes import adapt_to_libavif

        return adapt_to_libavif(data)
    return data


_JPEG_END = b"\xff\xd9"

_JPEG_SEGMENTS = (b"\xff\xc4", b"\xff\xda", b"\xff\xdb", b"\xff\xdd")
"""Tables, scans and restart intervals, which follow scans."""

_JPEG_DAMAGE = ("Corrupt JPEG data", "Premature end of JPEG")
"""How libjpeg's complaints begin that mean lost pixels."""

_JPEG_GAP = "Corrupt JPEG data: {} extraneous bytes before marker 0x{:02x}"

_RED_FIRST = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
"""What libjpeg and libpng can do by themselves, and so without a pass over the pixels."""


def _decode_jpeg(data: bytes, name: str, flags: int, notes: list[str], *, allow_truncated: bool) -> Any:
    """Return the pixels of a JPEG, as far as it goes if that is allowed."""

    def decode() -> Any:
        return cv2.imdecode(np.frombuffer(taken, np.uint8), flags)

    taken = data
    if allow_truncated and not data.rstrip(b"\0").endswith(_JPEG_END):
        taken += _JPEG_END
    decoded, lines = call_opencv("JPEG", name, decode)
    damage = [line for line in lines if line.startswith(_JPEG_DAMAGE)]
    if damage and decoded is not None:
        from cnnfilter.io.jpeg_segments import list_segments

        harmless = {_JPEG_GAP.format(segment.gap, segment.marker) for segment in list_segments(data)}
        damage = [line for line in damage if line not in harmless]
    if decoded is None and allow_truncated:  # the cut may be in a table between two scans
        taken = taken[: max(map(taken.rfind, _JPEG_SEGMENTS))] + _JPEG_END
        decoded, _ = call_opencv("JPEG", name, decode)
    if decoded is None or (damage and not allow_truncated):
        reason = f"the JPEG is damaged ({damage[0]})" if damage else CUT_OFF
        what = ", and no part of it can be read" if allow_truncated else f"; {ALLOWING}"
        raise ImageFileError(reason + what, path=name)
    if damage or len(taken) != len(data):
        notes.append(f"{CUT_OFF}, and what is left was used")
    return decoded


def _decode_gif(data: bytes, header: Header, index: int, name: str) -> Array:
    from cnnfilter.io.gif import decode_frames

    if not header.screen:
        raise ImageFileError("the GIF is cut off (before its first image)", path=name)
    return next(islice(decode_frames(data, header.screen, name), index, None))


def _decode_apng(data: bytes, header: Header, name: str) -> Iterator[Array]:
    """Yield the frames of an animation, upright."""
    from cnnfilter.io.apng import decode_frames_of_png

    def decode(image: bytes) -> Array:
        plain = header._replace(orientation=1, is_bare=True)
        return _correct(_decode_with_opencv(image, plain, name, cv2.IMREAD_UNCHANGED), plain, name)

    if header.png:
        for pixels in decode_frames_of_png(data, header.png, name, decode):
            yield apply_orientation(pixels, header.orientation) if header.orientation > 1 else pixels


def _decode_apng_frame(data: bytes, header: Header, index: int, name: str) -> Array:
    return next(islice(_decode_apng(data, header, name), index, None))


def _decode_tiff(data: bytes, header: Header, index: int, name: str) -> Array:
    from cnnfilter.io.tiff import decode_tiff

    if not header.layouts:
        raise ImageFileError("the TIFF is cut off or damaged: it has no page", path=name)
    return decode_tiff(data, header.layouts[index], name)


_SINGLE = {
    "BMP": ("bmp", "decode_bitmap"),
    **dict.fromkeys(NETPBM, ("netpbm", "decode_netpbm")),
    "Radiance HDR": ("radiance", "decode_radiance"),
    "Sun raster": ("sun_raster", "decode_sun_raster"),
    "AVIF": ("avif", "decode_avif"),
    "JPEG 2000": ("jpeg2000", "decode_jpeg_2000"),
}
"""Formats of one image, each with the module and the function that reads it."""


def _decode_single(data: bytes, header: Header, _: int, name: str) -> Array:
    module, function = _SINGLE[header.format]
    decode: Callable[[bytes, str], Array] = getattr(import_module(f"cnnfilter.io.{module}"), function)
    return decode(data, name)


_DECODERS: dict[str, Callable[[bytes, Header, int, str], Array]] = {
    "GIF": _decode_gif,
    "TIFF": _decode_tiff,
    **dict.fromkeys(_SINGLE, _decode_single),
}
"""What reads the formats that OpenCV reads wrong: from a file, its header, the number of a page from 0, and a name for
messages, to pixels as a `Picture` has them, upright, in RGB, with straight alpha, spread to the whole range."""


def _find_decoder(header: Header) -> Callable[[bytes, Header, int, str], Array] | None:
    """Return what reads a file, or nothing where OpenCV does it alone, as it does sequences of AVIF."""
    if header.png and header.png.frames:
        return _decode_apng_frame
    return None if header.format == "AVIF" and header.pages > 1 else _DECODERS.get(header.format)


def _correct(pixels: Array, header: Header, name: str, *, red_first: bool = False) -> Array:
    """Return what OpenCV decoded of a file, BGR or `red_first`, as the file means it, upright RGB with straight alpha.

    `ImageFileError` if the pixels are of a type that is not computed with.
    """
    if header.transparent is not None and pixels.ndim == 2:  # PNG 1.3, 11.3.1.1, which OpenCV skips
        alpha = np.where(pixels == header.transparent, 0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)
        pixels = np.stack([pixels, pixels, pixels, alpha], axis=-1)
    elif header.white and pixels.dtype.kind == "u" and header.white != np.iinfo(pixels.dtype).max:
        pixels = spread(pixels, header.white, header.black)
    if header.orientation > 1:
        pixels = apply_orientation(pixels, header.orientation)
    if pixels.dtype not in DEPTHS or (pixels.ndim == 3 and pixels.shape[2] not in {3, 4}):
        what = f"{header.format} of type {pixels.dtype} and shape {pixels.shape}"
        raise ImageFileError(not_supported(what), path=name)
    return pixels if red_first else swap_red_and_blue(pixels, owned=True)
