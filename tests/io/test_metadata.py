"""EXIF, XMP, colour profiles, the resolution and texts: carried while they stay true, dropped with a word otherwise."""

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, IptcImagePlugin, PngImagePlugin

from cnnfilter.arrays import Array
from cnnfilter.errors import CnnFilterError
from cnnfilter.io.containers import read_metadata
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.encode import encode_image, encode_pages
from cnnfilter.io.exif import Resolution, Text
from cnnfilter.io.formats import find_format
from cnnfilter.io.headers import read_header
from cnnfilter.io.metadata import Metadata
from cnnfilter.io.transfer import carry_over, update_exif
from tests.io import IMAGE_SUFFIXES, exif_of, saved
from tests.io.pngs import chunk, insert

KEEPERS = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP", ".avif": "AVIF", ".tif": "TIFF"}

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GIANT = len(PROFILE + bytes(100_000)).to_bytes(4) + PROFILE[4:] + bytes(100_000)
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" exif:PixelXDimension="40"/></x:xmpmeta>'
)

COLOURS = np.random.default_rng(2).integers(0, 256, (24, 40, 3), dtype=np.uint8)


def profile_for(space: bytes) -> bytes:
    return PROFILE[:16] + space + PROFILE[20:]


def full_exif(orientation: int) -> Any:
    exif = exif_of(orientation)
    exif[0x010F] = "a maker"
    exif.get_ifd(0x8769).update({0xA002: 40, 0xA003: 24, 0x9003: "2020:01:02 03:04:05"})
    exif.get_ifd(0x8825).update({1: "N", 2: (47.0, 30.0, 12.5)})
    return exif


def saved_with_all(format_: str, *, xmp: bytes = XMP, profile: bytes = PROFILE) -> bytes:
    """Return a file of a format with EXIF, XMP, a profile and 300x150 dpi."""
    image, exif = Image.fromarray(COLOURS), full_exif(6 if format_ != "TIFF" else 1)
    options: dict[str, Any] = {"exif": exif, "icc_profile": profile, "dpi": (300, 150), "xmp": xmp}
    if format_ == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode())
    if format_ in {"WEBP", "AVIF"}:
        exif[282], exif[283], exif[296] = 300, 150, 2
    if format_ == "TIFF":  # Pillow leaves out of EXIF what is below its first directory
        del options["exif"]
        below = {0x8769: dict(exif.get_ifd(0x8769)), 0x8825: dict(exif.get_ifd(0x8825))}
        options["tiffinfo"] = {700: xmp, 0x010F: exif[0x010F], **below}
    return saved(image, format_, **options)


def pass_on(data: bytes, suffix: str, pixels: Array | None = None) -> tuple[bytes, tuple[str, ...]]:
    """Return the file that is written of a file, and what is said of what is dropped."""
    image = decode_picture(data, "x")
    pixels = image.pixels if pixels is None else pixels
    kept, notes = carry_over(image.metadata, find_format(f"x{suffix}"), pixels)
    return bytes(encode_image(pixels, f"x{suffix}", metadata=kept)), notes


def passed_on(data: bytes, suffix: str, pixels: Array | None = None) -> Any:
    """Return, as Pillow reads it, the file that is written of a file."""
    return Image.open(io.BytesIO(pass_on(data, suffix, pixels)[0]))


def metadata_of(data: bytes) -> Metadata:
    return read_metadata(data, read_header(data))


def xmp_of(image: Any) -> bytes:
    """Return XMP as Pillow finds it."""
    found = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or image.tag_v2[700]
    return found.encode() if isinstance(found, str) else bytes(found)


def resolution_of(image: Any) -> tuple[float, float]:
    """Return the resolution as Pillow finds it."""
    across, down = image.info.get("dpi") or (image.getexif()[282], image.getexif()[283])
    return round(float(across), 1), round(float(down), 1)


