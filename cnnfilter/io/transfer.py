"""What of the metadata of a file goes on into another, and what is dropped, and why."""

import re
import struct
from collections.abc import Mapping, Sequence

from cnnfilter.arrays import Array
from cnnfilter.io import exif
from cnnfilter.io.exif import Resolution, Text
from cnnfilter.io.formats import Format
from cnnfilter.io.metadata import Metadata
from cnnfilter.io.photoshop import name_resources
from cnnfilter.io.tags import ORIENTATION, Directory, read_directories, read_directory

_WIDTH, _HEIGHT, _EXIF_WIDTH, _EXIF_HEIGHT = 256, 257, 0xA002, 0xA003  # EXIF 2.32, sections 4.6.4 and 4.6.5
_COLOUR_SPACE, _SIGNATURE = slice(16, 20), slice(36, 40)  # of an ICC profile (ICC.1:2022, section 7.2)


def carry_over(
    metadata: Metadata, format_: Format, pixels: Array, *, frames: bool = False
) -> tuple[Metadata, tuple[str, ...]]:
    """Return what a file of a format, or an animation, says of pixels that are upright, and what is dropped, and why.

    EXIF gets the size of the pixels and loses the old thumbnail; a profile stays with its colour model.
    """
    if not any(metadata):
        return metadata, ()
    notes: list[str] = []
    if not format_.metadata or (frames and format_.name == "AVIF"):
        names, what = _name_parts(metadata), f"animations of {format_.name}" if frames else format_.name
        return Metadata(), (f"{_join(names)} dropped: not written into {what}",) if names else ()
    if metadata.others:
        notes.append(f"{_join(metadata.others)} dropped: not carried from file to file")
    height, width = pixels.shape[:2]
    kept = metadata._replace(others=(), exif=update_exif(metadata.exif, height, width) if metadata.exif else b"")
    if metadata.exif and not kept.exif:
        notes.append("EXIF dropped: it is damaged")
    if note := _check_profile(metadata.profile, format_, pixels):
        kept = kept._replace(profile=b"")
        notes.append(note)
    kept, lost = _place_texts(kept._replace(xmp=_update_xmp(metadata.xmp, height, width)), format_)
    if format_.name not in _HOLDING_RESOURCES:
        kept, lost = kept._replace(resources=b""), [*lost, *name_resources(kept.resources)]
    if lost:
        notes.append(f"{_join(lost)} dropped: not written into {format_.name}")
    if kept.resolution and format_.name in _RESOLUTION_IN_EXIF:
        kept = kept._replace(exif=_tell_resolution(kept.exif, kept.resolution), resolution=None)
    if format_.name == "JPEG":
        kept = _fit_segments(kept, notes)
    return kept, tuple(notes)


def carry_over_pages(
    each: Sequence[Metadata], format_: Format, pages: Sequence[Array]
) -> tuple[list[Metadata], tuple[str, ...]]:
    """Return what a file of several pages says beside each, and what is dropped; an animation has one for all.

    There may be more pages than metadata: of an animation each page gets what tells of its pixels.
    """
    shared = each[0]._replace(exif=b"", xmp=b"", texts=(), resources=b"", others=())
    each, frames, lost = [*each, *[shared] * (len(pages) - len(each))], format_.pages == "frames", list[str]()
    if frames:
        if any(own and own != first for page in each[1:] for own, first in zip(page, each[0], strict=True)):
            lost.append("the metadata of pages after the first dropped: an animation has one for all")
        each = each[:1]
    kept: list[Metadata] = []
    for metadata, pixels in zip(each, pages, strict=False):
        held, notes = carry_over(metadata, format_, pixels, frames=frames)
        kept.append(held)
        lost += notes
    return kept, tuple(dict.fromkeys(lost))


_RESOLUTION_IN_EXIF, _HOLDING_RESOURCES = {"WebP", "AVIF"}, {"JPEG", "TIFF"}

_TEXT_TAGS = {
    "Description": exif.DESCRIPTION,
    "Author": exif.ARTIST,
    "Copyright": exif.COPYRIGHT,
    "Software": exif.SOFTWARE,
    "Comment": exif.DESCRIPTION,
}
"""Which tag of EXIF and TIFF takes a text of PNG, by its keyword, where it is free."""

