"""Pictures with invisible pixels: what is not seen colours nothing."""

from pathlib import Path

import numpy as np
import pytest

from cnnfilter.arrays import Array
from cnnfilter.io.encode import encode_image
from tests.cli.conftest import Run
from tests.cli.pictures import GRAY, correlated, load, save

GARISH = {"magenta": (255, 0, 255), "green": (0, 255, 0)}
SOBEL_X = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
SHARPEN = np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]])


@pytest.fixture
def sprite(folder: Path, samples: Path) -> Array:
    """Return the sprite, which lies in `folder` twice: its invisible pixels are magenta, or green."""
    pixels = load(samples / "sprite.png")
    hidden = pixels[:, :, 3] == 0
    for name, colour in GARISH.items():
        pixels[hidden, :3] = colour
        save(folder / f"{name}.png", pixels)
    assert hidden.mean() > 0.2
    return pixels


COMMANDS = [
    ("convolve", "-k", "gaussian:9:2", "-p", "same"),
    ("convolve", "-k", "blur-plus"),
    ("convolve", "-k", "sharpen", "-p", "same"),
    ("convolve", "-k", "sobel-x", "--range", "abs"),
    ("convolve", "-k", "emboss", "-s", "2"),
    ("convolve", "-k", "sobel-x", "-k", "sobel-y", "--combine", "magnitude"),
    ("convolve", "-k", "box:3", "--bias", "20", "--activation", "relu"),
    ("pool",),
    ("pool", "-m", "avg", "--size", "5", "-p", "2"),
    ("pool", "-m", "l2", "--range", "max"),
    ("pool", "-m", "min", "--size", "3", "-s", "1"),
    ("pool", "-m", "median", "--size", "3"),
    ("pool", "--global", "-m", "avg"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command).replace("/", ""))
def test_what_lies_under_invisible_pixels_changes_no_visible_one(
    run: Run, sprite: Array, command: tuple[str, ...]
) -> None:
    assert sprite.shape == (64, 64, 4)
    results = []
    for name in GARISH:
        run(*command, f"{name}.png", "-o", f"{name}-out.png", "-q")
        results.append(load(f"{name}-out.png"))
    visible = results[0][:, :, 3] > 0
    assert visible.any()
    assert results[0][visible].std() > 0
    assert np.array_equal(results[0][:, :, 3], results[1][:, :, 3])
    assert np.array_equal(results[0][visible], results[1][visible])


def test_a_blur_weighs_each_pixel_by_its_alpha(run: Run, sprite: Array) -> None:
    run("convolve", "magenta.png", "-k", "gaussian:7:1.5", "-o", "out.png")
    kernel = np.outer(*[np.exp(-(np.arange(-3.0, 4) ** 2) / 4.5)] * 2)
    kernel /= kernel.sum()
    alpha = sprite[:, :, 3] / 255
    coverage = correlated(alpha, kernel)
    stored = load("out.png")
    assert np.abs(stored[:, :, 3] - 255 * coverage).max() <= 0.501
    seen = coverage > 1e-5
    for channel in range(3):
        weighted = correlated(alpha * sprite[:, :, channel], kernel)
        assert np.abs(stored[:, :, channel][seen] - weighted[seen] / coverage[seen]).max() <= 0.51
        assert (stored[:, :, channel][coverage == 0] == 0).all()


def test_a_sum_above_1_brightens_colours_and_not_alpha(run: Run, sprite: Array) -> None:
    run("convolve", "magenta.png", "-k", "1 1; 1 1", "-o", "out.npy", "--range", "none")
    alpha = sprite[:, :, 3] / 255
    coverage = correlated(alpha, np.ones((2, 2)))
    stored = np.load("out.npy")
    assert np.allclose(stored[:, :, 3], 255 * coverage / 4, atol=1e-3)
    seen = coverage > 1e-5
    red = correlated(alpha * sprite[:, :, 0], np.ones((2, 2)))
    assert np.allclose(stored[:, :, 0][seen], 4 * red[seen] / coverage[seen], rtol=1e-4)


@pytest.mark.parametrize(("name", "kernel"), [("sharpen", SHARPEN), ("sobel-x", SOBEL_X)])
def test_a_kernel_with_negative_weights_takes_an_invisible_neighbour_for_the_centre(
    run: Run, sprite: Array, name: str, kernel: Array
) -> None:
    run("convolve", "magenta.png", "-k", name, "-o", "out.npy")
    sprite[sprite[:, :, 3] == 0, :3] = GARISH["magenta"]
    alpha = sprite[:, :, 3] / 255
    stored = np.load("out.npy")
    assert np.allclose(stored[:, :, 3], sprite[1:-1, 1:-1, 3], atol=1e-3)
    for channel in range(3):
        colour = sprite[:, :, channel].astype(np.float64)
        expected = relative(colour, alpha, kernel)
        assert np.allclose(stored[:, :, channel], expected, atol=0.02)