@pytest.mark.parametrize("target", KEEPERS)
@pytest.mark.parametrize("source", KEEPERS)
def test_all_goes_from_any_keeper_to_any_other(source: str, target: str) -> None:
    data = saved_with_all(KEEPERS[source])
    turned = source != ".tif"
    written, notes = pass_on(data, target)
    image: Any = Image.open(io.BytesIO(written))
    assert notes == ()
    exif = image.getexif()
    width, height = (24, 40) if turned else (40, 24)
    assert image.size == (width, height)
    assert exif.get(0x0112, 1) == 1
    assert exif[0x010F] == "a maker"
    details = exif.get_ifd(0x8769)
    assert (details[0xA002], details[0xA003], details[0x9003]) == (width, height, "2020:01:02 03:04:05")
    assert exif.get_ifd(0x8825)[2] == (47.0, 30.0, 12.5)
    assert image.info["icc_profile"] == PROFILE
    assert xmp_of(image) == XMP.replace(b'"6"', b'"1"').replace(b'"40"', b'"%d"' % width)
    assert resolution_of(image) == ((150, 300) if turned else (300, 150))
    assert np.array_equal(decode_picture(written, "x").pixels, decode_picture(plain(data, target), "x").pixels)


def plain(data: bytes, suffix: str) -> bytes:
    """Return the file that is written of a file's pixels alone."""
    return bytes(encode_image(decode_picture(data, "x").pixels, f"x{suffix}"))


@pytest.mark.parametrize("suffix", [suffix for suffix in IMAGE_SUFFIXES if not find_format(f"x{suffix}").metadata])
def test_the_other_formats_get_none_and_it_is_said(suffix: str) -> None:
    given = Metadata(b"II*\0", PROFILE, XMP, Resolution(300, 300), (Text("Title", b"t"),))
    metadata, notes = carry_over(given, find_format(f"x{suffix}"), COLOURS)
    assert metadata == Metadata()
    name = find_format(f"x{suffix}").name
    what = "EXIF, the colour profile, XMP, the resolution (300 dpi) and the text Title"
    assert notes == (f"{what} dropped: not written into {name}",)


@pytest.mark.parametrize(
    ("space", "shape", "suffix", "kept"),
    [
        (b"RGB ", (4, 4, 3), ".png", True),
        (b"RGB ", (4, 4, 4), ".png", True),
        (b"RGB ", (4, 4, 3), ".tif", True),
        (b"RGB ", (4, 4), ".png", False),
        (b"RGB ", (4, 4, 1), ".jpg", False),
        (b"GRAY", (4, 4), ".png", True),
        (b"GRAY", (4, 4), ".webp", False),
        (b"GRAY", (4, 4, 3), ".png", False),
        (b"CMYK", (4, 4, 3), ".jpg", False),
    ],
)
def test_a_profile_stays_with_its_colour_model(space: bytes, shape: tuple[int, ...], suffix: str, kept: bool) -> None:
    metadata, notes = carry_over(
        Metadata(b"", profile_for(space)), find_format(f"x{suffix}"), np.zeros(shape, np.uint8)
    )
    assert bool(metadata.profile) is kept
    assert bool(notes) is not kept


def test_inks_become_colours_without_their_profile() -> None:
    data = saved(Image.fromarray(COLOURS).convert("CMYK"), "JPEG", icc_profile=profile_for(b"CMYK"))
    assert "icc_profile" not in passed_on(data, ".jpg").info


def test_a_profile_for_colours_in_a_grey_png_does_not_go_on() -> None:
    written, notes = pass_on(saved(Image.fromarray(COLOURS).convert("L"), "PNG", icc_profile=PROFILE), ".png")
    assert "icc_profile" not in Image.open(io.BytesIO(written)).info
    assert notes == ("the colour profile dropped: it is one for RGB, and the result is not",)


def test_the_old_thumbnail_is_not_carried() -> None:
    exif = full_exif(1).tobytes().removeprefix(b"Exif\0\0")
    assert exif[:4] == b"MM\0*"
    entries = int.from_bytes(exif[8:10])
    link = 10 + 12 * entries
    linked = exif[:link] + len(exif).to_bytes(4) + exif[link + 4 :] + bytes.fromhex("000000000000")
    metadata, _ = carry_over(Metadata(linked), find_format("x.jpg"), COLOURS)
    assert metadata.exif[link : link + 4] == bytes(4)


