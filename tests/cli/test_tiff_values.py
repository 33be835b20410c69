"""TIFFs of numbers and of bands from file to file: they keep their values, and each page what it means."""

from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Run
from tests.cli.pictures import load
from tests.io.tiffs import Kind, make_tiff, put_together

NUMBERS = np.array([[[-5], [7]], [[100], [-300]]], np.int16)
BANDS = (np.arange(1, 31).reshape(2, 3, 5) * 2000).astype(np.uint16)


@pytest.mark.parametrize("target", ["out.npy", "out.tif"])
def test_whole_numbers_with_a_sign_go_into_floats_as_they_are(run: Run, folder: Path, target: str) -> None:
    (folder / "numbers.tif").write_bytes(make_tiff(NUMBERS, Kind(1, "i16")))
    run("convolve", "numbers.tif", "-k", "1", "-o", target)
    stored = np.load(target) if target == "out.npy" else load(target)
    assert stored.dtype == np.float64
    assert stored.tolist() == [[-5, 7], [100, -300]]


def test_whole_numbers_with_a_sign_are_levels_of_an_image_file(run: Run, folder: Path) -> None:
    (folder / "numbers.tif").write_bytes(make_tiff(NUMBERS, Kind(1, "i16")))
    result = run("convolve", "numbers.tif", "-k", "1", "-o", "out.png")
    assert "PNG cannot hold depth float; it is written with 16" in result.stderr
    assert load("out.png").tolist() == [[0, 7], [100, 0]]
    run("convolve", "numbers.tif", "-k", "1", "--depth", "8", "--range", "scale", "-o", "out.png")
    assert load("out.png").tolist() == [[188, 196], [255, 0]]


def test_bands_keep_their_number_and_their_levels(run: Run, folder: Path) -> None:
    (folder / "bands.tif").write_bytes(make_tiff(BANDS, Kind(1, "u16", (0,) * 4)))
    assert run("convolve", "bands.tif", "-k", "1", "-o", "out.npy", "--dry-run").stdout.endswith("out.npy 2x3x5\n")
    run("convolve", "bands.tif", "-k", "1", "-o", "out.npy")
    np.testing.assert_array_equal(np.load("out.npy"), BANDS)


def test_the_fourth_band_is_filtered_like_the_others(run: Run, folder: Path) -> None:
    bands = np.zeros((3, 3, 4), np.uint8)
    bands[1, 1] = 90
    (folder / "bands.tif").write_bytes(make_tiff(bands, Kind(2, "u8", (0,))))
    run("convolve", "bands.tif", "-k", "box:3", "-o", "out.npy")
    np.testing.assert_allclose(np.load("out.npy"), [[[10, 10, 10, 10]]], rtol=1e-6)


def test_each_page_keeps_its_meaning(run: Run, folder: Path) -> None:
    pages = [{256: 2, 257: 1, 258: 16, 259: 1, 262: 1, 277: 1, 278: 1, 339: sign} for sign in (1, 2)]
    tags = [{tag: (4, [number]) for tag, number in page.items()} for page in pages]
    data = put_together(tags, [[np.array([7, 65535], "<u2").tobytes()], [np.array([7, -1], "<i2").tobytes()]], Kind())
    (folder / "pages.tif").write_bytes(data)
    run("convolve", "pages.tif", "-k", "1", "-o", "out.tif", "--depth", "float")
    run("convolve", "pages.tif", "-k", "1", "-o", "second.npy", "--page", 2)
    assert load("out.tif").tolist() == [[7, 65535]]
    assert np.load("second.npy").tolist() == [[7, -1]]
