"""Pillow: how it is loaded for files that need it, and kept to our limits."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cnnfilter.errors import ImageFileError

if TYPE_CHECKING:
    from PIL.Image import Image

_LOCK = threading.Lock()


@contextmanager
def open_with_pillow(data: bytes, format_: str, name: str) -> Iterator[Image]:
    """Hand over an image that Pillow opens; `ImageFileError` if it cannot open it, or decode it in the block.

    Pillow's own limit of pixels does not count meanwhile, and its warnings are dropped.
    """
    from PIL import Image  # noqa: PLC0415  few files need it

    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            with Image.open(io.BytesIO(data), formats=(format_,)) as image:
                yield image
        except (OSError, SyntaxError, ValueError, KeyError, TypeError, IndexError, RuntimeError) as error:
            said = "" if "BytesIO object at" in str(error) else f" ({error})"
            called = {"JPEG2000": "JPEG 2000", "WEBP": "WebP"}.get(format_, format_)
            reason = f"the {called} is cut off, damaged, or of a kind that Pillow cannot read{said}"
            raise ImageFileError(reason, path=name) from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit
