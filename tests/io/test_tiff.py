"""TIFFs of every kind: the values that their maker meant, or a refusal that names what is not supported."""

import struct
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.headers import read_header
from cnnfilter.io.tags import read_directories
from tests.io import saved
from tests.io.tiffs import (
    DEFLATE,
    LZMA,
    LZW,
    NONE,
    OLD_DEFLATE,
    PACKBITS,
    WEBP,
    ZSTANDARD,
    Kind,
    make_samples,
    make_tiff,
    meaning,
    palette_of,
    put_together,
    written_by_tifffile,
)

TYPES = [f"u{bits}" for bits in range(1, 17)] + ["u24", "u32", "u64", "i8", "i16", "i32", "i64", "f16", "f32", "f64"]

CHOICES: dict[str, list[Any]] = {
    "photometric": [0, 1, 2, 3, 5, 6],
    "type": TYPES,
    "extras": [(), (0,), (1,), (2,), (0, 0), (2, 0), (1, 0, 0)],
    "planar": [False, True],
    "compression": [NONE, LZW, DEFLATE, PACKBITS, OLD_DEFLATE, LZMA, ZSTANDARD],
    "predictor": [1, 2, 3],
    "block": [0, 1, 7, (16, 16), (32, 48), (5, 9)],
    "order": ["<", ">"],
    "big": [False, True],
    "fill": [1, 2],
    "orientation": list(range(1, 9)),
}


def is_read(kind: Kind) -> bool:
    """Return whether a kind of TIFF is read; all others are refused by name."""
    types = {0: "u1-16 f", 1: "u1-16 u32 u64 i f", 2: "u1-16 u32 u64 i f", 3: "u1-8", 5: "u8 u16", 6: "u8"}
    words = types[kind.photometric].split()
    numbers = {"u1-16": range(1, 17), "u1-8": range(1, 9)}
    known = {f"u{bits}" for word in words for bits in numbers.get(word, ())} | set(words)
    alpha = len(kind.extras) == 1 and kind.extras[0] != 0
    straight = kind.extras == (2,) or kind.photometric == 3
    return (
        (kind.type in known or kind.type[0] in known)
        and (kind.photometric in {0, 1, 2} or not kind.extras or (alpha and straight))
        and (kind.photometric in {3, 5, 6} or len(kind.extras) < 2 or 1 not in kind.extras or is_numbers(kind))
        and (kind.predictor != 2 or kind.bits in {8, 16, 32, 64})
        and (kind.predictor != 3 or kind.type[0] == "f")
    )


def is_numbers(kind: Kind) -> bool:
    return kind.type[0] == "i" or kind.type in {"u32", "u64"}


def draw(rng: np.random.Generator, **fixed: Any) -> Kind:
    """Return a kind that can be written, with some of it fixed."""
    values = {name: options[rng.integers(len(options))] for name, options in CHOICES.items()}
    if rng.random() < 0.8:  # else most predictors and extra samples would be refused
        values |= {"predictor": 1, "extras": [(), (2,), (0,)][rng.integers(3)]}
    kind = Kind(**values | fixed)
    if kind.compression in {NONE, PACKBITS}:  # libtiff knows no predictor of these
        kind = kind._replace(predictor=1)
    if kind.predictor > 1 and (
        kind.bits not in {16, 32, 64} if kind.type[0] == "f" else kind.bits not in {8, 16, 32, 64}
    ):
        kind = kind._replace(predictor=1)
    if kind.predictor == 3 and kind.type[0] != "f":
        kind = kind._replace(predictor=2)
    return kind


def check(kind: Kind, rng: np.random.Generator) -> bool:
    """Return whether a TIFF of a kind is read, and is what its maker meant; a refusal is one that was foreseen."""
    samples = make_samples(kind, int(rng.integers(1, 20)), int(rng.integers(1, 40)), rng)
    data = make_tiff(samples, kind, palette_of(kind.bits) if kind.photometric == 3 and kind.bits <= 8 else None)
    header = read_header(data)
    if not is_read(kind):
        with pytest.raises(ImageFileError, match="not supported"):
            decode_picture(data, "x")
        return False
    read = decode_picture(data, "x").pixels
    expected = meaning(samples, kind)
    assert header.shape == read.shape == expected.shape
    assert read.dtype == expected.dtype
    assert header.depth >= expected.dtype.itemsize * (expected.shape[2] if expected.ndim == 3 else 1)
    if kind.photometric == 6:  # rounded in fixed point
        assert np.abs(read.astype(int) - expected).max() <= 1
    elif kind.type[0] == "f" and 1 in kind.extras:
        np.testing.assert_allclose(read, expected, rtol=1e-6)
    else:
        np.testing.assert_array_equal(read, expected)
    return True