@pytest.mark.parametrize(
    ("kind", "offset", "kept"), [(3, 1, True), (5, 26, True), (5, 0, False)], ids=["number", "fraction", "head"]
)
def test_an_orientation_of_a_wrong_type_is_left(kind: int, offset: int, kept: bool) -> None:
    tags = [(274, 3, 1, 6), (282, 5, 1, 60), (283, kind, 1, offset)]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    block = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(40)
    wrong = block.replace(struct.pack("<HHI", 274, 3, 1), struct.pack("<HHI", 274, 5, 1))
    assert update_exif(wrong, 4, 4)
    assert bool(update_exif(block, 4, 4)) is kept


@pytest.mark.parametrize("suffix", KEEPERS)
@pytest.mark.parametrize("exif", [b"", b"junk" * 9, b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\0\x09", b"x" * 90_000])
@pytest.mark.parametrize("profile", [b"", b"junk" * 9, b"\0\0\0\x20" * 60_000], ids=["none", "junk", "giant"])
def test_blocks_that_make_no_sense_do_not_stop_a_picture(suffix: str, exif: bytes, profile: bytes) -> None:
    kept, notes = carry_over(Metadata(exif, profile), find_format(f"x{suffix}"), COLOURS)
    written = encode_image(COLOURS, f"x{suffix}", metadata=kept)
    assert decode_picture(bytes(written), "x").pixels.shape == (24, 40, 3)
    assert ("EXIF dropped: it is damaged" in notes) is bool(exif)
    assert any(note.startswith("the colour profile dropped") for note in notes) is bool(profile)


@pytest.mark.parametrize("target", KEEPERS)
@pytest.mark.parametrize("source", [".jpg", ".png"])
def test_a_profile_of_any_size_goes_on_with_exif(source: str, target: str) -> None:
    image = passed_on(saved_with_all(KEEPERS[source], profile=GIANT), target)
    assert image.info["icc_profile"] == GIANT
    assert image.getexif()[0x010F] == "a maker"


def test_a_profile_is_found_in_segments_in_any_order() -> None:
    data = saved(Image.fromarray(COLOURS), "JPEG", icc_profile=GIANT)
    start = data.index(b"\xff\xe2")
    (length,) = struct.unpack_from(">H", data, start + 2)
    second = start + 2 + length
    (rest,) = struct.unpack_from(">H", data, second + 2)
    end = second + 2 + rest
    swapped = data[:start] + data[second:end] + data[start:second] + data[end:]
    assert metadata_of(swapped).profile == GIANT
    twice = data[:end] + data[second:end] + data[end:]
    assert metadata_of(twice).profile == b""
    lacking = data[:start] + data[second:]
    assert metadata_of(lacking).profile == b""
    assert pass_on(lacking, ".png")[1] == ("an incomplete colour profile dropped: not carried from file to file",)


def test_exif_too_long_for_a_jpeg_is_dropped_and_the_profile_stays() -> None:
    exif = full_exif(1)
    exif[0x010E] = "long" * 20_000
    written, notes = pass_on(saved(Image.fromarray(COLOURS), "PNG", exif=exif, icc_profile=PROFILE), ".jpg")
    info = Image.open(io.BytesIO(written)).info
    assert info["icc_profile"] == PROFILE
    assert "exif" not in info
    assert len(notes) == 1
    assert notes[0].startswith("EXIF dropped: it has 80")
    assert notes[0].endswith("bytes, and a JPEG holds 65527")


def test_a_profile_too_long_for_all_segments_of_a_jpeg_is_dropped() -> None:
    most = 255 * 65_519
    for length in (most, most + 1):
        kept, notes = carry_over(Metadata(profile=PROFILE.ljust(length, b"\0")), find_format("x.jpg"), COLOURS)
        assert bool(notes) is (length > most)
        assert len(metadata_of(bytes(encode_image(COLOURS, "x.jpg", metadata=kept))).profile) % length == 0


@pytest.mark.parametrize("number", [1, 0xFFFF_FFFF, 40, 0x7FFF_FFFF, 15_000_000])
def test_any_resolution_of_a_png_can_be_written_or_is_none(number: int) -> None:
    png = saved(Image.fromarray(COLOURS), "PNG")
    data = insert(png, chunk(b"pHYs", struct.pack(">IIB", number, 40, 1)))
    for suffix in KEEPERS:
        assert passed_on(data, suffix).size == (40, 24)


def test_xmp_too_long_for_a_jpeg_is_dropped_and_goes_on_elsewhere() -> None:
    data = saved_with_all("PNG", xmp=XMP + b" " * 70_000)
    assert "XMP dropped" in pass_on(data, ".jpg")[1][0]
    for suffix in KEEPERS.keys() - {".jpg"}:
        assert len(xmp_of(passed_on(data, suffix))) > 70_000


def test_comments_and_texts_find_their_places() -> None:
    jpeg = saved(Image.fromarray(COLOURS), "JPEG", comment=b"words")
    assert passed_on(jpeg, ".jpg").info["comment"] == b"words"
    assert passed_on(jpeg, ".png").info["Comment"] == "words"
    assert passed_on(jpeg, ".tif").tag_v2[270] == "words"
    assert passed_on(jpeg, ".webp").getexif()[270] == "words"

    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "an author")
    texts.add_text("Description", "what it shows", zip=True)
    texts.add_itxt("Title", "T\u00eete", "fr", "Titre")
    png = saved(Image.fromarray(COLOURS), "PNG", pnginfo=texts)
    image = passed_on(png, ".png")
    assert (image.text["Author"], image.text["Description"]) == ("an author", "what it shows")
    assert (image.text["Title"], image.text["Title"].lang, image.text["Title"].tkey) == ("T\u00eete", "fr", "Titre")
    for suffix, name in ((".jpg", "JPEG"), (".tif", "TIFF"), (".avif", "AVIF")):
        written, notes = pass_on(png, suffix)
        assert notes == (f"the text Title dropped: not written into {name}",)
        exif = Image.open(io.BytesIO(written)).getexif()
        assert (exif[315], exif[270]) == ("an author", "what it shows")


def test_a_description_of_a_tiff_becomes_that_of_exif() -> None:
    tiff = saved(Image.fromarray(COLOURS), "TIFF", tiffinfo={270: "words", 305: "a program", 33432: "nobody"})
    for suffix in KEEPERS:
        exif = passed_on(tiff, suffix).getexif()
        assert (exif[270], exif[305], exif[33432]) == ("words", "a program", "nobody")
    sized = saved(Image.fromarray(COLOURS), "TIFF", tiffinfo={270: '{"shape": [24, 40, 3]}'})
    written, notes = pass_on(sized, ".tif")
    assert 270 not in Image.open(io.BytesIO(written)).getexif()
    assert notes == ("a description with sizes dropped: not carried from file to file",)


def test_texts_in_which_imagemagick_keeps_blocks_are_these_blocks() -> None:
    exif = b"Exif\0\0" + bytes.fromhex("49492a0008000000000000000000")
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Raw profile type exif", f"\nexif\n{len(exif):8}\n{exif.hex()}\n")
    texts.add_text("Raw profile type iptc", "\niptc\n       1\n00\n", zip=True)
    data = saved(Image.fromarray(COLOURS), "PNG", pnginfo=texts)
    written, notes = pass_on(data, ".jpg")
    assert Image.open(io.BytesIO(written)).info["exif"] == exif
    assert notes == ()
    assert pass_on(data, ".webp")[1] == ("IPTC dropped: not written into WebP",)


def test_iptc_and_other_resources_go_among_jpeg_and_tiff_without_the_thumbnail() -> None:
    records = b"\x1c\x02\x78\0\x07caption"
    caption = struct.pack(">4sHHI", b"8BIM", 0x0404, 0, len(records)) + records
    path = b"8BIM" + (2000).to_bytes(2) + b"\x03one" + (3).to_bytes(4) + b"abc\0"
    thumbnail = b"8BIM" + (0x040C).to_bytes(2) + b"\0\0" + (60_000).to_bytes(4) + bytes(60_000)
    resources = thumbnail + caption + path * 5_000
    body = [b"Photoshop 3.0\0" + resources[start : start + 65_000] for start in range(0, len(resources), 65_000)]
    jpeg = saved(Image.fromarray(COLOURS), "JPEG")
    data = jpeg[:20] + b"".join(b"\xff\xed" + (2 + len(part)).to_bytes(2) + part for part in body) + jpeg[20:]
    tiff, notes = pass_on(data, ".tif")
    assert notes == ()
    tags: Any = Image.open(io.BytesIO(tiff)).tag_v2  # type: ignore[attr-defined]
    assert bytes(tags[34377]) == caption + path * 5_000
    assert bytes(tags[33723]) == records
    back, notes = pass_on(tiff, ".jpg")
    assert notes == ()
    found: Any = Image.open(io.BytesIO(back))
    assert IptcImagePlugin.getiptcinfo(found) == {(2, 120): b"caption"}
    assert metadata_of(back) == metadata_of(tiff)
    assert pass_on(data, ".png")[1] == ("IPTC and the paths of Photoshop dropped: not written into PNG",)


def test_xmp_does_not_announce_an_extension_that_is_left_behind() -> None:
    main = b'<rdf:Description xmpNote:HasExtendedXMP="A0" a:b="c"/>'
    data = bytearray(saved(Image.fromarray(COLOURS), "JPEG", xmp=main))
    part = b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32 + struct.pack(">II", 4, 0) + b"more"
    data[20:20] = b"\xff\xe1" + (2 + len(part)).to_bytes(2) + part
    written, notes = pass_on(bytes(data), ".jpg")
    assert metadata_of(written).xmp == b'<rdf:Description  a:b="c"/>'
    assert notes == ("the extension of XMP dropped: not carried from file to file",)


def test_comments_xmp_and_profiles_of_gif_go_on() -> None:
    gif = saved(Image.fromarray(COLOURS), "GIF", comment=b"words")
    blocks = PROFILE[:255], PROFILE[255:510], PROFILE[510:]
    parts = b"".join(bytes([len(part)]) + part for part in blocks)
    xmp = b"\x21\xff\x0bXMP DataXMP" + XMP + b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    data = gif[:-1] + b"\x21\xff\x0bICCRGBG1012" + parts + b"\0" + xmp + b";"
    found = metadata_of(data)
    assert found == Metadata(profile=PROFILE, xmp=XMP, texts=(Text("Comment", b"words"),))
    assert pass_on(data, ".gif")[1] == ("the colour profile, XMP and the comment dropped: not written into GIF",)
    assert passed_on(data, ".jpg").info["comment"] == b"words"


def test_the_resolution_and_the_profile_of_bmp_go_on() -> None:
    bmp = saved(Image.fromarray(COLOURS), "BMP", dpi=(300, 150))
    assert resolution_of(passed_on(bmp, ".png")) == (300, 150)
    assert metadata_of(saved(Image.fromarray(COLOURS), "BMP", dpi=(0, 0))) == Metadata()
    head = struct.pack("<I", 124) + bmp[18:54] + bytes(16) + b"DEBM" + bytes(52)
    end = 124 + len(bmp) - 54
    v5 = (
        bmp[:10] + struct.pack("<I", 138) + head + struct.pack("<II", end, len(PROFILE)) + bytes(4) + bmp[54:] + PROFILE
    )
    assert metadata_of(v5).profile == PROFILE


def test_boxes_of_jpeg_2000_go_on() -> None:
    jp2 = saved(Image.fromarray(COLOURS), "JPEG2000", irreversible=False)
    xmp = bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + XMP
    exif = b"JpgTiffExif->JP2" + full_exif(1).tobytes().removeprefix(b"Exif\0\0")
    size = struct.pack(">4H2b", 300, 254, 150, 254, 4, 4)
    colour = struct.pack(">I4s3s", 11 + len(PROFILE), b"colr", b"\2\0\0") + PROFILE
    resolution = struct.pack(">I4sI4s", 26, b"res ", 18, b"resc") + size
    start = jp2.index(b"colr") - 4
    (length,) = struct.unpack_from(">I", jp2, start)
    body = bytearray(jp2[:start] + colour + resolution + jp2[start + length :])
    head = body.index(b"jp2h") - 4
    body[head : head + 4] = struct.pack(
        ">I", struct.unpack_from(">I", body, head)[0] + len(colour + resolution) - length
    )
    boxes = b"".join(struct.pack(">I4s", 8 + len(box), b"uuid") + box for box in (xmp, exif))
    found = metadata_of(bytes(body) + boxes)
    assert (found.profile, found.xmp, found.exif) == (PROFILE, XMP, exif[16:])
    assert found.resolution
    assert found.resolution[:2] == pytest.approx((150, 300))


@pytest.mark.parametrize("name", [b"cHRM", b"sRGB", b"gAMA"])
def test_chunks_of_another_length_are_not_carried(name: bytes) -> None:
    png = saved(Image.fromarray(COLOURS), "PNG")
    assert metadata_of(insert(png, chunk(name))) == Metadata()


def test_chunks_of_colour_go_from_png_to_png_alone() -> None:
    data = insert(saved(Image.fromarray(COLOURS), "PNG"), chunk(b"gAMA", (55_000).to_bytes(4)))
    assert passed_on(data, ".png").info["gamma"] == 0.55
    assert pass_on(data, ".webp")[1] == ("the colour space (gAMA) dropped: not written into WebP",)


@pytest.mark.parametrize(
    ("red", "gamma", "lost"), [(64_000, 45_455, False), (64_000, 45_000, False), (71_000, 45_455, True)]
)
def test_primaries_of_srgb_are_no_loss(red: int, gamma: int, lost: bool) -> None:
    primaries = struct.pack(">8I", 31_270, 32_900, red, 33_000, 30_000, 60_000, 15_000, 6_000)
    given = Metadata(colours=(b"gAMA" + gamma.to_bytes(4), b"cHRM" + primaries))
    notes = ("the colour space (cHRM) dropped: not written into JPEG",) if lost else ()
    assert carry_over(given, find_format("x.jpg"), COLOURS)[1] == notes


def test_numbers_of_a_colour_space_go_among_png_and_avif() -> None:
    numbers = bytes([9, 16, 0, 1])  # BT.2020 and PQ
    wide = b"cICP" + numbers
    data = insert(saved(Image.fromarray(COLOURS), "PNG"), chunk(b"cICP", numbers))
    avif, notes = pass_on(data, ".avif")
    assert notes == ()
    assert avif[avif.index(b"colrnclx") :][8:12] == bytes([0, 9, 0, 16])
    assert metadata_of(avif) == metadata_of(data) == Metadata(colours=(wide,))
    assert pass_on(avif, ".png")[0].count(wide) == 1
    assert pass_on(avif, ".jpg")[1] == ("the colour space (cICP) dropped: not written into JPEG",)
    assert metadata_of(saved(Image.fromarray(COLOURS), "AVIF")) == Metadata()


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (Resolution(300, 300), (1, 300, 300)),
        (Resolution(299.9994, 299.9994), (1, 300, 300)),
        (Resolution(118 * 2.54, 118 * 2.54), (2, 118, 118)),
        (Resolution(56.6674, 56.6674), (1, 57, 57)),
        (Resolution(2, 1, is_per_inch=False), (0, 2, 1)),
    ],
)
def test_a_jpeg_counts_by_the_inch_the_centimetre_or_not_at_all(given: Resolution, found: tuple[int, int, int]) -> None:
    data = bytes(encode_image(COLOURS, "x.jpg", metadata=Metadata(resolution=given)))
    assert struct.unpack_from(">BHH", data, 13) == found
    back = metadata_of(data).resolution
    assert back
    assert back == pytest.approx(given, rel=0.01)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_pixels_that_are_not_square_stay_so(suffix: str) -> None:
    given = Resolution(4, 3, is_per_inch=False)
    assert (
        metadata_of(bytes(encode_image(COLOURS, f"x{suffix}", metadata=Metadata(resolution=given)))).resolution == given
    )


