"""Image files read through OpenCV: whole, in one page or in all."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.files.developing import develop
from cnnfilter.files.headers import Header, read_header
from cnnfilter.files.limits import VARIABLE, check_header
from cnnfilter.files.metadata import Metadata, read_metadata
from cnnfilter.files.netpbm import decode_pam
from cnnfilter.files.opencv import cv2
from cnnfilter.files.quiet import capture_stderr
from cnnfilter.files.tags import Directory, read_directories
from cnnfilter.files.tiff import take_alpha_as_it_is

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"

_JPEG_SEGMENTS = (b"\xff\xc4", b"\xff\xda", b"\xff\xdb", b"\xff\xdd")
"""Tables, scans and restart intervals, which follow scans."""

_DAMAGE = ("Corrupt JPEG data", "Premature end of JPEG")
"""How libjpeg's complaints begin that mean lost pixels."""

_PAM_START = b"P7"

Made = TypeVar("Made")


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


def as_buffer(data: bytes) -> Array:
    """Return a file's bytes as OpenCV takes them."""
    return np.frombuffer(data, np.uint8)


def call_opencv(call: Callable[[], Made], name: str) -> tuple[Made, list[str]]:
    """Return what OpenCV gives, and the libraries' complaints; `ImageFileError` with its reason."""
    try:
        return capture_stderr(call)
    except cv2.error as error:
        if "CV_IO_MAX_IMAGE" in str(error):
            reason = f"more pixels than OpenCV reads; the environment variable {VARIABLE} raises its limit"
        else:
            reason = f"OpenCV cannot read it: {getattr(error, 'err', '') or str(error).splitlines()[0]}"
        raise ImageFileError(f"{name}: {reason}") from error


class Pages:
    """The pages or frames of a file, decoded when they are asked for.

    Parameters
    ----------
    data, name
        The whole file, and its name for messages.
    count
        How many there are.

    Attributes
    ----------
    timing
        How frames follow each other, known when all have been asked for.
    """

    def __init__(self, data: bytes, name: str, count: int) -> None:
        self._data, self._name = data, name
        self.count = count
        self.timing = Timing()

    def __iter__(self) -> Iterator[Array]:
        """Yield each as (H, W), (H, W, 3) RGB or (H, W, 4) RGBA; `ImageFileError` at one that cannot be read."""
        directories = list(read_directories(self._data))
        pages: Iterable[Array | None]
        if directories:
            pages = (self._page(number, directory) for number, directory in enumerate(directories))
        else:
            pages = self._frames()
        for number, pixels in enumerate(pages, 1):
            if pixels is None:
                raise ImageFileError(f"{self._name}: page {number} cannot be read, or is cut off")
            directory = directories[number - 1] if directories else None
            yield develop(pixels, self._data, self._name, directory=directory)

    def __getitem__(self, index: int) -> Array:
        """Return one of them, counted from 0."""
        directory = next((page for place, page in enumerate(read_directories(self._data)) if place == index), None)
        pixels = self._page(index, directory)
        if pixels is None:
            raise ImageFileError(f"{self._name}: page {index + 1} cannot be read, or is cut off")
        return develop(pixels, self._data, self._name, directory=directory)

    def _page(self, index: int, directory: Directory | None) -> Array | None:
        """Return what OpenCV makes of one page, or None."""
        if directory is None:
            (_, animation), _ = call_opencv(lambda: cv2.imdecodeanimation(as_buffer(self._data), index, 1), self._name)
            frames = animation.frames
        else:
            data = as_buffer(take_alpha_as_it_is(self._data))
            (_, frames), _ = call_opencv(
                lambda: cv2.imdecodemulti(data, cv2.IMREAD_UNCHANGED, range=(index, index + 1)), self._name
            )
        return frames[0] if len(frames) == 1 else None

    def _frames(self) -> list[Array | None]:
        """Return what OpenCV makes of all frames of an animation, with None behind the last if it is one too few."""
        (_, animation), _ = call_opencv(lambda: cv2.imdecodeanimation(as_buffer(self._data)), self._name)
        frames: list[Array | None] = list(animation.frames)
        self.timing = Timing(tuple(map(int, animation.durations)), int(animation.loop_count))
        return [*frames, None] if len(frames) < self.count else frames


class Image(NamedTuple):
    """A picture in a file: the pixels of the page that was asked for, what else it says, and its pages if it has many.

    `pixels` are (H, W), (H, W, 3) RGB or (H, W, 4) RGBA, upright; uint8, uint16, float32 or float64. `notes` are what
    is to be remarked.
    """

    pixels: Array
    metadata: Metadata = Metadata()
    pages: Pages | None = None
    notes: tuple[str, ...] = ()