def find_pairs(kind: Kind) -> set[tuple[Any, ...]]:
    """Return the pairs of values that a kind has."""
    values = [(name, getattr(kind, name)) for name in CHOICES]
    return set(combinations(values, 2))


def random_kinds(count: int) -> list[Kind]:
    """Return random kinds, and as many more as it takes for each pair of values to be drawn."""
    rng = np.random.default_rng(0)
    kinds = [draw(rng) for _ in range(count)]
    drawn = set[tuple[Any, ...]]().union(*map(find_pairs, kinds))
    for first, second in combinations(CHOICES, 2):
        for one, other in product(CHOICES[first], CHOICES[second]):
            if ((first, one), (second, other)) not in drawn:
                kind = draw(rng, **{first: one, second: other})
                drawn |= find_pairs(kind)
                kinds.append(kind)
    return kinds


KINDS = random_kinds(1000)

PARTS = 10


@pytest.mark.parametrize("part", range(PARTS))
def test_random_kinds_and_every_pair_are_read_as_their_maker_meant_or_refused_by_name(part: int) -> None:
    rng = np.random.default_rng(part)
    assert sum(check(kind, rng) for kind in KINDS[part::PARTS]) > 30


@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"])
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_planes_apart_are_brought_together(kind: str, compression: str | None) -> None:
    planes = np.random.default_rng(0).integers(0, 100, (3, 20, 23)).astype(kind)
    options = {"photometric": "rgb", "planarconfig": "separate", "compression": compression, "rowsperstrip": 7}
    data = written_by_tifffile(planes, **options)
    read = decode_picture(data, "x").pixels
    np.testing.assert_array_equal(read, np.moveaxis(planes, 0, -1))
    assert read_header(data).shape == read.shape


@pytest.mark.parametrize("subsampling", [(1, 1), (1, 2), (2, 1), (2, 2), (1, 4), (4, 4)])
@pytest.mark.parametrize("block", [0, 4, (16, 16)])
@pytest.mark.parametrize("compression", [NONE, LZW, DEFLATE, ZSTANDARD])
def test_pixels_share_colour_differences(subsampling: tuple[int, int], block: Any, compression: int) -> None:
    kind = Kind(6, "u8", subsampling=subsampling, block=block, compression=compression)
    rng = np.random.default_rng(0)
    down, across = subsampling
    samples = rng.integers(0, 256, (13, 21, 3)).astype(np.uint8)
    samples[:, :, 1:] = samples[::down, ::across, 1:].repeat(down, 0).repeat(across, 1)[:13, :21]
    read = decode_picture(make_tiff(samples, kind), "x").pixels
    assert np.abs(read.astype(int) - meaning(samples, kind)).max() <= 1


def test_ycbcr_of_studio_range_is_stretched() -> None:
    kind = Kind(6, "u8")
    tags = {532: (5, [16, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 1])}
    samples = np.array([[[16, 128, 128], [235, 128, 128], [126, 128, 128]]], np.uint8)
    assert decode_picture(make_tiff(samples, kind, tags), "x").pixels[0, :, 0].tolist() == [0, 255, 128]


