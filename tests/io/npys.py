"""Files of numpy, whole and with any header."""

import io
import struct
from typing import Any

import numpy as np

from cnnfilter.arrays import Array


def npy(array: Array, **options: Any) -> bytes:
    """Return a `.npy` file."""
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def npy_header(description: str, body: bytes = b"") -> bytes:
    """Return a `.npy` file (version 2) with any header."""
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(description)) + description.encode() + body