def test_pages_of_a_tiff_have_each_its_own() -> None:
    pages = [
        Metadata(b"", PROFILE, b"", Resolution(300, 300)),
        Metadata(),
        Metadata(b"", b"", b"<x/>", Resolution(72, 72)),
    ]
    data = bytes(encode_pages([COLOURS] * 3, "x.tif", metadata=pages))
    image: Any = Image.open(io.BytesIO(data))
    found = []
    for number in range(3):
        image.seek(number)
        assert np.array_equal(np.asarray(image), COLOURS)
        found.append((image.tag_v2.get(34675), image.tag_v2.get(282), image.tag_v2.get(700)))
    assert found == [(PROFILE, 300, None), (None, None, None), (None, 72, b"<x/>")]
    header = read_header(data)
    assert [read_metadata(data, header, number) for number in range(3)] == pages


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_an_animation_has_one_for_all(suffix: str) -> None:
    given = metadata_of(saved_with_all("TIFF"))
    kept, notes = carry_over(given, find_format(f"x{suffix}"), COLOURS, frames=True)
    assert notes == ()
    data = bytes(encode_pages([COLOURS, 255 - COLOURS], f"x{suffix}", metadata=[kept]))
    image: Any = Image.open(io.BytesIO(data))
    assert image.n_frames == 2
    assert image.info["icc_profile"] == PROFILE
    assert image.getexif()[0x010F] == "a maker"