def relative(colour: Array, alpha: Array, kernel: Array) -> Array:
    """Return sum k (r c + (1 - r) c0), r = min(1, a / a0), or 1 where a0 is 0, of each 3x3 window."""
    centre, own = colour[1:-1, 1:-1], alpha[1:-1, 1:-1]
    total = np.zeros_like(centre)
    for (row, column), weight in np.ndenumerate(kernel):
        part = slice(row, row + len(centre)), slice(column, column + centre.shape[1])
        share = np.minimum(1, alpha[part] / np.where(own > 0, own, 1)) * (own > 0) + (own == 0)
        total += weight * (share * colour[part] + (1 - share) * centre)
    return total


@pytest.mark.parametrize("kernel", ["sharpen", "sobel-x", "emboss"])
@pytest.mark.parametrize("level", [255, 128, 1])
def test_an_evenly_translucent_picture_is_filtered_as_an_opaque_one(
    run: Run, folder: Path, kernel: str, level: int
) -> None:
    pixels = np.full((3, 3, 4), 100, np.uint8)
    pixels[1, 2, :3], pixels[0, 1, :3], pixels[:, :, 3] = 140, 80, level
    save(folder / "even.png", pixels)
    run("convolve", "even.png", "-k", kernel, "-o", "out.npy", "-q")
    expected = {"sharpen": 80, "sobel-x": 80, "emboss": 160}[kernel]
    assert np.load("out.npy").ravel().tolist() == [expected] * 3 + [level]


def test_an_opaque_picture_is_filtered_as_if_it_had_no_alpha(run: Run, folder: Path, colours: Array) -> None:
    save(folder / "opaque.png", np.dstack([colours, np.full(colours.shape[:2], 255, np.uint8)]))
    for kernel in ("sharpen", "box:3", "sobel-y"):
        run("convolve", "colours.png", "-k", kernel, "-o", "plain.png", "-q")
        run("convolve", "opaque.png", "-k", kernel, "-o", "opaque-out.png", "-q")
        stored = load("opaque-out.png")
        assert (stored[:, :, 3] == 255).all()
        assert np.array_equal(stored[:, :, :3], load("plain.png"))


def test_a_window_that_sees_nothing_is_black_and_invisible(run: Run, folder: Path) -> None:
    pixels = np.zeros((6, 6, 4), np.uint8)
    pixels[:, :, :3] = GARISH["magenta"]
    pixels[0, 0] = (10, 20, 30, 255)
    save(folder / "dot.png", pixels)
    run("convolve", "dot.png", "-k", "box:3", "-o", "out.png")
    stored = load("out.png")
    assert stored[0, 0].tolist() == [10, 20, 30, 28]
    assert not stored[1:].any()
    assert not stored[:, 1:].any()


@pytest.mark.parametrize(
    "command",
    [
        ("convolve", "-k", "1 1; 1 1", "--channels", "sum"),
        ("convolve", "-k", "1 1; 1 1", "--channels", "gray"),
        ("pool", "--over", "channels"),
    ],
    ids=lambda command: command[-1],
)
def test_one_map_has_no_place_for_alpha_so_that_it_lies_on_black(
    run: Run, sprite: Array, command: tuple[str, ...]
) -> None:
    result = run(*command, "green.png", "-o", "out.npy")
    black = sprite[:, :, :3] * (sprite[:, :, 3:] / 255)
    box = np.ones((2, 2))
    expected = {
        "sum": correlated(black.sum(axis=2), box),
        "gray": correlated(black @ np.array(GRAY), box),
        "channels": black.max(axis=2),
    }[command[-1]]
    assert np.allclose(np.load("out.npy"), expected, rtol=1e-4, atol=0.01)
    assert result.stderr.startswith("cnnfilter: warning: green.png: ")
    assert "no place for alpha" in result.stderr


def test_pipeline_works_on_the_colours_alone_and_says_so(run: Run, sprite: Array) -> None:
    result = run("pipeline", "maxpool:2", "green.png", "-o", "out.png")
    assert result.stderr.startswith("cnnfilter: warning: green.png: ")
    assert "only its colours are used" in result.stderr
    stored = load("out.png")
    assert stored.shape == (32, 32, 3)
    assert np.array_equal(stored, sprite[:, :, :3].reshape(32, 2, 32, 2, 3).max(axis=(1, 3)))
    assert run("pipeline", "maxpool:2", "green.png", "-o", "out.png", "-q").stderr == ""


def test_verbose_names_one_plan_for_a_kernel_that_is_worked_out_level_by_level(run: Run, folder: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 4)).astype(np.uint8)
    pixels[:, :, 3] = np.arange(60)
    save(folder / "ramp.png", pixels)
    stderr = run("convolve", "ramp.png", "-k", "log:17:3", "-p", "same", "-o", "out.png", "-v").stderr
    assert len([line for line in stderr.splitlines() if " in float32: " in line]) == 1


@pytest.mark.parametrize(("least", "greatest"), [(0, 1), (0, 255), (-1, 1)])
def test_alpha_in_floats_beyond_its_range_is_told(run: Run, folder: Path, least: float, greatest: float) -> None:
    pixels = np.full((6, 6, 4), 0.5, np.float32)
    pixels[0, 0, 3], pixels[0, 1, 3] = least, greatest
    (folder / "a.tif").write_bytes(bytes(encode_image(pixels, "a.tif")))
    told = run("convolve", "a.tif", "-k", "1", "-o", "out.tif").stderr
    assert ("alpha in floats goes from 0 to 1" in told) == ((least, greatest) != (0, 1))