def read_image_bytes(data: bytes, name: str, reading: Reading | None = None) -> Image:
    """Return the picture in an encoded file.

    Parameters
    ----------
    data
        The whole file.
    name
        Its name, for the message.
    reading
        How it is read.

    Raises
    ------
    ImageFileError
        If the file is empty, cut off, damaged, too large, or no image that OpenCV reads.
    """
    reading = reading or Reading()
    if not data:
        raise ImageFileError(f"{name}: the file is empty")
    header = read_header(data)
    pages = Pages(data, name, _check(header, name, reading))
    if header and not header.is_whole and not (reading.allow_truncated and data.startswith(_JPEG_START)):
        raise ImageFileError(f"{name}: {_unreadable(data, [])}")
    if reading.page and reading.page > 1:
        image = Image(pages[reading.page - 1])
    else:
        image = _decode(data, name, header, allow_truncated=reading.allow_truncated)
    if header is None or reading.page:  # what was decoded may be larger than the header, or its first page, said
        check_header(Header(*image.pixels.shape[:2]), name, reading.most_pixels)
    return image if pages.count == 1 or reading.page else image._replace(pages=pages)


def decode_image(data: bytes, name: str, *, allow_truncated: bool = False) -> Array:
    """Return the pixels of the first picture in an encoded file; `ImageFileError` as `read_image_bytes` has it."""
    return read_image_bytes(data, name, Reading(allow_truncated)).pixels


def _check(header: Header | None, name: str, reading: Reading) -> int:
    """Return how many pages a file has, if what it promises is wanted and allowed."""
    count = header.pages if header else 1
    if reading.page and reading.page > count:
        pages = "1 page" if count == 1 else f"{count} pages"
        raise ImageFileError(f"{name}: has {pages}, and --page {reading.page} is none of them")
    if header:
        check_header(header._replace(pages=1, total=0) if reading.page else header, name, reading.most_pixels)
    return count


def _decode(data: bytes, name: str, header: Header | None, *, allow_truncated: bool) -> Image:
    """Return the first picture in a file, and what else it says."""
    if data.startswith(_PAM_START):
        pam = decode_pam(data)
        if pam is None:
            raise ImageFileError(f"{name}: {_UNREADABLE}")
        return Image(pam)
    is_jpeg, length = data.startswith(_JPEG_START), len(data)
    if is_jpeg and allow_truncated and not data.rstrip(b"\0").endswith(_JPEG_END):
        data += _JPEG_END
    flags = _RED_FIRST if is_jpeg and header and header.channels == 3 else cv2.IMREAD_UNCHANGED
    (pixels, kinds, blocks), damage = _call_decoder(data, name, flags)
    if pixels is None and is_jpeg and allow_truncated:  # the cut may lie in a table between two scans
        data = data[: max(map(data.rfind, _JPEG_SEGMENTS))] + _JPEG_END
        (pixels, kinds, blocks), _ = _call_decoder(data, name, flags)
    if pixels is None or (damage and not allow_truncated):
        raise ImageFileError(f"{name}: {_unreadable(data, damage)}")
    metadata = read_metadata(kinds, blocks, data)
    directory = next(read_directories(data), None)
    notes = (_TRUNCATED,) if damage or len(data) != length else ()
    developed = develop(pixels, data, name, exif=metadata.exif, directory=directory, red_first=flags == _RED_FIRST)
    return Image(developed, metadata, notes=notes)


_Decoded = tuple[Array | None, Sequence[int], Sequence[Array]]

_RED_FIRST = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
"""What libjpeg can do by itself, and so without a pass over the pixels."""


def _call_decoder(data: bytes, name: str, flags: int) -> tuple[_Decoded, list[str]]:
    """Return what OpenCV decodes or None, with kinds and blocks of metadata, and complaints about a damaged JPEG."""
    buffer = as_buffer(take_alpha_as_it_is(data))
    decoded, lines = call_opencv(lambda: cv2.imdecodeWithMetadata(buffer, flags=flags), name)
    return decoded, [line for line in lines if line.startswith(_DAMAGE)]


_TRUNCATED = "the JPEG is cut off or damaged, and what is there was taken"
_UNREADABLE = "not an image that can be read, or cut off or damaged"


def _unreadable(data: bytes, damage: list[str]) -> str:
    if damage:
        return f"the JPEG is damaged ({damage[0]}); --allow-truncated takes what is there"
    if data.startswith(_JPEG_START):
        return "the JPEG is cut off or damaged; --allow-truncated takes what is there"
    return _UNREADABLE
