"""OpenCV, or one line on what it lacks."""

from collections.abc import Iterator
from contextlib import contextmanager

from cnnfilter.errors import MissingLibraryError
from cnnfilter.files.limits import check_environment

_PACKAGES = {
    "libGL.so.1": "libgl1",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libglib-2.0.so.0": "libglib2.0-0",
}
"""What brings each library on Debian and Ubuntu."""


def explain_import_error(error: ImportError) -> str:
    """Return one line that says which package brings what OpenCV could not load.

    Examples
    --------
    >>> explain_import_error(ImportError("libGL.so.1: cannot open shared object file"))[:52]
    'OpenCV cannot be loaded: libGL.so.1 is missing; the '
    """
    library = str(error).partition(":")[0]
    package = next((package for name, package in _PACKAGES.items() if name in str(error)), "")
    remedy = f"the package {package} (Debian, Ubuntu) brings it" if package else str(error)
    what = f"{library} is missing; {remedy}" if package else remedy
    return f"OpenCV cannot be loaded: {what}, and `pip install opencv-python-headless` serves as well"


check_environment()
try:
    import cv2
except ImportError as error:
    raise MissingLibraryError(explain_import_error(error)) from error

__all__ = ["cv2"]


def hold_to_one_thread() -> None:
    """Let OpenCV work in the thread that calls it, and end those that it has begun: other callers fill the cores."""
    cv2.setNumThreads(1)


@contextmanager
def held_to_one_thread() -> Iterator[None]:
    """Hold OpenCV to the thread that calls it while the block runs."""
    before = cv2.getNumThreads()
    hold_to_one_thread()
    try:
        yield
    finally:
        cv2.setNumThreads(before)
