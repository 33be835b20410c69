"""`--region`: the slice of a result that numpy takes, from the file that the command makes without it."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfilter.arrays import Array
from cnnfilter.errors import ShapeError
from cnnfilter.nn.geometry import as_region
from tests.cli.conftest import Run
from tests.cli.pictures import correlated, load, rows, save

SHARPEN = np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]])
GENERATOR = np.random.default_rng(11)

COMMANDS = {
    "convolve": ("convolve", "-k", "sharpen", "-q"),
    "same": ("convolve", "-k", "gaussian:7:2", "-p", "same", "--border", "reflect"),
    "stride": ("convolve", "-k", "box:5", "-s", "2x3", "-p", "2"),
    "gray": ("convolve", "-k", "sobel-x", "--channels", "gray", "--range", "abs"),
    "luma": ("convolve", "-k", "sharpen", "--channels", "luma", "-q"),
    "linear": ("convolve", "-k", "gaussian:9", "--linear"),
    "scale": ("convolve", "-k", "laplacian-4", "--range", "scale"),
    "max": ("convolve", "-k", "sobel-y", "--range", "max", "-q"),
    "offset": ("convolve", "-k", "emboss", "--range", "offset", "-q"),
    "sixteen": ("convolve", "-k", "gaussian:5", "--depth", "16"),
    "resize": ("convolve", "-k", "gaussian:5", "--resize", "31x29"),
    "pool": ("pool", "--size", "2"),
    "average": ("pool", "-m", "avg", "--size", "3", "-s", "1", "-p", "1"),
    "channels": ("pool", "--over", "channels"),
    "pipeline": ("pipeline", "dwconv:gaussian:5,same relu maxpool:3,s1"),
    "equalize": ("pipeline", "gray equalize"),
    "block": ("pipeline", "res(dwconv:box:3,same | relu)", "--range", "scale"),
}
EVERY_COMMAND = pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)


def indices(text: str) -> tuple[slice, slice]:
    """Return the slices of numpy that a text writes."""
    height, width = (slice(*(int(end) if end else None for end in part.strip().split(":"))) for part in text.split(","))
    return height, width


@pytest.fixture
def picture(folder: Path) -> Array:
    """Return 41x37 RGB pixels, which lie in `folder` as `a.png`."""
    pixels = GENERATOR.integers(0, 256, (41, 37, 3)).astype(np.uint8)
    save(folder / "a.png", pixels)
    return pixels


@pytest.mark.usefixtures("picture")
@EVERY_COMMAND
@pytest.mark.parametrize("region", ["2:9,3:5", "-4:, :-2", ":1,-1:"])
def test_the_file_is_a_crop_of_the_whole(run: Run, command: tuple[str, ...], region: str) -> None:
    run(*command, "a.png", "-o", "whole.png")
    run(*command, "a.png", "-o", "part.png", "--region", region)
    expected = load("whole.png")[indices(region)]
    assert np.array_equal(load("part.png"), expected)
    size = "x".join(map(str, expected.shape))
    foretold = run(*command, "a.png", "-o", "new.png", "--region", region, "--dry-run").stdout
    assert foretold == f"a.png 41x37x3 -> new.png {size}\n"


@pytest.mark.usefixtures("picture")
@EVERY_COMMAND
def test_floats_are_those_of_the_whole_to_the_last_bit(run: Run, command: tuple[str, ...]) -> None:
    run(*command, "a.png", "-o", "whole.npy")
    run(*command, "a.png", "-o", "part.npy", "--region", "3:-2,1:7")
    assert np.array_equal(np.load("part.npy"), np.load("whole.npy")[3:-2, 1:7])


def test_without_an_output_the_floats_are_printed_channel_after_channel(run: Run, picture: Array) -> None:
    expected = correlated(picture, SHARPEN)[10:13, 20:24]
    printed = run("convolve", "a.png", "-k", "sharpen", "--region", "10:13,20:24").stdout
    assert printed.count("\n\n") == 2
    assert np.array_equal(rows(printed), expected)
    for command in (("pool", "--size", "1"), ("pipeline", "relu")):
        assert np.array_equal(rows(run(*command, "a.png", "--region", ":2,:3").stdout), picture[:2, :3])


@pytest.mark.usefixtures("picture")
def test_several_kernels_are_printed_one_by_one(run: Run) -> None:
    lines = run("convolve", "a.png", "-k", "box:3", "-k", "sharpen", "--region", ":1,:1").stdout.splitlines()
    assert [line for line in lines if line.startswith("#")] == ["# a.png dwconv:box:3", "# a.png dwconv:sharpen"]


@pytest.mark.parametrize("kernel", ["sharpen", "gaussian:25:6"])
def test_a_region_of_a_result_that_is_made_in_strips_is_the_same(run: Run, folder: Path, kernel: str) -> None:
    pixels = GENERATOR.integers(0, 256, (1300, 800, 3)).astype(np.uint8)
    save(folder / "big.png", pixels)
    words = ("convolve", "big.png", "-k", kernel, "-p", "same", "-q")
    run(*words, "-o", "whole.npy")
    run(*words, "-o", "whole.ppm")
    for region in ("600:700,300:420", "1299:,:", ":3,700:701"):
        run(*words, "--region", region, "-o", "part.npy")
        run(*words, "--region", region, "-o", "part.ppm")
        assert np.array_equal(np.load("part.npy"), np.load("whole.npy")[indices(region)])
        assert np.array_equal(load("part.ppm"), load("whole.ppm")[indices(region)])


def test_alpha_and_a_background_are_cropped_alike(run: Run, folder: Path) -> None:
    pixels = GENERATOR.integers(0, 256, (13, 15, 4)).astype(np.uint8)
    save(folder / "clear.png", pixels)
    for words in (("-k", "box:3", "-o", "{}.png"), ("-k", "box:3", "-o", "{}.ppm", "--background", "red")):
        whole, part = (tuple(word.format(name) for word in words) for name in ("whole", "part"))
        run("convolve", "clear.png", *whole)
        run("convolve", "clear.png", *part, "--region", "2:5,-3:")
        assert np.array_equal(load(part[3]), load(whole[3])[2:5, -3:])
    assert run("convolve", "clear.png", "-k", "box:3", "--region", ":1,:1").stdout.count("\n\n") == 3


def test_nan_beside_a_region_stays_out_of_it(run: Run, folder: Path) -> None:
    values = GENERATOR.random((6, 7)).astype(np.float32)
    values[0, 0] = np.nan
    np.save(folder / "m.npy", values)
    assert np.array_equal(rows(run("pool", "m.npy", "--size", "1", "--region", "1:,:").stdout), values[1:])


def test_every_page_is_cropped_and_goes_by_the_extremes_of_all(run: Run, folder: Path) -> None:
    pages = [GENERATOR.integers(0, 256 >> number, (9, 8, 3)).astype(np.uint8) for number in range(3)]
    cv2.imwritemulti(str(folder / "pages.tif"), pages)
    words = ("pool", "pages.tif", "--size", "1", "--range", "scale")
    run(*words, "-o", "whole.tif")
    run(*words, "--region", "2:7,1:5", "-o", "part.tif")
    run(*words, "--region", "2:7,1:5", "-o", "part.gif")
    (_, whole), (_, part) = (cv2.imreadmulti(name, flags=cv2.IMREAD_UNCHANGED) for name in ("whole.tif", "part.tif"))
    assert len(part) == 3
    assert all(np.array_equal(one, page[2:7, 1:5]) for one, page in zip(part, whole, strict=True))
    assert [frame.shape[:2] for frame in cv2.imreadanimation("part.gif")[1].frames] == [(5, 4)] * 3


@pytest.mark.usefixtures("picture")
@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        pytest.param(
            ("pool", "--size", "1", "--region", "0:42,:"), 1, "outside the result, which has 41 rows", id="below"
        ),
        pytest.param(("pool", "--size", "1", "--region", ":,-38:"), 1, "which has 37 columns", id="before"),
        pytest.param(("pool", "--size", "1", "--region", "5:5,:"), 1, "5:5,: is empty", id="empty"),
        pytest.param(("pipeline", "flatten", "--region", ":,:"), 1, "the result is a vector of 4551", id="vector"),
        pytest.param(("pool", "--region", "3,4"), 2, "'3,4' is not Y1:Y2,X1:X2", id="point"),
        pytest.param(("pool", "--region", "0:9:2,:"), 2, "is not Y1:Y2,X1:X2", id="step"),
        pytest.param(("pool", "--region", ":,:", "--plot", "x.png"), 2, "--plot goes by the whole", id="plot"),
        pytest.param(("pool", "--region", ":,:", "--explain", "0,0"), 2, "--explain goes by the whole", id="explain"),
        pytest.param(("pool", "--region", ":,:", "--animate", "x.gif"), 2, "--animate goes by the whole", id="animate"),
        pytest.param(
            ("pipeline", "relu@r", "--save", "r", "--region", ":,:"), 2, "--save goes by the whole", id="save"
        ),
        pytest.param(("pipeline", "gap flatten", "--top", "1", "--region", ":,:"), 2, "--top goes by", id="top"),
    ],
)
def test_what_has_no_such_part_is_an_error_and_nothing_is_written(
    run: Run, words: tuple[str, ...], status: int, reason: str
) -> None:
    output = () if "flatten" in words else ("-o", "x.png")
    said = run(*words, "a.png", *output, status=status)
    assert reason in said.stderr
    assert said.stdout == ""
    assert not Path("x.png").exists()


ENDS = st.none() | st.integers(-12, 12)


@given(size=st.tuples(st.integers(1, 9), st.integers(1, 9)), ends=st.tuples(ENDS, ENDS, ENDS, ENDS))
def test_a_region_is_numpys_slice_or_outside(
    size: tuple[int, int], ends: tuple[int | None, int | None, int | None, int | None]
) -> None:
    array = np.arange(size[0] * size[1]).reshape(size)
    top, bottom, left, right = ("" if end is None else str(end) for end in ends)
    region = as_region(f"{top}:{bottom},{left}:{right}")
    expected = array[slice(ends[0], ends[1]), slice(ends[2], ends[3])]
    inside = all(end is None or abs(end) <= side for end, side in zip(ends, np.repeat(size, 2), strict=True))
    if inside and expected.size:
        assert np.array_equal(array[region.cut((*size, 1))], expected)
    else:
        with pytest.raises(ShapeError):
            region.cut((*size, 1))


def test_global_pools_print_their_numbers_without_an_output(run: Run, picture: Array) -> None:
    assert rows(run("pool", "a.png", "--global").stdout).ravel().tolist() == picture.max(axis=(0, 1)).tolist()
    means = rows(run("pool", "a.png", "--global", "-m", "avg").stdout).ravel()
    assert np.allclose(means, picture.mean(axis=(0, 1)), rtol=1e-6)
    assert np.allclose(rows(run("pipeline", "gap", "a.png").stdout).ravel(), means)
    assert np.allclose(rows(run("pipeline", "gap flatten", "a.png").stdout).ravel(), means)
