"""The directory of tags that TIFF files have, and EXIF blocks, which are built as they are."""

import struct
from dataclasses import dataclass

_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}


@dataclass(frozen=True)
class Tag:
    """A tag of the first directory: its number of values, its first short value, and where that stands."""

    count: int
    value: int
    offset: int
    order: str


def find_tag(data: bytes, number: int) -> Tag | None:
    """Return a tag of the first directory (TIFF 6.0, section 2), or None where it, or any directory, is missing.

    Parameters
    ----------
    data
        From the byte order mark on.
    number
        The tag's number; its values are shorts.
    """
    order = _ORDERS.get(data[:4])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, _, values, value = struct.unpack_from(f"{order}HHIH", data, entry)
            if tag == number:
                return Tag(values, value, entry + 8, order)
    except struct.error:
        pass
    return None
