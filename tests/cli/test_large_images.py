"""Large images, which are filtered and encoded in strips: one file, whatever the threads and the kernel."""

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnnfilter
from cnnfilter.arrays import Array
from tests.cli.conftest import Run

SIZE = (1013, 710)  # of three strips, the last with fewer rows


@cache
def make_photo() -> Array:
    """Return a wave with noise in each channel."""
    rows, columns = np.indices(SIZE)
    noise = np.random.default_rng(0).normal(0, 4, (*SIZE, 3))
    waves = np.stack([128 + 90 * np.sin((rows + number * columns) / 90) for number in range(3)], 2)
    return np.asarray((waves + noise).clip(0, 255).astype(np.uint8))


@cache
def save_photo(format_: str) -> bytes:
    """Return the photo as a file with 300 dpi and EXIF."""
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x010E] = "waves"
    Image.fromarray(make_photo()).save(file, format_, dpi=(300, 300), exif=exif, compress_level=1)
    return file.getvalue()


@pytest.fixture
def photo(folder: Path) -> Array:
    """Return a photo, which lies in `folder` as `photo.png` and `photo.jpg`."""
    (folder / "photo.png").write_bytes(save_photo("PNG"))
    (folder / "photo.jpg").write_bytes(save_photo("JPEG"))
    return make_photo()


@pytest.mark.usefixtures("photo")
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_bytes_are_the_same_with_any_number_of_threads_and_in_a_batch(run: Run, suffix: str) -> None:
    source = f"photo{suffix}"
    Path(f"other{suffix}").write_bytes(Path(source).read_bytes())
    run("convolve", source, "-k", "sharpen", "-o", f"one{suffix}", "-j", 1)
    run("convolve", source, "-k", "sharpen", "-o", f"all{suffix}")
    run("convolve", source, f"other{suffix}", "-k", "sharpen", "-o", "batch/", "-j", 2)
    whole = Path(f"one{suffix}").read_bytes()
    for name in (f"all{suffix}", f"batch/{source}", f"batch/other{suffix}"):
        assert Path(name).read_bytes() == whole


@pytest.mark.parametrize("kernel", ["sharpen", "gaussian:31:5", "frame:25"])
def test_pixels_are_those_of_the_library(run: Run, photo: Array, kernel: str) -> None:
    run("convolve", "photo.png", "-k", kernel, "-p", "same", "--range", "clip", "-o", "out.png")
    expected = cnnfilter.convolve(photo, kernel, padding="same")
    assert np.array_equal(np.asarray(Image.open("out.png")), np.rint(expected).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize(
    "words",
    [
        ("convolve", "photo.png", "-k", "sharpen", "--region", "7:1011,1:708"),
        ("convolve", "photo.png", "-k", "sobel-x", "--depth", "16", "--compression", "1"),
        ("convolve", "photo.png", "-k", "sharpen", "--plot", "figure.png", "--dpi", "10"),
        ("pool", "photo.png", "--size", "2x1", "-s", "1"),
        ("pipeline", "equalize", "photo.png"),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("photo")
def test_strips_hold_what_a_matrix_of_the_same_result_holds(run: Run, words: tuple[str, ...]) -> None:
    run(*words, "-o", "out.png")
    run(*words, "-o", "out.tif")
    assert np.array_equal(cnnfilter.read_image("out.png"), cnnfilter.read_image("out.tif"))


@pytest.mark.usefixtures("photo")
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_metadata_go_on_and_every_reader_finds_the_pixels(run: Run, suffix: str) -> None:
    run("convolve", f"photo{suffix}", "-k", "sharpen", "-p", "half", "-o", f"out{suffix}")
    data = Path(f"out{suffix}").read_bytes()
    image = Image.open(io.BytesIO(data))
    assert image.size == SIZE[::-1]
    assert image.getexif()[0x010E] == "waves"
    assert [round(number) for number in image.info["dpi"]] == [300, 300]
    assert np.array_equal(np.asarray(image), cnnfilter.read_image(f"out{suffix}"))
    assert run("convolve", f"photo{suffix}", "-k", "sharpen", "-p", "half", "-o", "-").stdout_bytes == data


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".ppm"])
@pytest.mark.usefixtures("photo")
def test_a_file_that_cannot_be_written_is_one_line(run: Run, suffix: str) -> None:
    words = ("convolve", "photo.png", "-k", "sharpen", "-q", "--format", suffix[1:])
    result = run(*words, "-o", "/dev/full", status=1)
    assert result.stderr == "cnnfilter: /dev/full: No space left on device\n"