_SEGMENT = 65_533  # bytes in a segment of a JPEG
_LONGEST_PROFILE = 255 * (_SEGMENT - 14)
_SRGB = {b"gAMA": (45_455,), b"cHRM": (31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000)}
_NEAR = 500  # 100,000ths


def _join(names: Sequence[str]) -> str:
    """Return names as one writes them in a sentence."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _name_parts(metadata: Metadata) -> list[str]:
    """Return what there is, as messages name it."""
    parts = {"EXIF": metadata.exif, "the colour profile": metadata.profile, "XMP": metadata.xmp}
    found = [name for name, block in parts.items() if block]
    if resolution := metadata.resolution:
        unit = " dpi" if resolution.is_per_inch else ""
        by = "x".join(f"{round(number, 1):g}" for number in dict.fromkeys(resolution[:2]))
        found.append(f"the {'resolution' if unit else 'pixel aspect'} ({by}{unit})")
    texts, resources = _name_texts(metadata.texts), name_resources(metadata.resources)
    return [*found, *texts, *_name_colours(metadata), *resources, *metadata.others]


def _name_texts(texts: Sequence[Text]) -> list[str]:
    """Return the names of texts: a comment, and others by their keywords."""
    keywords = [*dict.fromkeys(text.keyword for text in texts if text.keyword != "Comment")]
    comment = ["the comment"] if any(text.keyword == "Comment" for text in texts) else []
    return comment + ([f"the text{'s' * (len(keywords) > 1)} {_join(keywords)}"] if keywords else [])


def _name_colours(metadata: Metadata) -> list[str]:
    """Return the name of a colour space that only PNG tells so, and that is not sRGB."""
    names = [chunk[:4].decode() for chunk in metadata.colours if not _is_plain(chunk)]
    if metadata.profile or any(chunk.startswith(b"sRGB") for chunk in metadata.colours) or not names:
        return []
    return [f"the colour space ({', '.join(names)})"]


def _is_plain(chunk: bytes) -> bool:
    """Return whether the gamma or the primaries in a chunk of a PNG are those of sRGB, or nearly so."""
    usual = _SRGB.get(chunk[:4], ())
    numbers = struct.unpack(f">{len(usual)}I", chunk[4:]) if usual else ()
    return bool(usual) and all(abs(number - mean) <= _NEAR for number, mean in zip(numbers, usual, strict=True))


def _check_profile(profile: bytes, format_: Format, pixels: Array) -> str:
    """Return why a profile cannot go on, or nothing."""
    if not profile:
        return ""
    if profile[_SIGNATURE] != b"acsp":
        return "the colour profile dropped: it is damaged"
    space = b"GRAY" if pixels.ndim == 2 or pixels.shape[2] == 1 else b"RGB "
    if profile[_COLOUR_SPACE] != space:
        theirs = profile[_COLOUR_SPACE].decode("ascii", "replace").strip()
        return f"the colour profile dropped: it is one for {theirs}, and the result is not"
    if space == b"GRAY" and format_.name == "WebP":
        return "the colour profile dropped: it is one for grey, and WebP has colours only"
    return ""


def _place_texts(metadata: Metadata, format_: Format) -> tuple[Metadata, list[str]]:
    """Return metadata whose texts and colour chunks have a place in a format, perhaps in EXIF, and what has none."""
    if format_.name == "PNG":
        return metadata, []
    own, left, entries = list[Text](), list[Text](), dict[int, exif.Entry]()
    present = exif.read_first_entries(metadata.exif) if metadata.texts else {}
    for text in metadata.texts:
        keyword = text.keyword.capitalize()
        tag = _TEXT_TAGS.get(keyword)
        if keyword == "Comment" and format_.name == "JPEG" and len(text.value) <= _SEGMENT:
            own.append(text)
        elif tag and tag not in present and tag not in entries:
            entries[tag] = exif.write_text(text.value)
        else:
            left.append(text)
    colours = tuple(chunk for chunk in metadata.colours if format_.name == "AVIF" and chunk.startswith(b"cICP"))
    lost = [*_name_texts(left), *([] if colours else _name_colours(metadata))]
    block = _add_to_exif(metadata.exif, entries) if entries else metadata.exif
    return metadata._replace(texts=tuple(own), colours=colours, exif=block), lost


def _fit_segments(metadata: Metadata, notes: list[str]) -> Metadata:
    """Return metadata without the blocks that are longer than a segment of a JPEG, or than all that a profile has."""
    exif_, xmp, profile = metadata.exif, metadata.xmp, metadata.profile
    if len(profile) > _LONGEST_PROFILE:
        notes.append(f"the colour profile dropped: it has {len(profile)} bytes, and a JPEG holds {_LONGEST_PROFILE}")
        profile = b""
    if len(exif_) > (most := _SEGMENT - 6):
        notes.append(f"EXIF dropped: it has {len(exif_)} bytes, and a JPEG holds {most}")
        exif_ = b""
    if len(xmp) > (most := _SEGMENT - 29):
        notes.append(f"XMP dropped: it has {len(xmp)} bytes, and a JPEG holds {most}")
        xmp = b""
    return metadata._replace(exif=exif_, xmp=xmp, profile=profile)


def _add_to_exif(block: bytes, entries: Mapping[int, exif.Entry]) -> bytes:
    return bytes(exif.add_entries(block, [entries])) if block else exif.build_block(entries)


def _tell_resolution(block: bytes, resolution: Resolution) -> bytes:
    """Return EXIF that tells a resolution."""
    if block and exif.read_resolution(exif.read_first_entries(block)) == resolution:
        return block
    return _add_to_exif(block, exif.write_resolution(resolution))


def update_exif(block: bytes, height: int, width: int) -> bytes:
    """Return EXIF of a picture that is upright now, has another size perhaps, and no longer the old thumbnail.

    Nothing is returned where the block is damaged.
    """
    first = next(read_directories(block), None)
    if first is None or first.form[1] != "I":  # BigTIFF
        return b""
    changed = bytearray(block)
    if first.number(ORIENTATION) in {5, 6, 7, 8}:
        _exchange(changed, first, *exif.RESOLUTION[:2])
    first.rewrite(changed, {ORIENTATION: 1, _HEIGHT: height, _WIDTH: width})
    if place := first.number(exif.DETAILS):
        try:
            read_directory(block, place).rewrite(changed, {_EXIF_HEIGHT: height, _EXIF_WIDTH: width})
        except struct.error:
            return b""
    end = first.link + struct.calcsize(first.form)
    if end <= len(changed):
        changed[first.link : end] = bytes(end - first.link)
    return bytes(changed) if changed[:8] == block[:8] else b""  # else some values lay over the block's head


def _exchange(block: bytearray, directory: Directory, one: int, other: int) -> None:
    """Exchange the values of two tags in a block, if each is a fraction."""
    tags = [directory.tags.get(tag) for tag in (one, other)]
    places = [tag.offset for tag in tags if tag and struct.calcsize(tag.form) == 8 and tag.offset + 8 <= len(block)]
    if len(places) == 2:
        values = [block[place : place + 8] for place in places]
        for place, value in zip(places, reversed(values), strict=True):
            block[place : place + 8] = value


def _update_xmp(xmp: bytes, height: int, width: int) -> bytes:
    """Return XMP of a picture that is upright now, and has another size perhaps, and that is all there is."""
    xmp = xmp.rstrip(b"\0")
    names = {
        b"tiff:Orientation": 1,
        b"tiff:ImageLength": height,
        b"tiff:ImageWidth": width,
        b"exif:PixelYDimension": height,
        b"exif:PixelXDimension": width,
    }
    for name, value in names.items():
        xmp = re.sub(b"(" + name + rb"""(?:>|\s*=\s*["'])\s*)\d+""", rb"\g<1>%d" % value, xmp)
    return re.sub(rb"""xmpNote:HasExtendedXMP\s*=\s*(["']).*?\1""", b"", xmp)
