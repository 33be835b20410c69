"""Image and matrix files read: the header, then OpenCV, then what OpenCV leaves undone of a format."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.formats import Depth
from cnnfilter.io.headers import Header, read_header, recognize
from cnnfilter.io.levels import MAXIMA, depth_of
from cnnfilter.io.matrices import decode_matrix
from cnnfilter.io.metadata import Metadata, find_avif_profile, read_metadata
from cnnfilter.io.opencv import CORRECTIONS, Made, capture_stderr, cv2, decode_pam
from cnnfilter.io.paths import VARIABLE, check_header, is_endless
from cnnfilter.io.tiff import apply_orientation, read_orientation, restore_alpha, take_alpha_as_it_is


class Reading(NamedTuple):
    """How a file is read.

    Parameters
    ----------
    allow_truncated
        Whether a JPEG that ends too early, or is damaged, is taken as far as it goes.
    page
        Which page or frame is taken, from 1; None for the first, with the others at hand.
    most_pixels
        How many pixels it may hold, in all pages that are taken; None for as many as OpenCV reads.
    """

    allow_truncated: bool = False
    page: int | None = None
    most_pixels: int | None = None


class Timing(NamedTuple):
    """How long each frame of an animation is shown, in milliseconds, and how often all are, 0 for always."""

    durations: tuple[int, ...] = ()
    loops: int = 0


class _EncodedImage(NamedTuple):
    """The bytes of an image file, its name for messages, its format, and its header, an empty one if unreadable."""

    data: bytes
    name: str
    format: str
    header: Header


class Pages:
    """The pages or frames of a file, decoded when they are asked for.

    Attributes
    ----------
    count
        How many there are.
    timing
        How frames follow each other, known when all have been asked for.
    """

    def __init__(self, file: _EncodedImage) -> None:
        self._file = file
        self.count = file.header.pages
        self.timing = Timing()

    def __iter__(self) -> Iterator[Array]:
        """Yield each as (H, W), (H, W, 3) RGB or (H, W, 4) RGBA; `ImageFileError` at one that cannot be read."""
        pages: Iterable[Array | None]
        pages = map(self._decode, range(self.count)) if self._file.header.directories else self._decode_frames()
        for index, pixels in enumerate(pages):
            yield self._finish(pixels, index)

    def __getitem__(self, index: int) -> Array:
        """Return one of them, counted from 0."""
        return self._finish(self._decode(index), index)

    def _decode(self, index: int) -> Array | None:
        """Return what OpenCV makes of one page, or None."""
        data, name, _, header = self._file
        if header.directories:
            buffer = np.frombuffer(take_alpha_as_it_is(data, header.directories), np.uint8)
            (_, frames), _ = call_opencv(
                lambda: cv2.imdecodemulti(buffer, cv2.IMREAD_UNCHANGED, range=(index, index + 1)), name
            )
        else:
            buffer = np.frombuffer(data, np.uint8)
            (_, animation), _ = call_opencv(lambda: cv2.imdecodeanimation(buffer, index, 1), name)
            frames = animation.frames
        return frames[0] if len(frames) == 1 else None

    def _decode_frames(self) -> list[Array | None]:
        """Return what OpenCV makes of all frames of an animation, with None behind the last if it is one too few."""
        buffer = np.frombuffer(self._file.data, np.uint8)
        (_, animation), _ = call_opencv(lambda: cv2.imdecodeanimation(buffer), self._file.name)
        frames: list[Array | None] = list(animation.frames)
        self.timing = Timing(tuple(map(int, animation.durations)), int(animation.loop_count))
        return [*frames, None] if len(frames) < self.count else frames

    def _finish(self, pixels: Array | None, index: int) -> Array:
        if pixels is None:
            raise ImageFileError(f"page {index + 1} cannot be read, or is cut off", path=self._file.name)
        return _finish(pixels, self._file, page=index)


class Picture(NamedTuple):
    """An input.

    Parameters
    ----------
    pixels
        (H, W), (H, W, 3) RGB or (H, W, 4) RGBA, upright; of a matrix (H, W) or (H, W, C).
    depth
        How its file held them; for a matrix 8 bits, the levels of which its numbers are taken for.
    matrix
        Whether it is a matrix, which has no range of its own.
    metadata
        What its file says beside the pixels.
    pages
        All pages or frames of the file, of which `pixels` are the first; None where there is one, or one was chosen.
    notes
        What is to be remarked of how it was read.
    """

    pixels: Array
    depth: Depth
    matrix: bool = False
    metadata: Metadata = Metadata()
    pages: Pages | None = None
    notes: tuple[str, ...] = ()

    @property
    def maximum(self) -> float:
        """White: 255, 65535, or 1 for floats."""
        return MAXIMA[self.depth]

    @property
    def has_alpha(self) -> bool:
        """Whether the fourth channel is alpha."""
        return not self.matrix and self.pixels.ndim == 3 and self.pixels.shape[2] == 4


def read_bytes(path: str | Path) -> bytes:
    """Return a whole file, or raise an `ImageFileError` with the system's reason."""
    try:
        if not is_endless(Path(path)):
            return Path(path).read_bytes()
    except OSError as error:
        raise ImageFileError(error.strerror or error, path=path) from error
    raise ImageFileError("is a device, and holds no picture", path=path)


