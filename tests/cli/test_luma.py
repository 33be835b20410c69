"""`--channels luma`: the luma of Rec. 601 is filtered, and the colours stay."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy import ndimage  # type: ignore[import-untyped]  # it has no types

from cnnfilter.arrays import Array, Doubles
from tests.cli.conftest import Run
from tests.cli.pictures import GRAY, correlated, levels, load, save
from tests.cli.test_linear import decoded, encoded

SHARPEN = np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]])
GENERATOR = np.random.default_rng(9)


def luma_of(pixels: Array) -> Doubles:
    """Return the luma of (H, W, 3), (H, W)."""
    return np.asarray(pixels @ np.array(GRAY))


def test_the_difference_that_a_kernel_makes_to_the_luma_is_added_to_the_colours(run: Run, colours: Array) -> None:
    assert run("convolve", "colours.png", "-k", "sharpen", "--channels", "luma", "-o", "out.npy").stderr == ""
    luma = luma_of(colours)
    expected = colours[1:-1, 1:-1] + (correlated(luma, SHARPEN) - luma[1:-1, 1:-1])[:, :, None]
    assert np.allclose(np.load("out.npy"), expected, atol=1e-3)
    words = ("convolve", "colours.png", "-k", "sharpen", "--channels", "luma", "-o", "new.png", "--dry-run")
    assert run(*words).stdout == "colours.png 21x26x3 -> new.png 19x24x3\n"


@pytest.mark.parametrize("border", ["zero", "edge", "reflect", "symmetric", "wrap", "constant:77"])
@pytest.mark.parametrize("padding", ["same", "full"])
def test_colours_are_those_under_the_centre_whatever_the_padding(
    run: Run, colours: Array, border: str, padding: str
) -> None:
    """Identity leaves the image, and beyond its edge what padding holds: nothing grey gets a colour."""
    words = ("-k", "0 0 0 0 0; 0 0 0 0 0; 0 0 1 0 0; 0 0 0 0 0; 0 0 0 0 0", "-p", padding, "--border", border)
    run("convolve", "colours.png", *words, "--channels", "luma", "-o", "out.png")
    run("convolve", "colours.png", *words, "-o", "each.png")
    assert np.array_equal(load("out.png"), load("each.png"))


def test_strides_take_the_colours_with_them(run: Run, colours: Array) -> None:
    words = ("-k", "sharpen", "-s", "2x3", "-p", "1", "--channels", "luma", "-o", "out.npy")
    run("convolve", "colours.png", *words)
    luma = luma_of(colours)
    whole = colours + (ndimage.correlate(luma, SHARPEN, mode="constant") - luma)[:, :, None]
    assert np.allclose(np.load("out.npy"), whole[::2, ::3], atol=1e-3)


def test_bias_activation_and_combine_are_of_the_luma(run: Run, colours: Array) -> None:
    luma = luma_of(colours)
    run("convolve", "colours.png", "-k", "identity:1", "--bias", "9", "--channels", "luma", "-o", "out.npy")
    assert np.allclose(np.load("out.npy"), colours + 9.0, atol=1e-3)
    kernels = ("-k", "sobel-x", "-k", "sobel-y", "--combine", "magnitude", "--activation", "tanh")
    run("convolve", "colours.png", *kernels, "--channels", "luma", "-o", "out.npy")
    x = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    edges = np.tanh(np.hypot(correlated(luma, x), correlated(luma, x.T)))
    expected = colours[1:-1, 1:-1] + (edges - luma[1:-1, 1:-1])[:, :, None]
    assert np.allclose(np.load("out.npy"), expected, atol=1e-3)


@pytest.mark.usefixtures("deep")
@pytest.mark.parametrize("kernel", ["sharpen", "gaussian:7", "unsharp"])
def test_a_grey_image_is_filtered_as_each(run: Run, kernel: str) -> None:
    run("convolve", "deep.png", "-k", kernel, "--border", "edge", "-q", "--channels", "luma", "-o", "luma.png")
    run("convolve", "deep.png", "-k", kernel, "--border", "edge", "-q", "-o", "each.png")
    assert np.array_equal(load("luma.png"), load("each.png"))


def test_colours_of_16_bits_stay_exact(run: Run, folder: Path) -> None:
    pixels = GENERATOR.integers(0, 65536, (9, 8, 3)).astype(np.uint16)
    save(folder / "a.png", pixels)
    run("convolve", "a.png", "-k", "identity:1", "--channels", "luma", "-o", "out.png")
    assert np.array_equal(load("out.png"), pixels)


def test_a_large_image_is_worked_on_in_strips(run: Run, folder: Path) -> None:
    pixels = GENERATOR.integers(0, 256, (1300, 800, 3)).astype(np.uint8)
    save(folder / "a.png", pixels)
    run("convolve", "a.png", "-k", "box:5", "--border", "reflect", "-p", "same", "--channels", "luma", "-o", "out.ppm")
    luma = luma_of(pixels)
    expected = pixels + (ndimage.uniform_filter(luma, 5, mode="mirror") - luma)[:, :, None]
    assert np.abs(load("out.ppm").astype(int) - levels(expected)).max() <= 1  # ties
    assert np.mean(load("out.ppm") != levels(expected)) < 1e-3


def test_alpha_is_carried_over_under_sharpening_and_blurred_under_a_blur(run: Run, folder: Path) -> None:
    pixels = GENERATOR.integers(0, 256, (7, 9, 4)).astype(np.uint8)
    pixels[:, 3:5, 3] = 0
    save(folder / "a.png", pixels)
    for kernel in ("sharpen", "box:3"):
        run("convolve", "a.png", "-k", kernel, "-q", "--channels", "luma", "-o", "luma.png")
        run("convolve", "a.png", "-k", kernel, "-q", "-o", "each.png")
        assert np.array_equal(load("luma.png")[:, :, 3], load("each.png")[:, :, 3])
    alpha, luma = pixels[:, :, 3] / 255, luma_of(pixels[:, :, :3])
    blurred = (correlated(luma * alpha, np.ones((3, 3))) / correlated(alpha, np.ones((3, 3))))[:, :, None]
    inner = (slice(1, -1), slice(1, -1))
    kept = np.where(alpha[:, :, None] > 0, pixels[:, :, :3] - luma[:, :, None], 0)
    assert np.abs(load("luma.png")[:, :, :3].astype(int) - levels(blurred + kept[inner])).max() <= 1
    assert np.ptp(load("luma.png")[:, 3, :3].astype(int), axis=1).max() == 0  # grey where nothing has a colour


def test_light_has_a_luma_too(run: Run, colours: Array) -> None:
    run("convolve", "colours.png", "-k", "box:3", "--channels", "luma", "--linear", "-o", "out.png", "-q")
    light = decoded(colours / 255)
    luma = luma_of(light)
    found = light[1:-1, 1:-1] + (correlated(luma, np.full((3, 3), 1 / 9)) - luma[1:-1, 1:-1])[:, :, None]
    assert np.abs(load("out.png").astype(int) - levels(255 * encoded(found))).max() <= 1


def test_a_photo_is_sharpened_as_pillow_sharpens_its_luma(run: Run, photo: Path) -> None:
    """Pillow cuts Y, Cb and Cr off to whole numbers: its result is darker by a level, and by a few at the most."""
    run("convolve", photo, "-k", "sharpen", "-p", "same", "--border", "edge", "--channels", "luma", "-q", "-o", "a.png")
    run("pool", photo, "--size", "1", "-o", "photo.png")
    with Image.open("photo.png") as image:
        luma, blue, red = image.convert("YCbCr").split()
    kernel = ImageFilter.Kernel((3, 3), SHARPEN.ravel().tolist(), scale=1)
    expected = np.asarray(Image.merge("YCbCr", (luma.filter(kernel), blue, red)).convert("RGB")).astype(int)
    inner = (slice(1, -1), slice(1, -1))
    # Pillow also cuts the luma off at black and white, before colours are added.
    exact = luma_of(load("photo.png").astype(float))
    sharp = ndimage.correlate(exact, SHARPEN)
    inside = ((sharp > 1) & (sharp < 254))[inner]
    difference = (load("a.png").astype(int) - expected)[inner][inside]
    assert np.abs(difference).max() <= 8  # what is cut off counts five times
    assert 0 < difference.mean() < 2


@pytest.mark.usefixtures("colours")
def test_a_figure_has_the_colours(run: Run) -> None:
    run("convolve", "colours.png", "-k", "identity:1", "--channels", "luma", "--plot", "a.png")
    run("convolve", "colours.png", "-k", "identity:1", "--plot", "b.png")
    a, b = load("a.png"), load("b.png")
    assert a.shape == b.shape
    assert np.abs(a.astype(int) - b).mean() < 1


@pytest.mark.usefixtures("colours")
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        pytest.param(("-k", "k.npy", "-o", "x.png"), "kernels of two dimensions, and k.npy is 3x3x3", id="deep"),
        pytest.param(
            ("-k", "box:3", "--explain", "0,0"), "--channels gray shows what is done to the luma", id="explain"
        ),
        pytest.param(("-k", "box:3", "--animate", "x.gif"), "luma does not go with --animate", id="animate"),
    ],
)
def test_what_luma_cannot_do_is_a_usage_error(run: Run, words: tuple[str, ...], reason: str) -> None:
    np.save("k.npy", np.ones((3, 3, 3)))
    assert reason in run("convolve", "colours.png", *words, "--channels", "luma", status=2).stderr
    assert not Path("x.png").exists()
