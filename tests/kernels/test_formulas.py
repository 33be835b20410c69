"""The formulas of the made kernels, against drawings and against scipy."""

import numpy as np
import pytest
from scipy import ndimage  # type: ignore[import-untyped]  # it has no types

from cnnfilter.arrays import Doubles
from cnnfilter.errors import KernelError
from cnnfilter.kernels import made as formulas
from cnnfilter.kernels.spec import load_kernel


def weights(word: str) -> Doubles:
    return load_kernel(word).weights


def drawn(*rows: str) -> Doubles:
    """Return ones where the drawing has a sign, zeros where it has a point."""
    return np.array([[float(sign != ".") for sign in row] for row in rows])


def impulse(side: int) -> Doubles:
    image = np.zeros((side, side))
    image[side // 2, side // 2] = 1
    return image


# Drawings


@pytest.mark.parametrize(
    ("word", "drawing"),
    [
        ("line-vertical:5", ("..|..", "..|..", "..|..", "..|..", "..|..")),
        ("line-horizontal:5", (".....", ".....", "-----", ".....", ".....")),
        ("line-diagonal:5", ("\\....", ".\\...", "..\\..", "...\\.", "....\\")),
        ("line-antidiagonal:5", ("..../", ".../.", "../..", "./...", "/....")),
        ("frame:5", ("□□□□□", "□...□", "□...□", "□...□", "□□□□□")),
        ("identity:5", (".....", ".....", "..#..", ".....", ".....")),
        # an even side has no middle: the pixel after it
        ("line-vertical:4", (".|..", ".|..", ".|..", ".|..")),
        ("line-horizontal:4", ("....", "----", "....", "....")),
        ("line-diagonal:4", ("\\...", ".\\..", "..\\.", "...\\")),
        ("line-antidiagonal:4", (".../", "../.", "./..", "/...")),
        ("frame:4", ("□□□□", "□..□", "□..□", "□□□□")),
        ("frame:2", ("□□", "□□")),
        ("identity:4", ("....", ".#..", "....", "....")),
    ],
)
def test_ones_stand_where_they_are_drawn(word: str, drawing: tuple[str, ...]) -> None:
    np.testing.assert_array_equal(weights(word), drawn(*drawing))


@pytest.mark.parametrize(
    ("word", "drawing"),
    [
        ("disk:3", ("###", "###", "###")),
        ("disk:5", (".###.", "#####", "#####", "#####", ".###.")),
        ("disk:4", (".##.", "####", "####", ".##.")),
        ("disk:7", ("..###..", ".#####.", "#######", "#######", "#######", ".#####.", "..###..")),
        ("box:4", ("####", "####", "####", "####")),
    ],
)
def test_boxes_and_disks_weigh_their_pixels_equally(word: str, drawing: tuple[str, ...]) -> None:
    expected = drawn(*drawing)
    np.testing.assert_allclose(weights(word), expected / expected.sum(), rtol=1e-14)


@pytest.mark.parametrize(
    ("angle", "drawing"),
    [
        (0, (".....", ".....", "-----", ".....", ".....")),
        (180, (".....", ".....", "-----", ".....", ".....")),
        (45, ("..../", ".../.", "../..", "./...", "/....")),
        (90, ("..|..", "..|..", "..|..", "..|..", "..|..")),
        (-90, ("..|..", "..|..", "..|..", "..|..", "..|..")),
        (135, ("\\....", ".\\...", "..\\..", "...\\.", "....\\")),
        (-45, ("\\....", ".\\...", "..\\..", "...\\.", "....\\")),
        (405, ("..../", ".../.", "../..", "./...", "/....")),
    ],
)
def test_motion_runs_anticlockwise_from_the_horizontal(angle: int, drawing: tuple[str, ...]) -> None:
    np.testing.assert_array_equal(weights(f"motion:5:{angle}"), drawn(*drawing) / 5)


def test_motion_between_two_pixels_is_shared_by_them() -> None:
    # a slope of 1/2: two columns to the right are one row up
    slope = np.degrees(np.arctan(0.5))
    expected = [
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0.5, 1],
        [0, 0.5, 1, 0.5, 0],
        [1, 0.5, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ]
    np.testing.assert_allclose(formulas.motion(5, slope), np.array(expected) / 5, atol=1e-9)
    np.testing.assert_allclose(formulas.motion(5, 90 - slope), np.array(expected).T[::-1, ::-1] / 5, atol=1e-9)


@pytest.mark.parametrize("angle", range(0, 180, 15))
def test_motion_lies_along_its_angle(angle: int) -> None:
    kernel = weights(f"motion:21:{angle}")
    y, x = np.mgrid[-10:11, -10:11]
    across = x * np.sin(np.radians(angle)) + y * np.cos(np.radians(angle))
    along = x * np.cos(np.radians(angle)) - y * np.sin(np.radians(angle))
    assert (kernel * across**2).sum() < 0.3
    assert (kernel * along**2).sum() > 30


# Gaussians


@pytest.mark.parametrize(("side", "sigma"), [(15, 2.5), (7, 1.0), (9, 3.0), (21, 2.0), (3, 0.5), (1, 1.0)])
def test_gaussian_is_the_impulse_response_of_scipys(side: int, sigma: float) -> None:
    response = ndimage.gaussian_filter(impulse(side), sigma, radius=side // 2, mode="constant")
    np.testing.assert_allclose(weights(f"gaussian:{side}:{sigma}"), response, rtol=1e-12)


def test_gaussian_with_sigma_alone_reaches_three_sigma() -> None:
    kernel = weights("gaussian:sigma=2.5")
    assert kernel.shape == (15, 15)
    response = ndimage.gaussian_filter(impulse(15), 2.5, truncate=2.8, mode="constant")
    np.testing.assert_allclose(kernel, response, rtol=1e-12)


def test_gaussian_with_a_side_alone_has_a_sixth_of_it_as_sigma() -> None:
    np.testing.assert_array_equal(weights("gaussian:15"), weights("gaussian:15:2.5"))


def test_gaussian_of_two_by_two_by_hand() -> None:
    # all four pixels are equally far from the centre
    np.testing.assert_allclose(weights("gaussian:2:1"), np.full((2, 2), 0.25), rtol=1e-15)


def test_gaussian_of_three_by_three_by_hand() -> None:
    # exp(-1/2) = 0.60653 beside the centre, exp(-1) = 0.36788 at the corners; the sum is 1 + 4 (0.60653 + 0.36788)
    expected = np.array([[0.36788, 0.60653, 0.36788], [0.60653, 1, 0.60653], [0.36788, 0.60653, 0.36788]]) / 4.89764
    np.testing.assert_allclose(weights("gaussian:3:1"), expected, atol=5e-6)


def test_a_wide_gaussian_is_a_box_and_a_narrow_one_the_identity() -> None:
    np.testing.assert_allclose(weights("gaussian:5:1e6"), weights("box:5"), rtol=1e-9)
    np.testing.assert_array_equal(weights("gaussian:5:0.01"), weights("identity:5"))


def test_dog_is_the_difference_of_its_two_gaussians() -> None:
    np.testing.assert_allclose(weights("dog:15:1:2"), weights("gaussian:15:1") - weights("gaussian:15:2"), atol=1e-17)
    assert weights("dog:15:1:2")[7, 7] > 0
    np.testing.assert_array_equal(weights("dog:15:2:1"), -weights("dog:15:1:2"))


@pytest.mark.parametrize(("side", "sigma"), [(15, 2.0), (21, 3.0), (9, 1.2)])
def test_log_has_the_shape_of_scipys(side: int, sigma: float) -> None:
    kernel = weights(f"log:{side}:{sigma}")
    response = ndimage.gaussian_laplace(impulse(side), sigma, radius=side // 2, mode="constant")
    assert np.corrcoef(kernel.ravel(), response.ravel())[0, 1] > 0.9999
    assert np.abs(kernel - response).max() < 0.02 * np.abs(response).max()


def test_log_is_negative_in_the_centre_so_that_dark_blobs_are_positive() -> None:
    kernel = weights("log:15:2")
    y, x = np.mgrid[-7:8, -7:8]
    assert kernel.argmin() == 7 * 15 + 7
    assert kernel[7, 7] < 0 < kernel[7, 11]
    assert (kernel * (x**2 + y**2 > 8)).sum() > 0  # on a dark blob of radius sigma sqrt(2)


def test_log_without_sigma_has_a_sixth_of_its_side() -> None:
    np.testing.assert_array_equal(weights("log:12"), weights("log:12:2"))


# Gabor


def stripes(angle: float, wavelength: float, side: int) -> Doubles:
    """Return waves that are crossed when one walks in the direction of `angle`, anticlockwise from the right."""
    y, x = np.mgrid[0:side, 0:side] - (side - 1) / 2
    walked = x * np.cos(np.radians(angle)) - y * np.sin(np.radians(angle))
    return np.asarray(np.cos(2 * np.pi * walked / wavelength))


@pytest.mark.parametrize("angle", [0, 30, 45, 60, 90, 120, 135, 150])
def test_gabor_answers_most_to_stripes_across_its_angle(angle: int) -> None:
    kernel = weights(f"gabor:31:5:{angle}:8")
    answers = {other: (kernel * stripes(other, 8, 31)).sum() for other in range(0, 180, 15)}
    assert max(answers, key=lambda other: answers[other]) == angle
    assert abs(answers[(angle + 90) % 180]) < 0.01 * answers[angle]


@pytest.mark.parametrize("wavelength", [5, 8, 12])
def test_gabor_answers_most_to_its_wavelength(wavelength: int) -> None:
    kernel = weights(f"gabor:41:6:0:{wavelength}")
    answers = {other: (kernel * stripes(0, other, 41)).sum() for other in range(3, 20)}
    assert max(answers, key=lambda other: answers[other]) == wavelength


def test_gabor_at_zero_has_upright_stripes() -> None:
    kernel = weights("gabor:21:4:0:6")
    signs = np.sign(kernel[10])
    assert (np.sign(kernel[4:17, 4:17]) == signs[4:17]).all()
    assert kernel[10, 10] > 0 > kernel[10, 13]


def test_gabor_turned_by_ninety_degrees_is_its_transpose() -> None:
    np.testing.assert_allclose(weights("gabor:15:3:90:5"), weights("gabor:15:3:0:5").T, atol=1e-12)


def test_gabor_under_its_envelope_by_hand() -> None:
    # sigma 2, wavelength 4, at two pixels to the right: exp(-4/8) cos(pi), less the envelope's share of the sum
    y, x = np.mgrid[-3:4, -3:4]
    envelope = np.exp(-(x**2 + y**2) / 8)
    share = (envelope * np.cos(np.pi * x / 2)).sum() / envelope.sum()
    kernel = weights("gabor:7:2:0:4")
    assert kernel[3, 5] == pytest.approx(np.exp(-0.5) * (-1 - share))
    assert kernel[1, 3] == pytest.approx(np.exp(-0.5) * (1 - share))


@pytest.mark.parametrize(("sigma", "amount"), [(1, 1.0), (2, 0.5), (3, 1.5)])
def test_usm_adds_what_scipys_gaussian_takes_away(sigma: int, amount: float) -> None:
    image = np.random.default_rng(sigma).random((40, 50))
    blurred = ndimage.gaussian_filter(image, sigma, truncate=3, mode="mirror")
    sharpened = ndimage.correlate(image, weights(f"usm:{sigma}:{amount}"), mode="mirror")
    np.testing.assert_allclose(sharpened, image + amount * (image - blurred), atol=1e-12)


def test_usm_has_the_size_that_is_given_and_a_centre() -> None:
    assert weights("usm:2:1:size=5").shape == (5, 5)
    with pytest.raises(KernelError, match="SIZE is 6, and must be odd"):
        load_kernel("usm:2:size=6")


def test_the_help_of_usm_says_that_it_has_no_threshold() -> None:
    assert "no threshold (not linear)" in load_kernel("usm:2").description