def test_an_animation_of_avif_gets_none() -> None:
    kept, notes = carry_over(Metadata(b"", PROFILE), find_format("x.avif"), COLOURS, frames=True)
    assert kept == Metadata()
    assert notes == ("the colour profile dropped: not written into animations of AVIF",)


def test_metadata_of_an_avif_may_lie_behind_the_pixels() -> None:
    given = bytearray(saved(Image.fromarray(COLOURS), "AVIF", exif=full_exif(1), quality=90))
    place = given.find(b"iloc") + 12
    for _ in range(2):  # the items: image, EXIF; the EXIF moves to the end of the file
        number, _, _, offset, length = struct.unpack_from(">HHHII", given, place)
        if number == 2:
            body = bytes(given[offset : offset + length])
            given += struct.pack(">I4s", 608 + length, b"mdat") + bytes(600)
            given[place + 6 : place + 10] = struct.pack(">I", len(given))
            given += body
        place += 14
    plain_avif = saved(Image.fromarray(COLOURS), "AVIF", quality=90)
    assert np.array_equal(decode_picture(bytes(given), "x").pixels, decode_picture(plain_avif, "x").pixels)
    assert passed_on(bytes(given), ".png").getexif()[0x010F] == "a maker"


def test_a_picture_without_any_is_written_as_before() -> None:
    for suffix in KEEPERS:
        assert bytes(encode_image(COLOURS, f"x{suffix}", metadata=Metadata())) == bytes(
            encode_image(COLOURS, f"x{suffix}")
        )
    with pytest.raises(CnnFilterError):
        encode_image(COLOURS, "x.unknown", metadata=Metadata(b"", PROFILE))


@pytest.mark.parametrize("format_", [*KEEPERS.values(), "GIF", "BMP", "JPEG2000"])
def test_cut_and_changed_blocks_are_read_or_left_and_what_goes_on_is_an_image(format_: str) -> None:
    keeps = format_ in KEEPERS.values()
    data = saved_with_all(format_) if keeps else saved(Image.fromarray(COLOURS), format_, comment=b"words")
    generator = np.random.default_rng(5)
    header = read_header(data)
    for _ in range(300):
        changed = bytearray(data[: generator.integers(20, len(data))])
        for place in generator.integers(4, len(changed), 3):
            changed[place] = generator.integers(0, 256)
        for found in (read_metadata(bytes(changed), header), metadata_of(bytes(changed))):
            kept, _ = carry_over(found, find_format("x.jpg"), COLOURS)
            written = bytes(encode_image(COLOURS, "x.jpg", metadata=kept))
            assert decode_picture(written, "x").pixels.shape == COLOURS.shape
