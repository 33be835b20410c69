"""`cnnfilter correlate`: maps, peaks, shifts, what they are printed as, and what is refused."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.signal import correlate as scipy_correlate  # type: ignore[import-untyped]

from cnnfilter.arrays import Array, Doubles
from tests.cli.commands import files, read_lines
from tests.cli.conftest import Run
from tests.cli.pictures import GRAY, load, rows, save, text_of


@pytest.fixture
def scene(folder: Path, photo: Path) -> Array:
    """Return a photo, which is `photo.png` here; `patch.png` is a part of it from row 70, column 90 on."""
    pixels = load(photo)[:200, 100:350]
    save(folder / "photo.png", pixels)
    save(folder / "patch.png", pixels[70:110, 90:125])
    return pixels


def luma(pixels: Array) -> Doubles:
    """Return the grey of colours."""
    return np.asarray(pixels @ np.array(GRAY))


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_the_map_of_images_is_the_correlation_of_their_luma(run: Run, folder: Path, scene: Array, mode: str) -> None:
    run("correlate", "photo.png", "--with", "patch.png", "--mode", mode, "-o", "map.npy")
    image, pattern = luma(scene), luma(scene[70:110, 90:125])
    expected = scipy_correlate(image, pattern, mode)
    scale = np.sqrt((image**2).sum() * (pattern**2).sum())
    assert np.abs(np.load(folder / "map.npy") - expected).max() <= 1e-9 * scale


def test_matrices_are_printed_and_a_row_is_a_signal(run: Run, folder: Path) -> None:
    (folder / "a.txt").write_text("1 2 3\n")
    (folder / "b.txt").write_text("1 0.5\n")
    assert run("correlate", "a.txt", "--with", "b.txt").stdout == "0.5 2 3.5 3\n"
    assert run("correlate", "a.txt").stdout == "3 8 14 8 3\n"
    assert run("correlate", "a.txt", "--with", "b.txt", "--mode", "valid").stdout == "2 3.5\n"
    assert run("correlate", "-", "--with", "b.txt", "--mode", "same", given="1 2 3\n").stdout == "0.5 2 3.5\n"


def test_whole_numbers_stay_whole_in_large_matrices(run: Run, folder: Path) -> None:
    matrix = np.random.default_rng(1).integers(0, 256, (30, 40)).astype(float)
    (folder / "a.txt").write_text(text_of(matrix))
    printed = rows(run("correlate", "a.txt").stdout)
    assert np.array_equal(printed, scipy_correlate(matrix, matrix, method="direct"))


def test_an_image_shows_the_map_from_black_to_white(run: Run, folder: Path, scene: Array) -> None:
    run("correlate", "photo.png", "--with", "patch.png", "--normalize", "ncc", "-o", "map.png")
    levels = load(folder / "map.png")
    assert levels.shape == (scene.shape[0] - 39, scene.shape[1] - 34)
    assert levels.min() == 0
    assert levels[70, 90] == levels.max() == 255


@pytest.mark.usefixtures("scene")
def test_a_part_of_an_image_is_found_where_it_was_cut_out(run: Run) -> None:
    first, *others = run("correlate", "photo.png", "--with", "patch.png", "--peaks", "3").stdout.splitlines()
    assert first == "70 90 1"
    assert len(others) == 2
    (line,) = read_lines(run("correlate", "photo.png", "--with", "patch.png", "--peaks", "1", "--json").stdout)
    peak = {"dy": 70, "dx": 90, "value": pytest.approx(1)}
    assert line == {"input": "photo.png", "with": "patch.png", "normalize": "ncc", "peaks": [peak]}


def test_the_period_of_a_texture_is_printed(run: Run, folder: Path) -> None:
    tile = np.random.default_rng(2).integers(0, 256, (13, 18)).astype(np.uint8)
    save(folder / "texture.png", np.tile(tile, (7, 7)))
    printed = rows(run("correlate", "texture.png", "--peaks", "5").stdout)
    assert printed[:, :2].tolist() == [[0, 0], [-13, 0], [13, 0], [0, -18], [0, 18]]
    assert np.allclose(printed[:, 2], 1)


def test_a_shift_is_printed_to_a_tenth_of_a_pixel(run: Run, folder: Path, photo: Path) -> None:
    turned = np.array([[1, 0, 7.3], [0, 1, -4.6]])
    pixels = load(photo)
    moved = cv2.warpAffine(pixels, turned, pixels.shape[1::-1], flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    save(folder / "first.png", pixels[60:300, 60:360])
    save(folder / "second.png", moved[60:300, 60:360])
    assert run("correlate", "first.png", "--with", "second.png", "--shift").stdout == "-4.6 7.3\n"
    assert run("correlate", "second.png", "--with", "first.png", "--shift").stdout == "4.6 -7.3\n"
    (line,) = read_lines(run("correlate", "first.png", "--with", "second.png", "--shift", "--json").stdout)
    assert line["shift"]["dy"] == pytest.approx(-4.6, abs=0.05)
    assert line["normalize"] == "phase"


@pytest.mark.usefixtures("scene")
def test_where_no_overlap_can_be_compared_there_is_no_peak(run: Run) -> None:
    result = run("correlate", "patch.png", "--with", "photo.png", "--peaks", "1", status=1)
    assert result.stdout == ""
    assert result.stderr == (
        "cnnfilter: patch.png: there is no peak: every overlap is flat, or covers less than half of the pattern\n"
    )


def test_several_inputs_are_each_named(run: Run, folder: Path, scene: Array) -> None:
    save(folder / "other.png", scene[20:, 30:])
    lines = run("correlate", "photo.png", "other.png", "--with", "patch.png", "--peaks", "1").stdout.splitlines()
    assert lines == ["# photo.png", "70 90 1", "# other.png", "50 60 1"]
    read = read_lines(
        run("correlate", "photo.png", "other.png", "--with", "patch.png", "--peaks", "1", "--json").stdout
    )
    assert [line["input"] for line in read] == ["photo.png", "other.png"]


@pytest.mark.usefixtures("scene")
def test_a_map_is_written_beside_the_peaks_and_skipped_when_up_to_date(run: Run, folder: Path) -> None:
    words = ("correlate", "photo.png", "--with", "patch.png", "--peaks", "1", "-o", "{stem}-map.png", "--update")
    assert run(*words).stdout == "70 90 1\n"
    first = (folder / "photo-map.png").stat().st_mtime_ns
    assert run(*words).stdout == "70 90 1\n"
    assert (folder / "photo-map.png").stat().st_mtime_ns == first


def test_a_newer_pattern_makes_the_map_anew(run: Run, folder: Path, scene: Array) -> None:
    words = ("correlate", "photo.png", "--with", "patch.png", "-o", "map.png", "--update")
    run(*words)
    before = (folder / "map.png").read_bytes()
    save(folder / "patch.png", scene[:30, :20])
    os.utime(folder / "map.png", (0, 0))  # older than all that it is made of
    run(*words)
    assert (folder / "map.png").read_bytes() != before
    refused = run("correlate", "photo.png", "--with", "patch.png", "-o", "patch.png", status=2)
    assert "patch.png: the output is read too" in refused.stderr


def test_the_first_page_of_a_pattern_is_used_with_a_warning(run: Run, folder: Path, scene: Array) -> None:
    pages = [Image.fromarray(part) for part in (scene[70:110, 90:125], scene[:40, :35])]
    pages[0].save(folder / "pages.tif", save_all=True, append_images=pages[1:])
    found = run("correlate", "photo.png", "--with", "pages.tif", "--peaks", "1")
    assert found.stdout == "70 90 1\n"
    assert found.stderr == "cnnfilter: warning: pages.tif: the first of 2 pages is used as the pattern\n"


def test_the_help_names_the_range_that_holds(run: Run) -> None:
    shown = " ".join(run("correlate", "--help").stdout.split())
    assert "Default: scale; none for floats." in shown
    assert "--own-scales" not in shown


REFUSED = {
    "no output": (("photo.png",), 2, "needs an output"),
    "a pattern larger than the image": (
        ("patch.png", "--with", "photo.png", "--mode", "valid", "-o", "x.png"),
        1,
        "patch.png: correlate:photo.png: the pattern, 200x250, is larger than the image, 40x35, and --mode valid keeps"
        " it within; --mode full lets it reach beyond",
    ),
    "a flat image under ncc": (
        ("flat.png", "--normalize", "ncc", "-o", "x.png"),
        1,
        "flat.png: the image is flat: ncc divides by its contrast, which is 0",
    ),
    "a flat pattern under ncc": (
        ("photo.png", "--with", "flat.png", "--peaks", "2"),
        1,
        "photo.png: the pattern is flat: ncc divides by its contrast, which is 0",
    ),
    "an image and a matrix": (
        ("photo.png", "--with", "one.txt", "--peaks", "2"),
        1,
        "photo.png: the input is an image and one.txt a matrix; both are one kind; `cnnfilter convolve -k one.txt`"
        " lays a matrix on an image",
    ),
    "a matrix and an image": (
        ("one.txt", "--with", "photo.png"),
        1,
        "one.txt: the input is a matrix and photo.png an image; both are one kind",
    ),
    "channels of a matrix": (("deep.npy",), 1, "deep.npy: the matrix has 3 channels, and a correlation takes one"),
    "channels of a pattern": (("one.txt", "--with", "deep.npy"), 2, "deep.npy: the matrix has 3 channels"),
    "nan": (("nan.txt",), 1, "nan.txt: nan or infinity among the values: every sum of products would be nan"),
    "nan in the pattern": (("one.txt", "--with", "nan.txt"), 2, "nan.txt: nan or infinity among the values"),
    "no pattern": (("photo.png", "--with", "none.png", "--peaks", "2"), 2, "none.png: No such file or directory"),
    "a shift against nothing": (("photo.png", "--shift"), 2, "--shift needs --with FILE"),
    "a shift and peaks": (("photo.png", "--with", "patch.png", "--shift", "--peaks", "1"), 2, "go one at a time"),
    "a shift within": (("photo.png", "--with", "patch.png", "--shift", "--mode", "valid"), 2, "--mode valid leaves"),
    "phase within": (
        ("photo.png", "--normalize", "phase", "--mode", "same", "-o", "x.png"),
        2,
        "--normalize phase takes --mode full alone, not same",
    ),
    "JSON of a map": (("photo.png", "--json", "-o", "x.png"), 2, "--json needs --peaks N or --shift"),
    "peaks and a map on one stream": (
        ("one.txt", "--peaks", "1", "-o", "-"),
        2,
        "all print on standard output; use -o FILE",
    ),
    "a part of the peaks": (("one.txt", "--peaks", "1", "--region", "0:1,0:1"), 2, "--peaks goes by the whole"),
    "light": (("photo.png", "--linear", "-o", "x.png"), 2, "No such option"),
}


@pytest.mark.usefixtures("scene")
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_correlated_is_one_line_and_nothing_is_written(run: Run, folder: Path, case: str) -> None:
    save(folder / "flat.png", np.full((9, 9), 7, np.uint8))
    (folder / "one.txt").write_text("1 2; 3 4\n".replace("; ", "\n"))
    (folder / "nan.txt").write_text("1 nan\n")
    np.save(folder / "deep.npy", np.ones((4, 4, 3)))
    before = files(folder)
    words, status, message = REFUSED[case]
    result = run("correlate", *words, status=status)
    assert message in result.stderr
    assert status == 2 or result.stderr == f"cnnfilter: {message}\n"
    assert result.stdout == ""
    assert files(folder) == before
