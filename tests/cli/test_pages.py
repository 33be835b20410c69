"""Pages and frames through the commands: filtered one by one, brought into range alike, written as they came."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from cnnfilter.arrays import Array
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.encode import encode_pages
from tests.cli.conftest import Run
from tests.cli.pictures import load

HOLDS_ALL = (".gif", ".png", ".webp", ".avif", ".tif")


def pages_of(path: str) -> list[Array]:
    """Return all pages of a file."""
    image = decode_picture(Path(path).read_bytes(), path)
    return list(image.pages or [image.pixels])


@pytest.fixture
def levels(folder: Path) -> list[Array]:
    """Return three grey pages of two levels each, which lie in `folder` as `pages.tif` and `frames.png`."""
    pages = [np.full((12, 16), level, np.uint8) for level in (10, 100, 150)]
    for page in pages:
        page[:, 8:] += 50
    (folder / "pages.tif").write_bytes(bytes(encode_pages(pages, "pages.tif")))
    (folder / "frames.png").write_bytes(bytes(encode_pages(pages, "frames.png", (40, 50, 60), 3)))
    return pages


@pytest.mark.parametrize("source", ["pages.tif", "frames.png"])
@pytest.mark.parametrize("target", ["out.tif", "out.png"])
def test_every_page_is_filtered(run: Run, levels: list[Array], source: str, target: str) -> None:
    assert run("convolve", source, "-k", "2", "-o", target, "-q").stderr == ""
    for page, made in zip(levels, pages_of(target), strict=True):
        np.testing.assert_array_equal(made, np.minimum(2 * page.astype(int), 255))


@pytest.mark.parametrize("target", HOLDS_ALL)
def test_every_format_that_holds_several_gets_all(run: Run, levels: list[Array], target: str) -> None:
    run("pool", "pages.tif", "-o", f"out{target}")
    made = pages_of(f"out{target}")
    assert len(made) == 3
    for page, result in zip(levels, made, strict=True):
        assert abs(result.reshape(6, 8, -1)[:, :, 0].mean() - page.mean()) < 12


def test_times_go_on(run: Run, levels: list[Array]) -> None:
    assert levels
    run("pool", "frames.png", "-o", "out.webp")
    image = decode_picture(Path("out.webp").read_bytes(), "x")
    assert image.pages is not None
    assert len(list(image.pages)) == 3
    assert (image.pages.durations, image.pages.loops) == ((40, 50, 60), 3)


@pytest.mark.parametrize("target", ["out.jpg", "out.bmp", "out.npy", "out.txt"])
def test_of_many_pages_the_first_goes_where_there_is_one(run: Run, levels: list[Array], target: str) -> None:
    result = run("pool", "pages.tif", "-o", target)
    assert "pages.tif: the first of 3 pages is taken" in result.stderr
    assert "--page N" in result.stderr
    if target == "out.bmp":
        np.testing.assert_array_equal(load(target), levels[0][::2, ::2])


@pytest.mark.parametrize("source", ["pages.tif", "frames.png"])
@pytest.mark.parametrize("page", [1, 2, 3])
@pytest.mark.parametrize("target", ["out.bmp", "out.png"])
def test_page_takes_one_and_nothing_is_said(run: Run, levels: list[Array], source: str, page: int, target: str) -> None:
    assert run("pool", source, "--page", page, "-o", target).stderr == ""
    np.testing.assert_array_equal(load(target), levels[page - 1][::2, ::2])
    assert len(pages_of(target)) == 1


def test_a_page_that_is_not_there_fails_its_input_alone(run: Run, levels: list[Array], colours: Array) -> None:
    assert levels
    assert colours.size
    result = run("pool", "colours.png", "pages.tif", "--page", 2, "-o", "out/", status=1)
    told = "cnnfilter: colours.png: has 1 page, and --page 2 is none of them\ncnnfilter: 1 of 2 inputs failed\n"
    assert result.stderr == told
    assert Path("out/pages.tif").exists()
    Path("m.txt").write_text("1 2\n3 4\n")
    assert "m.txt: a matrix has 1 page" in run("pool", "m.txt", "--page", 2, status=1).stderr


@pytest.mark.parametrize(("how", "least", "most"), [("scale", 0, 255), ("max", 13, 255)])
def test_all_pages_are_brought_into_range_by_the_extremes_of_all(
    run: Run, levels: list[Array], how: str, least: int, most: int
) -> None:
    assert levels
    run("pool", "pages.tif", "--range", how, "-o", "out.tif")
    made = pages_of("out.tif")
    assert (min(page.min() for page in made), max(page.max() for page in made)) == (least, most)
    assert made[1].max() < most


def test_each_page_of_a_tiff_keeps_its_depth(run: Run, folder: Path) -> None:
    pages: list[Array] = [
        np.full((6, 6), 40_000, np.uint16),
        np.full((4, 8, 3), 9, np.uint8),
        np.full((4, 4), 0.25, np.float32),
    ]
    (folder / "mixed.tif").write_bytes(bytes(encode_pages(pages, "mixed.tif")))
    run("pool", "mixed.tif", "-o", "out.tif")
    for page, made in zip(pages, pages_of("out.tif"), strict=True):
        assert made.dtype == page.dtype
        np.testing.assert_array_equal(made, page[::2, ::2])
    result = run("pool", "mixed.tif", "-o", "out.gif", status=1)
    assert "frames have one size, and the pages have 3x3, 2x4, 2x2" in result.stderr


def test_frames_of_sixteen_bits_become_eight_with_a_remark(run: Run, folder: Path) -> None:
    pages = [np.full((6, 6), level, np.uint16) for level in (257 * 9, 257 * 200)]
    (folder / "deep.tif").write_bytes(bytes(encode_pages(pages, "deep.tif")))
    result = run("pool", "deep.tif", "-o", "out.png")
    assert "frames of PNG have 8 bits" in result.stderr
    assert [page[0, 0] for page in pages_of("out.png")] == [9, 200]
    assert run("pool", "deep.tif", "-o", "out.png", "--depth", "8").stderr == ""


def test_saved_layers_are_those_of_one_page(run: Run, levels: list[Array]) -> None:
    assert levels
    result = run("pipeline", "relu@a", "pages.tif", "--save", "a", "-o", "out/")
    assert "the first of 3 pages is taken" in result.stderr
    assert len(pages_of("out/pages-a.tif")) == 1


def test_max_pixels_counts_all_pages_and_page_takes_one(run: Run, levels: list[Array]) -> None:
    assert levels
    result = run("pool", "pages.tif", "--max-pixels", 200, "-o", "out.tif", status=1)
    assert "3 pages, the first of 12x16 pixels, 576 in all, are more than the limit of 200" in result.stderr
    run("pool", "pages.tif", "--max-pixels", 200, "--page", 3, "-o", "out.tif")


def test_a_profile_goes_on_and_what_is_dropped_is_told(run: Run, photo: Path, folder: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with Image.open(photo) as image:
        image.resize((40, 30)).save(folder / "small.jpg", icc_profile=profile)
    assert run("pool", "small.jpg", "-o", "out.png").stderr == ""
    with Image.open("out.png") as image:
        assert image.info["icc_profile"] == profile
    told = run("pool", "small.jpg", "-o", "out.bmp").stderr
    assert told == "cnnfilter: remark: small.jpg: the colour profile and the comment dropped: not written into BMP\n"
    assert run("pool", "small.jpg", "-o", "out.bmp", "-q").stderr == ""
