"""Augmentation: what each step does to an image and its mask, beside Pillow, scipy and numpy."""

import colorsys

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from scipy import ndimage  # type: ignore[import-untyped]

from cnnfilter.arrays import Array
from cnnfilter.errors import ShapeError
from cnnfilter.learn.augment import apply, augment, draw, make_generator, move_mask
from cnnfilter.learn.steps import KINDS, output_shape, parse_steps


@pytest.fixture
def image() -> Array:
    """Return smooth colours with an edge, (60, 80, 3) of 8 bits."""
    rows, columns = np.mgrid[:60, :80]
    planes = [rows * 4, columns * 3, 128 + 100 * np.sin(rows / 7) * np.cos(columns / 9)]
    pixels = np.stack(planes, axis=2)
    pixels[20:30, 30:50] = 250, 20, 90
    return pixels.round().astype(np.uint8)


def done(image: Array, text: str, name: str = "a.png", **given: object) -> Array:
    return augment(image, parse_steps(text), make_generator(0, name, 1), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [(), (1,), (3,), (5,)])
def test_every_step_keeps_the_type_and_gives_the_size_that_was_foreseen(
    name: str, dtype: type, channels: tuple[int, ...]
) -> None:
    steps = parse_steps(KINDS[name].example.replace("224x224", "20x30").replace(",p=0.1", ""))
    image: Array = np.random.default_rng(0).integers(0, 200, (40, 50, *channels)).astype(dtype)
    before = image.copy()
    result = augment(image, steps, make_generator(1, "a", 1))
    assert result.dtype == dtype
    assert result.shape == output_shape(steps, image.shape)
    assert (image == before).all()


def test_quarter_turns_and_whole_pixels_are_exact(image: Array) -> None:
    square = image[:, :60]
    assert (done(square, "rotate:90") == np.rot90(square)).all()
    assert (done(image, "rotate:180") == image[::-1, ::-1]).all()
    assert (done(image, "shift:5")[5:, 5:] == image[:-5, :-5]).all()
    assert (done(image, "shift:5")[:5] == 0).all()
    assert (done(image, "flip,p=1") == image[:, ::-1]).all()
    assert (done(image, "flip:v,p=1") == image[::-1]).all()
    assert (done(image, "pad:2x3,border=reflect") == np.pad(image, ((2, 2), (3, 3), (0, 0)), "reflect")).all()
    assert (done(image, "scale:1 shear:0 blur:0 brightness:1 contrast:1 saturation:1") == image).all()


COSINE, SINE = np.cos(np.radians(25)), np.sin(np.radians(25))


@pytest.mark.parametrize(
    ("text", "matrix"),
    [
        ("rotate:25", [[COSINE, SINE], [-SINE, COSINE]]),
        ("scale:1.3", [[1 / 1.3, 0], [0, 1 / 1.3]]),
        ("shear:20", [[1, 0], [np.tan(np.radians(20)), 1]]),
    ],
)
def test_warps_are_those_of_scipy(image: Array, text: str, matrix: list[list[float]]) -> None:
    floats = image[:, :, 2].astype(np.float64)
    centre = (np.array(floats.shape) - 1) / 2
    inverse = np.array(matrix)  # from (row, column) of the result to those of the image
    expected = ndimage.affine_transform(floats, inverse, centre - inverse @ centre, order=1)
    inner = np.abs(done(floats, text) - expected)[2:-2, 2:-2]
    assert np.quantile(inner, 0.9) < 1e-3  # at the image's old edge scipy cuts, and OpenCV blends


def test_steps_that_follow_each_other_are_one_interpolation(image: Array) -> None:
    there_and_back = done(image, "rotate:33 scale:1.2 scale:0.83333333333333333 rotate:-33")
    assert (there_and_back == image).all()


def test_enhancements_are_those_of_pillow(image: Array) -> None:
    photo = Image.fromarray(image)
    for text, enhance in (
        ("brightness:0.7", ImageEnhance.Brightness),
        ("saturation:1.6", ImageEnhance.Color),
        ("contrast:0.6", ImageEnhance.Contrast),
    ):
        expected = np.asarray(enhance(photo).enhance(float(text.partition(":")[2])), np.int16)
        assert np.abs(done(image, text) - expected).max() <= 1, text


def test_a_hue_is_turned_by_degrees(image: Array) -> None:
    result = done(image, "hue:120")
    for row, column in ((25, 40), (10, 60), (50, 5)):
        hue, saturation, value = colorsys.rgb_to_hsv(*(image[row, column] / 255))
        expected = np.array(colorsys.hsv_to_rgb((hue + 1 / 3) % 1, saturation, value)) * 255
        assert np.abs(result[row, column] - expected).max() <= 1
    assert (done(image[:, :, 0], "hue:120 saturation:0 gray") == image[:, :, 0]).all()


def test_gray_is_luma_on_all_channels(image: Array) -> None:
    result = done(image, "gray")
    assert (result == result[:, :, :1]).all()
    assert np.abs(result[:, :, 0] - image @ [0.299, 0.587, 0.114]).max() <= 0.5 + 1e-4