def decode_picture(data: bytes, name: str, reading: Reading | None = None, *, matrix: bool = False) -> Picture:
    """Return the picture, or if it is one the matrix, in a whole file; its name is for messages.

    Raises
    ------
    ImageFileError
        If the file is empty, cut off, damaged, too large, or no image that OpenCV reads, or has no such page.
    """
    reading = reading or Reading()
    if matrix:
        if reading.page not in {None, 1}:
            raise ImageFileError(f"a matrix has 1 page, and --page {reading.page} is none of them", path=name)
        return Picture(decode_matrix(data, name), Depth.EIGHT, matrix=True)
    if not data:
        raise ImageFileError("the file is empty", path=name)
    header = read_header(data)
    file = _EncodedImage(data, name, header.format if header else recognize(data), header or Header(0, 0))
    pages = Pages(file)
    _check(file, reading)
    if reading.page and reading.page > 1:
        picture = _as_picture(pages[reading.page - 1])
    elif file.format == "PAM":
        picture = _decode_pam(file)
    elif file.format == "JPEG":
        picture = _decode_jpeg(file, allow_truncated=reading.allow_truncated)
    else:
        picture = _decode(file)
    if header is None or reading.page:  # what was decoded may be larger than the header, or its first page, said
        check_header(Header(*picture.pixels.shape[:2]), name, reading.most_pixels)
    return picture if pages.count == 1 or reading.page else picture._replace(pages=pages)


def _as_picture(pixels: Array, metadata: Metadata | None = None) -> Picture:
    return Picture(pixels, depth_of(pixels.dtype), metadata=metadata or Metadata())


_UNREADABLE = "not an image that can be read, or cut off or damaged"
_CUT_OFF = "the JPEG is cut off or damaged; --allow-truncated takes what is there"
_TRUNCATED = "the JPEG is cut off or damaged, and what is there was taken"

_JPEG_END = b"\xff\xd9"

_JPEG_SEGMENTS = (b"\xff\xc4", b"\xff\xda", b"\xff\xdb", b"\xff\xdd")
"""Tables, scans and restart intervals, which follow scans."""

_JPEG_DAMAGE = ("Corrupt JPEG data", "Premature end of JPEG")
"""How libjpeg's complaints begin that mean lost pixels."""

_RED_FIRST = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
"""What libjpeg can do by itself, and so without a pass over the pixels."""


def _check(file: _EncodedImage, reading: Reading) -> None:
    """Raise an `ImageFileError` if a file has no such page, or promises too much, or is cut off."""
    name, header = file.name, file.header
    if reading.page and reading.page > header.pages:
        pages = "1 page" if header.pages == 1 else f"{header.pages} pages"
        raise ImageFileError(f"has {pages}, and --page {reading.page} is none of them", path=name)
    check_header(header._replace(pages=1, total=0) if reading.page else header, name, reading.most_pixels)
    if not header.is_whole and not (reading.allow_truncated and file.format == "JPEG"):
        raise ImageFileError(_CUT_OFF if file.format == "JPEG" else _UNREADABLE, path=name)


def call_opencv(call: Callable[[], Made], name: str) -> tuple[Made, list[str]]:
    """Return what OpenCV gives, and the libraries' complaints; `ImageFileError` with its reason."""
    try:
        return capture_stderr(call)
    except cv2.error as error:
        if "CV_IO_MAX_IMAGE" in str(error):
            reason = f"more pixels than OpenCV reads; the environment variable {VARIABLE} raises its limit"
        else:
            reason = f"OpenCV cannot read it: {getattr(error, 'err', '') or str(error).splitlines()[0]}"
        raise ImageFileError(reason, path=name) from error