COLOURS_IN_LAB = {  # sRGB, and L*a*b* under D65 and D50, by other programs' tables
    (255, 0, 0): ((53.24, 80.09, 67.20), (54.29, 80.81, 69.89)),
    (0, 255, 0): ((87.73, -86.18, 83.18), (87.82, -79.29, 80.99)),
    (0, 0, 255): ((32.30, 79.19, -107.86), (29.57, 68.30, -112.03)),
    (255, 255, 255): ((100, 0, 0), (100, 0, 0)),
    (0, 0, 0): ((0, 0, 0), (0, 0, 0)),
    (119, 119, 119): ((50.03, 0, 0), (50.03, 0, 0)),
}


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("photometric", [8, 9])
@pytest.mark.parametrize("white", [0, 1], ids=["D65", "D50"])
def test_lab_is_srgb(bits: int, photometric: int, white: int) -> None:
    steps = {8: (255 / 100, 1), 16: ((65280 if photometric == 9 else 65535) / 100, 256)}[bits]
    samples = np.rint([[np.array(lab[white]) * [steps[0], steps[1], steps[1]] for lab in COLOURS_IN_LAB.values()]])
    if photometric == 9:
        samples[:, :, 1:] += 1 << bits - 1
    tags = {} if white else {318: (5, [3127, 10000, 3290, 10000])}
    data = make_tiff(samples.astype(np.int64).astype(f"u{bits // 8}"), Kind(photometric, f"u{bits}"), tags)
    read = decode_picture(data, "x").pixels.astype(float) / (1 if bits == 8 else 257)
    assert np.abs(read - [list(COLOURS_IN_LAB)]).max() <= (
        10 if bits == 8 else 1
    )  # a step of 8 bits is wide in the dark
    assert read[0, 5].max() == read[0, 5].min()


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
@pytest.mark.parametrize("width", [8, 31, 100])
def test_faxes_are_black_on_white(compression: str, width: int) -> None:
    bits = np.random.default_rng(0).random((40, width)) > 0.6
    data = saved(Image.fromarray(bits), "TIFF", compression=compression, tiffinfo={278: 16})
    np.testing.assert_array_equal(decode_picture(data, "x").pixels, np.where(bits, 255, 0))


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("page", [1, 2])
def test_jpeg_in_a_tiff_is_near(mode: str, page: int) -> None:
    y, x = np.mgrid[0:48, 0:64]
    ramp = Image.fromarray(np.stack([x * 4, y * 5, 255 - x * 3], 2).astype(np.uint8))
    pages = [ramp.rotate(180).convert(mode), ramp.convert(mode)][:: 1 if page == 2 else -1]
    data = saved(pages[0], "TIFF", compression="jpeg", quality=95, save_all=True, append_images=pages[1:])
    read = decode_picture(data, "x", page=page).pixels
    expected = np.asarray(ramp.convert(mode).convert("L" if mode == "L" else "RGB")).astype(int)
    assert np.abs(read.astype(int) - expected).mean() <= 3


@pytest.mark.parametrize("channels", [3, 4])
def test_webp_in_a_tiff_is_read(channels: int) -> None:
    samples = np.random.default_rng(0).integers(0, 256, (30, 40, channels)).astype(np.uint8)
    kind = Kind(2, "u8", (2,) * (channels - 3), compression=WEBP)
    np.testing.assert_array_equal(decode_picture(make_tiff(samples, kind), "x").pixels, samples)


def test_logluv_becomes_floats() -> None:
    luminances, white = (0.5, 1.0, 2.0), (0.1978, 0.4683)  # u' and v' of D65
    codes = [int(256 * (np.log2(y) + 64)) << 16 | int(410 * white[0]) << 8 | int(410 * white[1]) for y in luminances]
    row = b"".join(bytes([3, *(code >> shift & 255 for code in codes)]) for shift in (24, 16, 8, 0))
    tags = {256: 3, 257: 1, 258: 16, 259: 34676, 262: 32845, 277: 3, 278: 1}
    data = put_together([{tag: (4, [number]) for tag, number in tags.items()}], [[row]], Kind())
    read = decode_picture(data, "x").pixels
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, [[[y] * 3 for y in luminances]], rtol=0.03)
    assert read_header(data).shape == read.shape


GREY = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)