def test_noise_is_in_levels_and_salt_a_share_of_black_and_white() -> None:
    grey = np.full((300, 300), 100, np.float32)
    assert done(grey, "noise:5").std() == pytest.approx(5, rel=0.02)
    assert done(grey, "noise:5").mean() == pytest.approx(100, abs=0.1)
    salted = done(np.full((300, 300, 3), 100, np.uint8), "salt:10%")
    assert (salted == salted[:, :, :1]).all()
    assert np.mean(salted == 0) == pytest.approx(0.05, abs=0.005)
    assert np.mean(salted == 255) == pytest.approx(0.05, abs=0.005)
    assert set(np.unique(done(grey, "salt:0.2", white=200))) == {0, 100, 200}


def test_an_erased_rectangle_covers_the_share() -> None:
    for number in range(20):
        erased = done(np.ones((100, 120)), "erase:0.1", f"{number}") == 0
        rows, columns = np.flatnonzero(erased.any(1)), np.flatnonzero(erased.any(0))
        assert erased.mean() == pytest.approx(0.1, abs=0.005)
        assert erased[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()


def test_numbers_are_drawn_evenly_and_chances_kept() -> None:
    steps = parse_steps("rotate:-15..15 flip,p=0.3")
    drawn = [draw(steps, (10, 10), make_generator(0, "a", copy)) for copy in range(2000)]
    degrees = [one[0].values["degrees"] for one in drawn]
    assert np.histogram(degrees, 4, (-15, 15))[0] == pytest.approx([500] * 4, abs=70)
    assert sum(len(one) == 2 for one in drawn) == pytest.approx(600, abs=70)


def test_draws_depend_on_seed_name_and_copy_alone() -> None:
    numbers = {make_generator(*key).integers(2**62) for key in ((0, "a", 1), (1, "a", 1), (0, "b", 1), (0, "a", 2))}
    assert len(numbers) == 4
    assert make_generator(0, "a", 1).integers(2**62) in numbers


MOVES = "crop:30x40 flip,p=1", "pad:3 flip:v,p=1", "shift:-20%..20%", "pad:2,border=wrap crop:50x50 shift:3,border=edge"
WARPS = "rotate:-40..40", "scale:0.7..1.4", "shear:-20..20,border=reflect", "rotate:20 shift:5 scale:0.8 pad:3 rotate:9"


@pytest.mark.parametrize("text", MOVES)
def test_a_mask_moves_with_its_image_to_the_pixel(image: Array, text: str) -> None:
    drawn = draw(parse_steps(text), image.shape, make_generator(3, "a", 1))
    assert (move_mask(image, drawn) == apply(image, drawn)).all()


@pytest.mark.parametrize("text", WARPS)
def test_a_warped_mask_has_the_edges_of_its_image(text: str) -> None:
    mask = np.zeros((90, 90), np.uint8)
    mask[20:60, 30:70] = 1
    drawn = draw(parse_steps(text), mask.shape, make_generator(3, "a", 1))
    moved, share = move_mask(mask, drawn), apply(mask.astype(np.float64), drawn)
    assert set(np.unique(moved)) == {0, 1}
    assert (moved[share > 0.75] == 1).all()
    assert (moved[share < 0.25] == 0).all()


def test_a_mask_of_any_type_keeps_its_values_and_sees_no_colours() -> None:
    for dtype in (bool, np.uint8, np.uint16, np.int64, np.float32):
        mask = (np.arange(600).reshape(20, 30) % 2).astype(dtype)
        steps = parse_steps("rotate:30,border=constant:7 noise:50 blur:3 erase:0.5 salt:0.5 brightness:0")
        moved = move_mask(mask, draw(steps, mask.shape, make_generator(0, "a", 1)))
        assert moved.dtype == dtype
        assert set(np.unique(moved)) == {0, 1}


def test_no_colour_of_an_invisible_pixel_is_seen() -> None:
    image = np.zeros((40, 40, 4), np.uint8)
    image[:, :, 0] = 255  # red, and invisible, but for a green square
    image[10:30, 10:30] = 0, 255, 0, 255
    result = done(image, "rotate:30 blur:1 brightness:1", has_alpha=True)
    visible = result[:, :, 3] > 0
    assert visible.sum() > 400
    assert (result[visible][:, :2] == (0, 255)).all()
    assert result[0, 0].tolist() == [0, 0, 0, 0]


def test_integers_are_rounded_and_clipped_once() -> None:
    assert done(np.array([[10, 200]], np.uint8), "brightness:2 brightness:0.5").tolist() == [[10, 200]]
    assert done(np.array([[10, 200]], np.uint8), "brightness:2").tolist() == [[20, 255]]
    assert done(np.array([[0.5, 2.0]]), "brightness:2").tolist() == [[1.0, 4.0]]


def test_a_crop_that_does_not_fit_is_refused(image: Array) -> None:
    with pytest.raises(ShapeError, match="crop:61x10 is larger than the image, 60x80"):
        done(image, "crop:61x10")
