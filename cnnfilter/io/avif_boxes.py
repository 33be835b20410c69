"""AVIF: what the boxes of a file say of its image or sequence (ISO/IEC 23008-12 and 14496-12, AV1-ISOBMFF)."""

import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from cnnfilter.io.boxes import find_box, list_associations, list_boxes

Properties = dict[bytes, int]
"""The properties of an item: where the contents of each box begin, by its name, that of `colr` with its type."""

_ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")
_ENTRY_HEAD = 78  # bytes of a visual sample entry before its boxes (14496-12, section 12.1.3)

_ORIENTATIONS = ((1, 8, 3, 6), (4, 5, 2, 7), (2, 7, 4, 5))
"""By the axis of `imir`, none, horizontal or vertical, and the quarter turns to the left of `irot` before it."""


_MATRICES = {
    10: "BT.2020 of constant luminance",
    11: "SMPTE ST 2085",
    13: "of constant luminance",
    14: "ICtCp",
    15: "IPT-C2",
    16: "YCgCo-Re",
    17: "YCgCo-Ro",
}
"""Those that libavif does not convert, by their numbers (ITU-T H.273, table 4)."""


_MOST_PIXELS = 16384 * 16384
"""What libavif decodes (AVIF_DEFAULT_IMAGE_SIZE_LIMIT)."""


class Crop(NamedTuple):
    """The part of the decoded image that is shown."""

    top: int
    left: int
    height: int
    width: int


class AvifImage(NamedTuple):
    """What a file says of its main image, or of its sequence."""

    height: int  # as it is decoded
    width: int
    bits: int = 8
    is_grey: bool = False
    main: int = 0  # the number of the item
    alpha: int = 0  # that of its alpha, 0 where there is none; of a sequence 1 where there is one
    is_multiplied: bool = False  # whether the colours were multiplied by alpha
    orientation: int = 1
    crop: Crop | None = None
    frames: int = 1
    is_limited: bool | None = None  # whether the levels are those of video, if a box says so
    refusal: str = ""  # what of it is not supported

    @property
    def black(self) -> int:
        """The level of black, once it has been decoded."""
        return 16 << self.bits - 8 if self.is_grey and self.is_limited else 0

    @property
    def white(self) -> int:
        """The level of white, once it has been decoded."""
        return 235 << self.bits - 8 if self.is_grey and self.is_limited else (1 << self.bits) - 1

    @property
    def channel_count(self) -> int:
        """How many channels the pixels have."""
        return 4 if self.alpha else 1 if self.is_grey else 3


def read_avif(data: bytes) -> AvifImage:
    """Return what a file says; `ValueError` where it does not."""
    is_sequence = data[8:12] == b"avis" or not find_box(data, b"meta")[1]
    try:
        return _read_sequence(data) if is_sequence and find_box(data, b"moov")[1] else _read_image(data)
    except (struct.error, IndexError, KeyError, StopIteration) as error:
        raise ValueError("its boxes are cut off or damaged") from error


def _read_image(data: bytes) -> AvifImage:
    start, _ = find_box(data, b"meta", b"pitm")
    main = int.from_bytes(data[start + 4 : start + (8 if data[start] else 6)])
    properties, links = _read_properties(data), list(_list_references(data))
    own = properties[main]
    parts = [target for name, source, target in links if name == b"dimg" and source == main]
    coding = next(properties[item][b"av1C"] for item in [main, *parts] if b"av1C" in properties.get(item, {}))
    width, height = struct.unpack_from(">II", data, own[b"ispe"] + 4)
    bits, is_grey = _read_coding(data, coding)
    alphas = [
        source
        for name, source, target in links
        if name == b"auxl" and target in {main, *parts} and _is_alpha(data, properties.get(source, {}))
    ]
    turns = data[own[b"irot"]] & 3 if b"irot" in own else 0
    mirror = 1 + (data[own[b"imir"]] & 1) if b"imir" in own else 0
    is_multiplied = any(name == b"prem" and source == main for name, source, _ in links)
    image = AvifImage(height, width, bits, is_grey, main, max(alphas, default=0), is_multiplied)
    image = image._replace(orientation=_ORIENTATIONS[mirror][turns])
    if height * width > _MOST_PIXELS:
        return image._replace(refusal=f"more than {_MOST_PIXELS:,} pixels")
    if any(alpha and b"ispe" not in properties[alpha] for alpha in alphas):
        return image._replace(refusal="alpha that has no size (a box ispe)")
    if b"colrnclx" in own:
        image = _read_colours(data, own[b"colrnclx"], image)
    return _find_crop(data, own[b"clap"], image) if b"clap" in own else image


def _read_coding(data: bytes, place: int) -> tuple[int, bool]:
    """Return the bits of `av1C`, and whether it is grey (AV1-ISOBMFF, section 2.3.3)."""
    flags = data[place + 2]
    return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10, bool(flags & 0x10)


def _read_colours(data: bytes, place: int, image: AvifImage) -> AvifImage:
    """Return the image with what a box `colr` of the type `nclx` says (14496-12, section 12.1.5)."""
    matrix = _MATRICES.get(int.from_bytes(data[place + 8 : place + 10]))
    is_limited = not data[place + 10] & 0x80
    return image._replace(is_limited=is_limited, refusal=f"the colour matrix {matrix}" if matrix else "")