@pytest.mark.parametrize(
    ("samples", "kind", "tags", "message"),
    [
        (GREY, Kind(compression=34887), {}, r"x: TIFF compressed by LERC \(34887\) is not supported; `tiffcp -c lzw`"),
        (GREY, Kind(compression=77), {}, r"compressed by an unknown method \(77\) is not"),
        (GREY, Kind(), {262: (3, [32803])}, "camera raw is not supported; convert it"),
        (GREY, Kind(), {262: (3, [32844])}, r"of LogL \(32844\) is not supported"),
        (GREY, Kind(), {262: (3, [99])}, r"of an unknown kind \(99\) is not supported"),
        (GREY, Kind(), {339: (3, [5])}, "TIFF of complex numbers is not supported; convert it to grey, RGB"),
        (GREY.repeat(3, 2), Kind(2), {258: (3, [5, 6, 5])}, "of samples of 5, 6, 5 bits is not supported"),
        (GREY.repeat(4, 2), Kind(5), {332: (3, [2])}, "of inks that are not CMYK is not supported"),
        (GREY.repeat(5, 2), Kind(5, "u8", (0,)), {}, "CMYK with extra samples that are not alpha is not supported"),
        (GREY.repeat(2, 2), Kind(2), {}, "of RGB in 2 samples is not supported"),
        (GREY, Kind(compression=DEFLATE), {317: (3, [9])}, "with predictor 9 for samples of 8 bits is not supported"),
        (GREY.repeat(3, 2), Kind(8, compression=7), {}, "TIFF of CIELab compressed by JPEG is not supported"),
        (GREY.repeat(2, 2), Kind(1, "u8", (0,), compression=7), {}, "by JPEG with extra samples that are not alpha is"),
        (GREY.repeat(3, 2), Kind(6, planar=True), {530: (3, [2, 2])}, "YCbCr of which 2x2 pixels share chroma, packed"),
        (
            GREY.repeat(3, 2),
            Kind(6),
            {530: (3, [0, 3])},
            "YCbCr of which 3x0 pixels share chroma, packed like this, is",
        ),
        (GREY.repeat(3, 2), Kind(6, compression=DEFLATE, predictor=2, subsampling=(2, 2)), {}, "like this, is not"),
        (GREY.repeat(3, 2), Kind(6, compression=WEBP), {}, "of YCbCr compressed by WebP is not supported"),
        (GREY, Kind(3), {}, "the TIFF is damaged: its palette is too short"),
        (GREY, Kind(), {257: (4, [9]), 278: (4, [9])}, "the TIFF is cut off or damaged: strip 1 is not whole"),
        (GREY, Kind(), {257: (4, [9]), 278: (4, [3])}, "damaged: it has fewer strips or tiles than its size"),
        (GREY, Kind(), {256: (4, [0])}, "the TIFF is damaged: it has no size"),
        (GREY, Kind(block=(16, 16)), {323: (4, [0])}, "the TIFF is damaged: it has no size"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_read_is_named(samples: Array, kind: Kind, tags: dict[int, Any], message: str) -> None:
    data = make_tiff(samples, kind, tags)
    with pytest.raises(ImageFileError, match=message) as caught:
        decode_picture(data, "x")
    assert "not supported" not in str(caught.value) or read_header(data).shape is None


RAMP = np.arange(27, dtype=np.uint8).reshape(3, 3, 3) * 9


@pytest.mark.parametrize("photometric", [6, 8])
@pytest.mark.parametrize(
    ("tag", "values"),
    [
        *((318, [0, 0] * 2), (318, [1, 0] * 2), (318, [1, 1]), (318, [2_000_000, 1] * 2)),
        *((529, [0, 0] * 3), (529, [1, 0] * 3), (529, [1, 1]), (529, [2_000_000, 1] * 3)),
        *((532, [0, 0] * 6), (532, [1, 0] * 6), (532, [1, 1]), (532, [2_000_000, 1] * 6)),
    ],
    ids=str,
)
def test_tags_of_colours_that_make_no_sense_are_ignored(photometric: int, tag: int, values: list[int]) -> None:
    plain = decode_picture(make_tiff(RAMP, Kind(photometric)), "x").pixels
    odd = decode_picture(make_tiff(RAMP, Kind(photometric), {tag: (5, values)}), "x").pixels
    np.testing.assert_array_equal(odd, plain)


def test_whole_numbers_that_are_not_exact_in_float64_are_refused() -> None:
    with pytest.raises(ImageFileError, match=r"TIFF of whole numbers above 2\^53 is not supported"):
        decode_picture(make_tiff(np.full((2, 2, 1), (1 << 53) + 1, np.uint64), Kind(1, "u64")), "x")


def two_pages(**tags: int) -> list[dict[int, tuple[int, Any]]]:
    """Return the tags of a page of 3x4 bytes and of one of 2x2, to which more tags are added."""
    pages = []
    for height, width in ((3, 4), (2, 2)):
        numbers = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 277: 1, 278: height}
        pages.append({tag: (4, [number]) for tag, number in numbers.items()})
    pages[1] |= {int(tag[1:]): (4, [number]) for tag, number in tags.items()}
    return pages


@pytest.mark.parametrize(
    ("tags", "count"), [({}, 2), ({"t254": 1}, 1), ({"t254": 4}, 1), ({"t254": 2}, 2), ({"t255": 2}, 1)]
)
@pytest.mark.parametrize("big", [False, True], ids=["TIFF", "BigTIFF"])
def test_reduced_copies_and_masks_are_not_pages(tags: dict[str, int], count: int, big: bool) -> None:
    data = put_together(two_pages(**tags), [[bytes(range(12))], [b"abcd"]], Kind(big=big))
    assert read_header(data).pages == count
    picture = decode_picture(data, "x")
    np.testing.assert_array_equal(picture.pixels, GREY[:, :, 0])
    assert (picture.pages.count if picture.pages else 1) == count
    with pytest.raises(ImageFileError, match=f"--page {count + 1}"):
        decode_picture(data, "x", page=count + 1)


def test_a_reduced_copy_before_the_image_is_not_the_image() -> None:
    pages = two_pages()
    pages[0][254] = (4, [1])
    data = put_together(pages, [[bytes(range(12))], [b"abcd"]], Kind())
    assert read_header(data).shape == (2, 2)
    assert decode_picture(data, "x").pixels.tobytes() == b"abcd"


def test_a_list_of_pages_that_leads_back_ends_with_a_note() -> None:
    picture = decode_picture(put_together(two_pages(), [[bytes(range(12))], [b"abcd"]], Kind(), last=8), "x")
    assert picture.pages is not None
    assert [page.size for page in picture.pages] == [12, 4]
    assert "leads back to an earlier one" in picture.notes[0]


PLAIN = [NONE, LZW, DEFLATE, PACKBITS, LZMA, ZSTANDARD]


@pytest.mark.parametrize("compression", PLAIN)
@pytest.mark.parametrize("type_", ["u8", "u16", "f32", "i16"])
@pytest.mark.parametrize("planar", [False, True])
def test_strips_that_are_cut_are_refused_wherever_they_end(compression: int, type_: str, planar: bool) -> None:
    kind = Kind(2, type_, compression=compression, planar=planar, block=15)
    samples = make_samples(kind, 40, 31, np.random.default_rng(3))
    whole = make_tiff(samples, kind)
    np.testing.assert_array_equal(decode_picture(whole, "x").pixels, samples)
    first = next(read_directories(whole))
    offset, count = (int(first.tags[tag].values(whole)[1]) for tag in (273, 279))
    for share in (0.0, 0.3, 0.9):
        short = bytearray(whole)  # a strip of fewer bytes than it needs
        struct.pack_into("<I", short, first.tags[279].offset + 4, max(1, int(count * share)))
        with pytest.raises(ImageFileError, match=r"cut off or damaged|cut off, damaged"):
            decode_picture(bytes(short), "x")
        with pytest.raises(ImageFileError, match="cut off or damaged"):
            decode_picture(whole[: offset + int(count * share)], "x")


def test_missing_strips_are_named_and_a_missing_length_is_that_of_the_file() -> None:
    data = bytearray(make_tiff(GREY, Kind(block=1)))
    directory = next(read_directories(bytes(data)))
    struct.pack_into("<I", data, directory.tags[279].offset + 4, 0)
    with pytest.raises(ImageFileError, match=r"TIFF with missing \(sparse\) strips or tiles is not supported"):
        decode_picture(bytes(data), "x")
    single = bytearray(make_tiff(GREY, Kind(compression=DEFLATE)))
    next(read_directories(bytes(single))).rewrite(single, {279: 0})
    np.testing.assert_array_equal(decode_picture(bytes(single), "x").pixels, GREY[:, :, 0])


def test_a_wrong_checksum_is_damage() -> None:
    data = bytearray(make_tiff(GREY, Kind(compression=DEFLATE)))
    directory = next(read_directories(bytes(data)))
    data[directory.number(273) + directory.number(279) - 1] ^= 1
    with pytest.raises(ImageFileError, match="cut off or damaged: strip 1 is not whole"):
        decode_picture(bytes(data), "x")


def test_a_header_that_lies_takes_no_memory() -> None:
    for compression in PLAIN:
        data = make_tiff(
            GREY, Kind(compression=compression), {256: (4, [30_000]), 257: (4, [30_000]), 278: (4, [30_000])}
        )
        with pytest.raises(ImageFileError, match=r"cut off|damaged"):
            decode_picture(data, "x")


def test_bands_are_not_alpha_and_numbers_have_no_white() -> None:
    bands = decode_picture(make_tiff(np.ones((2, 2, 4), np.uint16), Kind(1, "u16", (0, 0, 0))), "x")
    assert (bands.has_alpha, bands.matrix, bands.maximum, bands.depth) == (False, False, 65535, "16")
    infrared = decode_picture(make_tiff(np.ones((2, 2, 4), np.uint8), Kind(2, "u8", (0,))), "x")
    assert not infrared.has_alpha
    assert decode_picture(make_tiff(np.ones((2, 2, 4), np.uint8), Kind(2, "u8", (2,))), "x").has_alpha
    numbers = decode_picture(make_tiff(np.ones((2, 2, 4), np.int16), Kind(2, "i16", (2,))), "x")
    assert (numbers.has_alpha, numbers.matrix, numbers.maximum, numbers.depth) == (False, True, 255, "float")
