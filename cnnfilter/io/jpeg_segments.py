"""Metadata in the segments of JPEG, before its first scan.

ITU-T T.81 (annex B), JFIF 1.02, ICC.1:2022 (annex B), XMP (part 3).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from cnnfilter.io.exif import Resolution, Text
from cnnfilter.io.metadata import EXIF_START, Metadata
from cnnfilter.io.photoshop import keep_resources

_JFIF, _XMP, _XMP_MORE = b"JFIF\0", b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
_ICC, _PHOTOSHOP = b"ICC_PROFILE\0", b"Photoshop 3.0\0"
_PROFILE_PART = 65_519  # bytes of a profile in a segment: 65,535 without its length, the name, a number and a count
_RESOURCES_PART = 65_533 - len(_PHOTOSHOP)
_COMMENT = 0xFE

_OTHER_SEGMENTS = {
    (0xE1, _XMP_MORE): "the extension of XMP",
    (0xE2, b"urn:iso:std:iso:ts:21496:-1"): "the gain map",
}

_END, SCAN = 0xD9, 0xDA
_ALONE = {1, *range(0xD0, 0xDB)}  # markers without contents, or without any that matter here


class Segment(NamedTuple):
    """A marker, and where what is behind it begins and ends."""

    marker: int
    start: int
    end: int
    gap: int  # bytes before it that belong to nothing, counted as libjpeg does


def list_segments(data: bytes) -> Iterator[Segment]:
    """Yield the segments of a JPEG up to its first scan, which is the last, or as far as they can be read."""
    place, marker = 2, 0
    with suppress(struct.error, IndexError):
        while marker not in {_END, SCAN}:
            gap = 0
            while data[place] != 0xFF or data[place + 1] in {0x00, 0xFF}:
                step = 2 if data[place] == 0xFF and data[place + 1] == 0 else 1
                gap += step if data[place] != 0xFF or step == 2 else 0
                place += step
            marker, start = data[place + 1], place + 2
            place = start if marker in _ALONE else start + struct.unpack_from(">H", data, start)[0]
            yield Segment(marker, min(start + 2, place), place, gap)


def read_jpeg(data: bytes, segments: Iterable[Segment]) -> Metadata:
    """Return what the segments of a JPEG say beside its pixels."""
    found, parts = Metadata(), list[tuple[int, int, bytes]]()
    texts, others, resources = list[Text](), list[str](), b""
    for marker, start, end, _ in segments:
        if marker < 0xE0:
            continue
        body = data[start:end]
        if marker == 0xE0 and body.startswith(_JFIF) and len(body) >= 12:
            found = found._replace(resolution=_read_density(*struct.unpack_from(">BHH", body, 7)))
        elif marker == 0xE1 and body.startswith(EXIF_START):
            found = found._replace(exif=found.exif or body[len(EXIF_START) :])
        elif marker == 0xE1 and body.startswith(_XMP):
            found = found._replace(xmp=found.xmp or body[len(_XMP) :])
        elif marker == 0xE2 and body.startswith(_ICC) and len(body) > len(_ICC) + 2:
            parts.append((body[len(_ICC)], body[len(_ICC) + 1], body[len(_ICC) + 2 :]))
        elif marker == 0xED and body.startswith(_PHOTOSHOP):
            resources += body[len(_PHOTOSHOP) :]
        elif marker == _COMMENT:
            texts.append(Text("Comment", body))
        else:
            others += [
                name for (kind, sign), name in _OTHER_SEGMENTS.items() if marker == kind and body.startswith(sign)
            ]
    parts.sort()
    if [part[:2] for part in parts] == [(number, len(parts)) for number in range(1, len(parts) + 1)]:
        found = found._replace(profile=b"".join(part for _, _, part in parts))
    else:
        others.append("an incomplete colour profile")
    others = [*dict.fromkeys(others)]
    return found._replace(texts=tuple(texts), resources=keep_resources(resources), others=tuple(others))


def _read_density(unit: int, across: int, down: int) -> Resolution | None:
    if not across or not down or (unit not in {1, 2} and across == down):
        return None
    scale = 2.54 if unit == 2 else 1
    return Resolution(across * scale, down * scale, unit in {1, 2})


_AS_NEAR = 0.02
"""So many dots by the inch do not count: PNG counts whole ones by the metre."""


def _write_density(resolution: Resolution) -> bytes:
    """Return JFIF's unit and two whole numbers, by the inch, or by the centimetre where these come nearer."""
    across, down = resolution[:2]
    if not resolution.is_per_inch:
        from fractions import Fraction  # noqa: PLC0415  seldom needed, and slow to load

        ratio = Fraction(across / down).limit_denominator(255)
        return struct.pack(">BHH", 0, min(ratio.numerator, 65_535), ratio.denominator)
    inches, centimetres = (
        max(abs(round(n / length) - n / length) * length for n in (across, down)) for length in (1, 2.54)
    )
    unit = 1 if inches < _AS_NEAR or inches <= centimetres else 2
    whole = (min(max(1, round(number / (2.54 if unit == 2 else 1))), 65_535) for number in (across, down))
    return struct.pack(">BHH", unit, *whole)


def write_jpeg(data: bytes | memoryview, metadata: Metadata) -> bytes:
    """Insert segments behind the first one, JFIF's, as OpenCV writes it, which tells the resolution."""
    (length,) = struct.unpack_from(">H", data, 4)
    first = bytearray(data[: 4 + length])
    if metadata.resolution:
        first[13:18] = _write_density(metadata.resolution)
    bodies: list[tuple[int, bytes]] = []
    if metadata.exif:
        bodies.append((0xE1, EXIF_START + metadata.exif))
    if metadata.xmp:
        bodies.append((0xE1, _XMP + metadata.xmp))
    starts = range(0, len(metadata.profile), _PROFILE_PART)
    for number, start in enumerate(starts, 1):
        head = _ICC + bytes([number, len(starts)])
        bodies.append((0xE2, head + metadata.profile[start : start + _PROFILE_PART]))
    starts = range(0, len(metadata.resources), _RESOURCES_PART)
    bodies += [(0xED, _PHOTOSHOP + metadata.resources[start : start + _RESOURCES_PART]) for start in starts]
    bodies += [(_COMMENT, text.value) for text in metadata.texts]
    segments = [struct.pack(">BBH", 0xFF, marker, 2 + len(body)) + body for marker, body in bodies]
    return b"".join([first, *segments, data[4 + length :]])
