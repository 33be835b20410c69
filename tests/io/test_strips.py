"""Files encoded in strips: every decoder reads the pixels of one encode, and the bytes do not depend on the threads."""

import io
import re
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

import cnnfilter
from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io import encode, strips
from cnnfilter.io.encode import cut_into_strips, encode_image

SIZES = [(1, 700), (2, 700), (15, 300), (16, 300), (17, 2), (33, 257), (64, 90), (101, 97), (257, 31)]


@pytest.fixture
def small_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small images have many strips."""
    monkeypatch.setattr(encode, "SMALLEST_IN_STRIPS", 0)
    monkeypatch.setattr(strips.Strips, "size", 2000)
    monkeypatch.setattr(strips, "_STRIP", 2000)


def make_image(size: tuple[int, int], channels: int, dtype: type, seed: int = 0) -> Array:
    """Return waves with noise, as smooth and as rough as a photo."""
    generator = np.random.default_rng(seed)
    rows, columns = np.indices(size)
    waves = [np.sin(rows / (9 + channel)) + np.cos(columns / (7 + channel)) for channel in range(channels)]
    levels = 0.5 + 0.2 * np.stack(waves, 2) + generator.normal(0, 0.01, (*size, channels))
    image: Array = (levels * np.iinfo(dtype).max).clip(0, np.iinfo(dtype).max).astype(dtype)
    return image if channels > 1 else image[:, :, 0]


def encode_whole(pixels: Array, name: str, **options: int | None) -> bytes:
    """Return what OpenCV makes of the whole image."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encode, "SMALLEST_IN_STRIPS", 1 << 60)
        return bytes(encode_image(pixels, name, **options))  # type: ignore[arg-type]


def read_with_opencv(data: bytes) -> Array:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED))


def read_with_vips(data: bytes) -> Array:
    pyvips = pytest.importorskip("pyvips", exc_type=ImportError)
    return np.asarray(pyvips.Image.new_from_buffer(data, "", fail=True).numpy())


def read_chunks(data: bytes) -> dict[bytes, bytes]:
    """Return what the chunks of each name hold together, once every checksum is right."""
    place, found = 8, dict[bytes, bytes]()
    while place < len(data):
        length, name = int.from_bytes(data[place : place + 4]), data[place + 4 : place + 8]
        body, end = data[place + 8 : place + 8 + length], place + 8 + length
        assert zlib.crc32(name + body) == int.from_bytes(data[end : end + 4])
        found[name] = found.get(name, b"") + body
        place = end + 4
    return found


@pytest.mark.usefixtures("small_strips")
@pytest.mark.parametrize("compression", [None, 1, 6, 9])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pngs_of_all_kinds_hold_the_rows_that_libpng_filters(
    channels: int, dtype: type, compression: int | None
) -> None:
    for seed, size in enumerate(SIZES):
        image = make_image(size, channels, dtype, seed)
        data = bytes(encode_image(image, "x.png", compression=compression))
        whole = encode_whole(image, "x.png", compression=compression)
        chunks = read_chunks(data)
        assert [*chunks] == [b"IHDR", b"IDAT", b"IEND"]
        assert zlib.decompress(chunks[b"IDAT"]) == zlib.decompress(read_chunks(whole)[b"IDAT"])
        assert chunks[b"IHDR"] == read_chunks(whole)[b"IHDR"]
        assert np.array_equal(read_with_opencv(data), read_with_opencv(whole))
        assert np.array_equal(cnnfilter.read_image(data), image)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), np.asarray(Image.open(io.BytesIO(whole))))


@pytest.mark.usefixtures("small_strips")
@pytest.mark.parametrize("quality", [None, 100, 90, 89, 30])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpegs_of_all_kinds_decode_to_the_pixels_of_one_encode(channels: int, quality: int | None) -> None:
    for seed, size in enumerate(SIZES):
        image = make_image(size, channels, np.uint8, seed)
        data = bytes(encode_image(image, "x.jpg", quality=quality))
        whole = encode_whole(image, "x.jpg", quality=quality)
        assert np.array_equal(read_with_opencv(data), read_with_opencv(whole))
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), np.asarray(Image.open(io.BytesIO(whole))))
        assert cnnfilter.read_image(data).shape == image.shape  # which refuses what libjpeg complains of


@pytest.mark.usefixtures("small_strips")
@pytest.mark.parametrize("name", ["x.png", "x.jpg"])
def test_libvips_reads_them_and_complains_of_nothing(name: str) -> None:
    for seed, size in enumerate(SIZES[1:]):
        image = make_image(size, 3, np.uint8, seed)
        data, whole = bytes(encode_image(image, name)), encode_whole(image, name)
        assert np.array_equal(read_with_vips(data), read_with_vips(whole))


@pytest.mark.parametrize("name", ["x.png", "x.jpg"])
@pytest.mark.parametrize("below", [1, 0])
def test_images_at_the_threshold_are_as_large_as_in_one_encode(name: str, below: int) -> None:
    image = make_image((2048 - below, 1024), 1, np.uint8)
    assert bool(cut_into_strips(image, name)) is not below
    data, whole = bytes(encode_image(image, name)), encode_whole(image, name)
    assert np.array_equal(read_with_opencv(data), read_with_opencv(whole))
    assert (data == whole) is bool(below)
    assert len(data) < 1.02 * len(whole)


@pytest.mark.parametrize(("name", "compression"), [("x.png", None), ("x.png", 9), ("x.jpg", None)])
def test_flat_and_drawn_images_are_hardly_larger(name: str, compression: int | None) -> None:
    drawn = np.repeat(np.repeat(make_image((80, 90), 3, np.uint8), 14, axis=0), 14, axis=1)
    for image in (np.full_like(drawn, 128), drawn):
        size = len(bytes(encode_image(image, name, compression=compression)))
        assert size < 1.02 * len(encode_whole(image, name, compression=compression))


@pytest.mark.usefixtures("small_strips")
def test_a_jpeg_has_restart_markers_in_order_and_its_own_height() -> None:
    data = bytes(encode_image(make_image((331, 97), 3, np.uint8), "x.jpg"))
    markers = re.findall(rb"\xff([\xd0-\xd7])", data)
    assert markers == [bytes([0xD0 + number % 8]) for number in range(20)]
    assert Image.open(io.BytesIO(data)).size == (97, 331)


@pytest.mark.parametrize(("name", "compression"), [("x.png", None), ("x.png", 1), ("x.jpg", None)])
def test_bytes_do_not_depend_on_threads_or_on_how_rows_come(name: str, compression: int | None) -> None:
    image = make_image((1201, 700), 3, np.uint8)
    whole = bytes(encode_image(image, name, compression=compression))
    filled = np.empty_like(image)
    parts = cut_into_strips(filled, name, compression=compression)
    assert parts
    for start in (500, 0, 1100, 333):
        rows = slice(start, {0: 333, 333: 500, 500: 1100, 1100: 1201}[start])
        filled[rows] = image[rows]
        parts.add(rows)
    assert not parts.left
    assert b"".join(parts.pieces()) == whole
    for threads in (1, 3):
        cnnfilter.set_threads(threads)
        try:
            assert cnnfilter.encode_image(image, name[1:], compression=compression) == whole
        finally:
            cnnfilter.set_threads(None)


def test_too_little_memory_is_an_error_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise cv2.error("Insufficient memory")

    monkeypatch.setattr(cv2, "imencode", refuse)
    with pytest.raises(ImageFileError, match=r"photo.jpg: .*too little memory"):
        encode_image(make_image((1000, 900), 3, np.uint8), "photo.jpg")
