"""Netpbm's formats and PFM: what their heads say, and their pixels.

| magic    | format        | samples                                                                     |
|----------|---------------|-----------------------------------------------------------------------------|
| P1, P4   | PBM           | bits, 1 is black                                                            |
| P2, P5   | PGM           | grey, 0 to a greatest value from 1 to 65535, spread to 255 or 65535         |
| P3, P6   | PPM           | red, green, blue, the same                                                  |
| P7       | PAM           | one to four channels, the same; the second and the fourth are alpha         |
| Pf, PF   | PFM           | floats in either order of bytes, rows from the bottom; the scale is not used |

P1 to P3 are texts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cnnfilter.errors import ImageFileError
from cnnfilter.io.atomic import Pieces
from cnnfilter.io.colours import spread
from cnnfilter.io.opencv import call_opencv, cv2, explain_failure
from cnnfilter.io.signatures import not_supported

if TYPE_CHECKING:
    from cnnfilter.arrays import Array

_LONGEST_HEAD = 65_536

_GAP = rb"(?:\s|#[^\n]*\n)*"

_NUMBER = _GAP + rb"(\d{1,10})"

_ENDING = rb"(?:\s|#[^\n]*\n)"

_HEADS = {
    b"14": rb"P[14]" + 2 * _NUMBER + _ENDING,
    b"2356": rb"P[2356]" + 3 * _NUMBER + _ENDING,
    b"fF": rb"P[fF]" + 2 * _NUMBER + _GAP + rb"([-+]?[\d.]+(?:[eE][-+]?\d+)?)[^\n]*\n",
}
"""Patterns of heads by the second byte of a file."""

_PAM_LINE = re.compile(rb"^(WIDTH|HEIGHT|DEPTH|MAXVAL)[ \t]+(\d{1,10})\s*$", re.MULTILINE)

_PAM_TYPE = re.compile(rb"^TUPLTYPE[ \t]+(\S+)", re.MULTILINE)


class Netpbm(NamedTuple):
    """What the head of a file says."""

    kind: str  # its second byte
    height: int = 0
    width: int = 0
    samples: int = 1  # of a pixel
    white: int = 1  # the greatest sample
    scale: float = 1  # of floats, whose sign says that the lowest byte is first; programs do not agree on its size
    place: int = 0  # where the samples begin
    refusal: str = ""

    @property
    def channels(self) -> int:
        """The channels of its image: grey with alpha becomes colours."""
        return 4 if self.samples == 2 else self.samples

    @property
    def dtype(self) -> np.dtype:
        """The type of a sample in the file."""
        if self.kind in "fF":
            return np.dtype("<f4" if self.scale < 0 else ">f4")
        return np.dtype("u1" if self.white < 256 else ">u2")

    @property
    def size(self) -> int:
        """The bytes that the samples take, at least: two for each in texts but for bits."""
        if self.kind == "4":
            return (self.width + 7) // 8 * self.height
        count = self.height * self.width * self.samples
        return count * self.dtype.itemsize if self.kind in "567fF" else count if self.kind == "1" else 2 * count - 1


NAMES = {"1": "PBM", "4": "PBM", "2": "PGM", "5": "PGM", "3": "PPM", "6": "PPM", "7": "PAM", "f": "PFM", "F": "PFM"}


def read_netpbm(data: bytes) -> Netpbm:
    """Return what the head of a file says."""
    head = data[:_LONGEST_HEAD]
    kind = head[1:2].decode("latin-1") or "6"
    found = _read_pam(head) if kind == "7" else _read_numbers(head, kind)
    if found is None:
        ending = "is cut off (in its head)" if len(data) < 16 else "is damaged: its head has no size"
        return Netpbm(kind, refusal=f"the {NAMES[kind]} {ending}")
    return found._replace(refusal=found.refusal or _find_refusal(found, len(data)))


def _read_numbers(head: bytes, kind: str) -> Netpbm | None:
    """Return what the numbers of a head say that are known by their places, or None if they are missing."""
    pattern = next(pattern for kinds, pattern in _HEADS.items() if kind.encode() in kinds)
    match = re.match(pattern, head)
    if not match:
        return None
    width, height, *rest = match.groups()
    samples = 3 if kind in "36F" else 1
    found = Netpbm(kind, int(height), int(width), samples, place=match.end())
    if kind in "fF":
        return found._replace(scale=float(rest[0]))
    return found._replace(white=int(rest[0])) if rest else found


def _read_pam(head: bytes) -> Netpbm | None:
    """Return what the named lines of a PAM say, or None if some are missing."""
    end = head.find(b"ENDHDR\n")
    found = {name: int(number) for name, number in _PAM_LINE.findall(head[: max(0, end)])}
    if len(found) < 4:
        return None
    samples = found[b"DEPTH"]
    header = Netpbm("7", found[b"HEIGHT"], found[b"WIDTH"], samples, found[b"MAXVAL"], place=end + len(b"ENDHDR\n"))
    type_ = _PAM_TYPE.search(head[:end])
    if type_ and type_[1].startswith(b"CMYK"):
        return header._replace(refusal=not_supported("PAM of the type CMYK"))
    return header._replace(refusal=not_supported(f"PAM of {samples} channels")) if samples > 4 else header


def _find_refusal(found: Netpbm, length: int) -> str:
    """Return why a file of a length is not read, or nothing."""
    numbers = found.height, found.width, found.samples, found.scale
    if not all(numbers) or not 1 <= found.white <= 65_535:
        return f"the {NAMES[found.kind]} is damaged: its head holds impossible numbers"
    return f"the {NAMES[found.kind]} is cut off" if found.place + found.size > length else ""


def find_second(data: bytes, found: Netpbm) -> tuple[str, ...]:
    """Return a note if another image follows the samples of one, or none."""
    follows = found.kind not in "123" and re.match(
        rb"P[1-7][\s#]", data[found.place + found.size : found.place + found.size + 3]
    )
    return (f"the {NAMES[found.kind]} holds more than one image, and the first is read",) if follows else ()


def decode_netpbm(data: bytes, name: str) -> Array:
    """Return the pixels, (H, W), (H, W, 3) RGB or (H, W, 4) RGBA; `ImageFileError` if they are cut off or damaged.

    Those of 8 bits are where they are in the data, and cannot be written to.
    """
    found = read_netpbm(data)
    if found.kind in "123":
        return _decode_text(data, found, name)
    if found.kind == "4":
        rows = np.frombuffer(data, np.uint8, found.size, found.place).reshape(found.height, -1)
        return 255 - 255 * np.unpackbits(rows, axis=1, count=found.width)
    count = found.height * found.width * found.samples
    samples = np.frombuffer(data, found.dtype, count, found.place).reshape(found.height, found.width, found.samples)
    pixels = (samples[::-1] if found.kind in "fF" else samples).astype(
        found.dtype.newbyteorder("="), order="C", copy=False
    )
    pixels = pixels if found.kind in "fF" else spread(pixels, found.white)
    if found.samples == 2:
        return np.ascontiguousarray(pixels[:, :, [0, 0, 0, 1]])
    return pixels[:, :, 0] if found.samples == 1 else pixels


def encode_netpbm(pixels: Array) -> Pieces:
    r"""Return a PGM of (H, W) or a PPM of (H, W, 3) pixels, uint8 or uint16.

    Examples
    --------
    >>> bytes(encode_netpbm(np.array([[1, 2]], dtype=np.uint16)))
    b'P5\n2 1\n65535\n\x00\x01\x00\x02'
    """
    height, width = pixels.shape[:2]
    head = f"P{5 if pixels.ndim == 2 else 6}\n{width} {height}\n{np.iinfo(pixels.dtype).max}\n"
    samples = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">"))
    return Pieces([head.encode(), samples.reshape(-1).view(np.uint8).data])


def _decode_text(data: bytes, found: Netpbm, name: str) -> Array:
    """Return the pixels of a text.

    OpenCV reads its last number only if something follows, and rounds down what it spreads to 8 bits, so that 255 is
    told to it as the greatest.
    """
    white = "" if found.kind == "1" else f" {max(255, found.white)}"
    plain = f"P{found.kind} {found.width} {found.height}{white}\n".encode() + data[found.place :] + b"\n"
    buffer = np.frombuffer(plain, np.uint8)
    pixels, lines = call_opencv(NAMES[found.kind], name, lambda: cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED))
    if pixels is None:
        is_cut = len(data[found.place :].split()) < found.height * found.width * found.samples
        reason = f"the {NAMES[found.kind]} is cut off" if is_cut else explain_failure(NAMES[found.kind], lines)
        raise ImageFileError(reason, path=name)
    pixels = pixels if found.kind == "1" else spread(pixels, found.white)
    return pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
