"""`--linear`: sRGB is decoded before the filter and encoded after it, by the formulas of IEC 61966-2-1."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy import ndimage  # type: ignore[import-untyped]  # it has no types

from cnnfilter.arrays import Array, Doubles
from tests.cli.conftest import Run
from tests.cli.pictures import GRAY, levels, load, save
from tests.cli.test_resize import EVERY_FILTER, means

BLUR = ("-k", "gaussian:5", "-p", "same", "--border", "reflect")


def decoded(shares: Array) -> Doubles:
    """Return the light of shares of white, value by value."""
    return np.array([x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in np.ravel(shares)]).reshape(
        np.shape(shares)
    )


def encoded(light: Array) -> Doubles:
    """Return the shares of white of light, value by value; negative light mirrored."""
    magnitudes = np.abs(np.ravel(light))
    curve = [12.92 * x if x <= 0.0031308 else 1.055 * x ** (1 / 2.4) - 0.055 for x in magnitudes]
    return np.copysign(np.reshape(curve, np.shape(light)), light)


def blurred(light: Array) -> Doubles:
    """Return what the kernel of `BLUR` makes of each channel."""
    return np.asarray(ndimage.gaussian_filter(light, 5 / 6, mode="mirror", radius=2, axes=(0, 1)))


def test_black_and_white_blurred_are_188_and_not_128(run: Run, folder: Path) -> None:
    board = np.indices((8, 8)).sum(axis=0) % 2 * 255
    save(folder / "board.png", board.astype(np.uint8))
    run("convolve", "board.png", "-k", "box:2", "--linear", "-o", "out.png")
    assert (load("out.png") == 188).all()
    run("pool", "board.png", "-m", "avg", "--linear", "-o", "out.png")
    assert (load("out.png") == 188).all()
    run("pipeline", "avgpool:2", "board.png", "--linear", "-o", "out.png")
    assert (load("out.png") == 188).all()
    run("convolve", "board.png", "-k", "identity:1", "--resize", "4", "--linear", "-o", "out.png")
    assert (load("out.png") == 188).all()


@pytest.mark.parametrize(("kind", "white"), [(np.uint8, 255), (np.uint16, 65535)])
@EVERY_FILTER
def test_every_level_comes_back(
    run: Run, folder: Path, command: tuple[str, ...], kind: type[np.unsignedinteger], white: int
) -> None:
    every = np.arange(white + 1, dtype=kind).reshape(16, -1)
    save(folder / "levels.png", every)
    run(*command, "levels.png", "--linear", "-o", "out.png")
    assert np.array_equal(load("out.png"), every)


@pytest.mark.parametrize(("kind", "white"), [(np.uint8, 255), (np.uint16, 65535)])
def test_colours_are_blurred_as_light(run: Run, folder: Path, kind: type[np.unsignedinteger], white: int) -> None:
    pixels = np.random.default_rng(2).integers(0, white + 1, (17, 23, 3)).astype(kind)
    save(folder / "a.png", pixels)
    run("convolve", "a.png", *BLUR, "--linear", "-o", "out.png")
    expected = levels(white * encoded(blurred(decoded(pixels / white))), white)
    assert np.abs(load("out.png").astype(int) - expected).max() <= (white > 255)
    run("convolve", "a.png", *BLUR, "--linear", "--depth", "16", "-o", "deep.png")
    deep = levels(65535 * encoded(blurred(decoded(pixels / white))), 65535)
    assert np.abs(load("deep.png").astype(int) - deep).max() <= 1


def test_floats_are_shares_of_white_and_go_on_beyond_it(run: Run, folder: Path) -> None:
    values = np.linspace(-0.5, 2, 12, dtype=np.float32).reshape(3, 4)
    cv2.imwrite(str(folder / "a.pfm"), values)
    said = run("convolve", "a.pfm", "-k", "1 1", "--linear", "-o", "out.tif").stderr
    assert said.startswith("cnnfilter: warning: a.pfm: its floats go beyond 1, as linear light does")
    light = np.copysign(decoded(np.abs(values)), values)
    assert np.allclose(load("out.tif"), encoded(light[:, :-1] + light[:, 1:]), atol=1e-6)


def test_light_beyond_all_floats_is_infinite_without_a_warning_of_numpy(run: Run, folder: Path) -> None:
    cv2.imwrite(str(folder / "a.pfm"), np.array([[1e30, 2.0]], np.float32))
    run("convolve", "a.pfm", "-k", "identity:1", "--linear", "-o", "out.tif")
    assert np.allclose(load("out.tif"), [[np.inf, 2]])


def test_nan_stays_where_it_is(run: Run, folder: Path) -> None:
    cv2.imwrite(str(folder / "a.pfm"), np.array([[0.25, np.nan, np.inf, 0.5]], np.float32))
    run("convolve", "a.pfm", "-k", "identity:1", "--linear", "-o", "out.tif")
    assert np.allclose(load("out.tif"), [[0.25, np.nan, np.inf, 0.5]], equal_nan=True)


def test_alpha_is_no_light(run: Run, folder: Path) -> None:
    pixels = np.random.default_rng(5).integers(0, 256, (6, 7, 4)).astype(np.uint8)
    pixels[:, 0, 3] = 0
    save(folder / "a.png", pixels)
    run("convolve", "a.png", "-k", "box:3", "--linear", "-o", "out.png")
    run("convolve", "a.png", "-k", "box:3", "-o", "plain.png")
    out = load("out.png")
    assert np.array_equal(out[:, :, 3], load("plain.png")[:, :, 3])
    alpha = pixels[:, :, 3:] / 255
    weights = np.ones((3, 3, 1))
    sums = ndimage.correlate(decoded(pixels[:, :, :3] / 255) * alpha, weights) / ndimage.correlate(alpha, weights)
    assert np.abs(out[:, :, :3].astype(int) - levels(255 * encoded(sums[1:-1, 1:-1]))).max() <= 1


def test_bias_grey_and_range_are_where_the_help_says(run: Run, colours: Array) -> None:
    light = decoded(colours / 255)
    run("convolve", "colours.png", "-k", "identity:1", "--bias", "51", "--linear", "-o", "out.png")
    assert np.array_equal(load("out.png"), levels(255 * encoded(light + 0.2)))
    run("convolve", "colours.png", "-k", "identity:1", "--channels", "gray", "--linear", "-o", "out.png")
    assert np.array_equal(load("out.png"), levels(255 * encoded(light @ np.array(GRAY))))
    run("convolve", "colours.png", "-k", "1 -1", "--range", "abs", "--linear", "-o", "out.png")
    assert np.array_equal(load("out.png"), levels(255 * encoded(np.abs(light[:, :-1] - light[:, 1:]))))
    run("convolve", "colours.png", "-k", "1 -1", "--range", "scale", "--linear", "-o", "out.png")
    found = encoded(light[:, :-1] - light[:, 1:])
    scaled = levels(255 * (found - found.min()) / np.ptp(found))
    assert np.abs(load("out.png").astype(int) - scaled).max() <= 1  # ties


def test_saved_layers_and_figures_show_levels(run: Run, folder: Path) -> None:
    board = (np.indices((8, 8)).sum(axis=0) % 2 * 255).astype(np.uint8)
    save(folder / "board.png", board)
    run("pipeline", "avgpool:2@a relu", "board.png", "--linear", "--save", "a", "-o", "maps/")
    assert (load("maps/board-a.png") == 188).all()
    run("pipeline", "avgpool:2", "board.png", "--linear", "--plot", "a.png")
    drawn = load("a.png")
    panel = drawn[:, drawn.shape[1] // 2 :, 0]
    assert np.isin(panel, (187, 188)).mean() > 0.3


def test_pages_are_light_too(run: Run, folder: Path) -> None:
    pages = [np.full((4, 4), 0, np.uint8), (np.indices((4, 4)).sum(axis=0) % 2 * 255).astype(np.uint8)]
    cv2.imwritemulti(str(folder / "pages.tif"), pages)
    run("pool", "pages.tif", "-m", "avg", "--linear", "-o", "out.tif")
    _, stored = cv2.imreadmulti("out.tif", flags=cv2.IMREAD_UNCHANGED)
    assert [int(page.max()) for page in stored] == [0, 188]


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        pytest.param(
            ("convolve", "m.txt", "-k", "box:2"), 1, "m.txt: a matrix has no sRGB levels to decode", id="matrix"
        ),
        pytest.param(("pool", "a.png", "--explain", "0,0"), 2, "--linear does not go with --explain", id="explain"),
        pytest.param(("pool", "a.png", "--animate", "x.gif"), 2, "--linear does not go with --animate", id="animate"),
        pytest.param(("pipeline", "relu", "a.png", "--mean", "1", "-o", "x.png"), 2, "--mean and --std", id="mean"),
        pytest.param(("pipeline", "flatten", "a.png", "--top", "1"), 2, "--linear does not go with --top", id="top"),
    ],
)
def test_what_is_no_light_is_refused(
    run: Run, colours: Array, words: tuple[str, ...], status: int, reason: str
) -> None:
    save(Path("a.png"), colours)
    Path("m.txt").write_text("0 1\n1 0\n")
    assert reason in run(*words, "--linear", status=status).stderr
    assert not Path("x.png").exists()


def test_a_smaller_image_is_a_mean_of_light(run: Run, folder: Path) -> None:
    pixels = np.random.default_rng(6).integers(0, 256, (12, 16, 3)).astype(np.uint8)
    save(folder / "a.png", pixels)
    run("pool", "a.png", "--size", "1", "--resize", "3x4", "--linear", "-o", "out.png")
    assert np.array_equal(load("out.png"), levels(255 * encoded(means(decoded(pixels / 255), 4))))