def _is_alpha(data: bytes, properties: Properties) -> bool:
    place = properties.get(b"auxC")
    return place is not None and any(data[place + 4 : place + 5 + len(name)] == name + b"\0" for name in _ALPHA)


def _find_crop(data: bytes, place: int, image: AvifImage) -> AvifImage:
    """Return the image with what `clap` shows of it (14496-12, section 12.1.4): a size, and offsets of the centre."""
    numbers = struct.unpack_from(">IIIIiIiI", data, place)
    if not all(numbers[1::2]):
        return image._replace(refusal="a damaged clean aperture")
    width, height, right, down = (Fraction(*pair) for pair in zip(numbers[::2], numbers[1::2], strict=True))
    left = right + Fraction(image.width - width) / 2
    top = down + Fraction(image.height - height) / 2
    if any(number.denominator != 1 for number in (width, height, left, top)):
        return image._replace(refusal="a clean aperture between pixels")
    crop = Crop(int(top), int(left), int(height), int(width))
    if min(crop) < 0 or top + height > image.height or left + width > image.width or not height or not width:
        return image._replace(refusal="a clean aperture beyond the image")
    return image._replace(crop=crop)


def _read_properties(data: bytes) -> dict[int, Properties]:
    """Return the properties of each item (23008-12, section 9.3)."""
    boxes = [(name, start) for name, start, _ in list_boxes(data, *find_box(data, b"meta", b"iprp", b"ipco"))]
    found: dict[int, Properties] = {}
    for place in list_associations(data):
        for item, index in _read_associations(data, place):
            if 0 < index <= len(boxes):
                name, start = boxes[index - 1]
                name += data[start : start + 4] if name == b"colr" else b""
                found.setdefault(item, {})[name] = start
    return found


def _read_associations(data: bytes, place: int) -> Iterator[tuple[int, int]]:
    """Yield the number of an item and that of a property of it, from 1, for each association of a box `ipma`."""
    version, flags, count = data[place], data[place + 3], int.from_bytes(data[place + 4 : place + 8])
    place += 8
    item_size, size = 4 if version else 2, 2 if flags & 1 else 1
    for _ in range(count):
        item = int.from_bytes(data[place : place + item_size])
        place += item_size + 1
        for _ in range(data[place - 1]):
            yield item, int.from_bytes(data[place : place + size]) & (0x7FFF if size == 2 else 0x7F)
            place += size


def _list_references(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each reference, and the numbers of its two items (14496-12, section 8.11.12)."""
    start, end = find_box(data, b"meta", b"iref")
    form = ">I" if end and data[start] else ">H"
    size = struct.calcsize(form)
    for name, place, _ in list_boxes(data, start + 4, end):
        (source,), (count,) = struct.unpack_from(form, data, place), struct.unpack_from(">H", data, place + size)
        for number in range(count):
            yield name, source, *struct.unpack_from(form, data, place + size + 2 + number * size)


def _read_sequence(data: bytes) -> AvifImage:
    """Return what the track of a sequence says, and whether another one is its alpha."""
    image, has_alpha = None, False
    for name, start, end in list_boxes(data, *find_box(data, b"moov")):
        if name != b"trak":
            continue
        media = _find(data, start, end, b"mdia")
        kind = data[(place := _find(data, *media, b"hdlr")[0]) + 8 : place + 12]
        table = _find(data, *_find(data, *media, b"minf"), b"stbl")
        entries = list(list_boxes(data, _find(data, *table, b"stsd")[0] + 8, table[1]))
        if not entries or entries[0][0] != b"av01":
            continue
        if kind == b"auxv":
            auxiliary = {box: at for box, at, _ in list_boxes(data, entries[0][1] + _ENTRY_HEAD, entries[0][2])}
            place = auxiliary.get(b"auxi", 0)
            has_alpha = has_alpha or not place or _is_alpha(data, {b"auxC": place})
        elif kind == b"pict" and image is None:
            _, place, stop = entries[0]
            width, height = struct.unpack_from(">HH", data, place + 24)
            bits, is_grey = _read_coding(data, _find(data, place + _ENTRY_HEAD, stop, b"av1C")[0])
            (frames,) = struct.unpack_from(">I", data, _find(data, *table, b"stsz")[0] + 8)
            image = AvifImage(height, width, bits, is_grey, frames=frames)
            for box, colours, _ in list_boxes(data, place + _ENTRY_HEAD, stop):
                if box == b"colr" and data[colours : colours + 4] == b"nclx":
                    image = _read_colours(data, colours, image)
    if image is None:
        raise ValueError("it has no track of images")
    refusal = "grey and alpha in a sequence" if has_alpha and image.is_grey else ""
    if image.is_grey and image.is_limited is None:
        refusal = "a grey sequence that does not state its range"
    return image._replace(alpha=int(has_alpha), refusal=image.refusal or refusal)


def _find(data: bytes, place: int, end: int, name: bytes) -> tuple[int, int]:
    """Return where the contents of a box begin and end, or raise a `ValueError`."""
    for found, start, stop in list_boxes(data, place, end):
        if found == name:
            return start, stop
    raise ValueError(f"it has no box {name.decode()}")