def _call_decoder(
    data: bytes, name: str, flags: int = cv2.IMREAD_UNCHANGED
) -> tuple[tuple[Array | None, Sequence[int], Sequence[Array]], list[str]]:
    """Return the pixels of a file or None, the kinds and the blocks of its metadata, and the libraries' complaints."""
    return call_opencv(lambda: cv2.imdecodeWithMetadata(np.frombuffer(data, np.uint8), flags=flags), name)


def _decode(file: _EncodedImage) -> Picture:
    """Return the first picture in a file, and what else it says."""
    data, name, format_, header = file
    if header.directories:
        data = take_alpha_as_it_is(data, header.directories)
    (pixels, kinds, blocks), _ = _call_decoder(data, name)
    if pixels is None:
        raise ImageFileError(_UNREADABLE, path=name)
    metadata = read_metadata(kinds, blocks)
    if format_ == "AVIF" and not metadata.profile:
        metadata = metadata._replace(profile=find_avif_profile(data))
    return _as_picture(_finish(pixels, file, exif=metadata.exif), metadata)


def _decode_pam(file: _EncodedImage) -> Picture:
    pixels = decode_pam(file.data)
    if pixels is None:
        raise ImageFileError(_UNREADABLE, path=file.name)
    return _as_picture(pixels)


def _decode_jpeg(file: _EncodedImage, *, allow_truncated: bool) -> Picture:
    """Return the picture in a JPEG, as far as it goes if that is allowed."""
    data, name, _, header = file
    flags = _RED_FIRST if header.channels == 3 else cv2.IMREAD_UNCHANGED
    if allow_truncated and not data.rstrip(b"\0").endswith(_JPEG_END):
        data += _JPEG_END
    (pixels, kinds, blocks), lines = _call_decoder(data, name, flags)
    damage = [line for line in lines if line.startswith(_JPEG_DAMAGE)]
    if pixels is None and allow_truncated:  # the cut may be in a table between two scans
        data = data[: max(map(data.rfind, _JPEG_SEGMENTS))] + _JPEG_END
        (pixels, kinds, blocks), _ = _call_decoder(data, name, flags)
    if pixels is None or (damage and not allow_truncated):
        reason = f"the JPEG is damaged ({damage[0]}); --allow-truncated takes what is there" if damage else _CUT_OFF
        raise ImageFileError(reason, path=name)
    metadata = read_metadata(kinds, blocks)
    finished = _finish(pixels, file, exif=metadata.exif, red_first=flags == _RED_FIRST)
    picture = _as_picture(finished, metadata)
    return picture._replace(notes=(_TRUNCATED,)) if damage or len(data) != len(file.data) else picture


def _finish(pixels: Array, file: _EncodedImage, *, page: int = 0, exif: bytes = b"", red_first: bool = False) -> Array:
    """Return what OpenCV decoded of a file, BGR or `red_first`, as the file means it, upright RGB with straight alpha.

    `page` is that of a TIFF, from 0. `ImageFileError` if the pixels are of a type that is not computed with.
    """
    data, name, format_, header = file
    if header.directories:
        pixels = restore_alpha(pixels, header.directories[page], name)
    elif correct := CORRECTIONS.get(format_):
        pixels = correct(pixels, data)
    if exif and format_ not in {"AVIF", "TIFF"}:  # OpenCV turns a TIFF, and its boxes turn an AVIF
        pixels = apply_orientation(pixels, read_orientation(exif))
    if pixels.dtype not in _PIXEL_TYPES or (pixels.ndim == 3 and pixels.shape[2] not in {3, 4}):
        raise ImageFileError(f"pixels of {pixels.dtype} with shape {pixels.shape} are not read", path=name)
    return pixels if red_first else swap_red_and_blue(pixels, owned=True)


_PIXEL_TYPES = (np.uint8, np.uint16, np.float32, np.float64)

_ROWS_AT_ONCE = 64
"""Rows whose channels are swapped at a time, in the cache."""


def swap_red_and_blue(pixels: Array, *, owned: bool) -> Array:
    """Return BGR as RGB, or the reverse; in place if nothing else uses the array."""
    if pixels.ndim == 2:
        return pixels
    code = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
    if pixels.dtype == np.float64:
        return np.ascontiguousarray(pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]])
    target = pixels if owned and pixels.flags.writeable else np.empty_like(pixels)
    for row in range(0, len(pixels), _ROWS_AT_ONCE):  # in place OpenCV copies first what it is given
        part = slice(row, row + _ROWS_AT_ONCE)
        target[part] = cv2.cvtColor(pixels[part], code)
    return target
