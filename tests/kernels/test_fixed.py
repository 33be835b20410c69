"""The fixed kernels: each is what its description says, and they fit together."""

import re

import numpy as np
import pytest

from cnnfilter.arrays import Doubles
from cnnfilter.kernels.spec import describe, fixed_kernels, kernel_shape, load_kernel

NAMES = sorted(fixed_kernels())

COMPASS = ("n", "ne", "e", "se", "s", "sw", "w", "nw")
"""Clockwise."""

SUMS = {
    "blur": 1,
    "blur-plus": 5,
    "emboss": 1,
    "gaussian-3": 1,
    "gaussian-5": 1,
    "sharpen": 1,
    "sharpen-8": 1,
    "unsharp": 1,
}
"""The sums that are not 0."""

RING = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
"""The eight places around the centre, clockwise from the top left."""

SIDES = {
    "right": (0, 1),
    "left": (0, -1),
    "top": (-1, 0),
    "bottom": (1, 0),
    "top left": (-1, -1),
    "top right": (-1, 1),
    "bottom left": (1, -1),
    "bottom right": (1, 1),
}
"""Where a side lies: down, right."""


def weights(name: str) -> Doubles:
    return load_kernel(name).weights


def turned(kernel: Doubles) -> Doubles:
    """Return a 3x3 kernel turned clockwise by 45 degrees: each weight of the ring one place on."""
    result = kernel.copy()
    for place, following in zip(RING, RING[1:] + RING[:1], strict=True):
        result[following] = kernel[place]
    return result


@pytest.mark.parametrize("name", NAMES)
def test_a_fixed_kernel_has_a_description_and_a_source_of_one_line_each(name: str) -> None:
    kernel = load_kernel(name)
    assert re.fullmatch(r"\S.*\S", kernel.description)
    assert re.fullmatch(r"\S.*\S", kernel.source)
    assert describe(name) == kernel.description
    assert kernel.offset == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_shape_known_without_numpy_is_that_of_the_array(name: str) -> None:
    assert kernel_shape(name) == weights(name).shape
    assert weights(name).ndim == 2
    assert weights(name).dtype == np.float64


@pytest.mark.parametrize("name", NAMES)
def test_the_array_is_the_drawing_in_the_file(name: str) -> None:
    text = fixed_kernels()[name].read_text(encoding="utf-8")
    rows = [line.split() for line in text.splitlines() if not line.startswith("#")]
    drawn = [[float(over) / float(under or 1) for over, _, under in (w.partition("/") for w in row)] for row in rows]
    np.testing.assert_array_equal(weights(name), drawn)
    assert len({len(line.rstrip()) for line in text.splitlines() if not line.startswith("#")}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_fixed_kernel_has_the_sum_that_it_should(name: str) -> None:
    assert weights(name).sum() == pytest.approx(SUMS.get(name, 0), abs=1e-15)


def test_the_kernels_with_a_sum_are_all_there() -> None:
    assert set(SUMS) <= set(NAMES)


@pytest.mark.parametrize(
    "name",
    [
        *(f"{family}-{axis}" for family in ("sobel", "prewitt", "scharr", "roberts", "frei-chen") for axis in "xy"),
        *(f"{family}-{direction}" for family in ("kirsch", "robinson") for direction in COMPASS),
        *("vertical-edge", "horizontal-edge", "laplacian-4", "laplacian-8", "edge"),
        *("sharpen", "sharpen-8", "high-pass", "emboss", "blur-plus"),
    ],
)
def test_the_kernels_people_ask_for_are_there(name: str) -> None:
    assert name in NAMES


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("sobel-x", [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
        ("prewitt-x", [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]]),
        ("scharr-x", [[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]]),
        ("roberts-x", [[1, 0], [0, -1]]),
        ("roberts-y", [[0, 1], [-1, 0]]),
        ("vertical-edge", [[1, 0, -1], [1, 0, -1], [1, 0, -1]]),
        ("horizontal-edge", [[1, 1, 1], [0, 0, 0], [-1, -1, -1]]),
        ("laplacian-4", [[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
        ("laplacian-8", [[1, 1, 1], [1, -8, 1], [1, 1, 1]]),
        ("edge", [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]),
        ("sharpen", [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        ("sharpen-8", [[-1, -1, -1], [-1, 9, -1], [-1, -1, -1]]),
        ("emboss", [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]),
        ("blur-plus", [[0, 1, 0], [1, 1, 1], [0, 1, 0]]),
        ("kirsch-n", [[5, 5, 5], [-3, 0, -3], [-3, -3, -3]]),
        ("robinson-n", [[1, 2, 1], [0, 0, 0], [-1, -2, -1]]),
        ("gradient-x", [[-0.5, 0, 0.5]]),
        ("second-derivative-x", [[1, -2, 1]]),
        ("ridge-vertical", [[-1, 2, -1], [-1, 2, -1], [-1, 2, -1]]),
        ("ridge-diagonal", [[2, -1, -1], [-1, 2, -1], [-1, -1, 2]]),
    ],
)
def test_a_kernel_is_the_one_in_the_books(name: str, rows: list[list[float]]) -> None:
    np.testing.assert_array_equal(weights(name), rows)


@pytest.mark.parametrize("family", ["kirsch", "robinson"])
@pytest.mark.parametrize(("direction", "following"), list(zip(COMPASS, COMPASS[1:] + COMPASS[:1], strict=True)))
def test_a_compass_set_turns_by_45_degrees_from_one_to_the_next(family: str, direction: str, following: str) -> None:
    np.testing.assert_array_equal(turned(weights(f"{family}-{direction}")), weights(f"{family}-{following}"))


@pytest.mark.parametrize(("direction", "opposite"), list(zip(COMPASS[:4], COMPASS[4:], strict=True)))
def test_opposite_robinson_masks_differ_in_sign(direction: str, opposite: str) -> None:
    np.testing.assert_array_equal(weights(f"robinson-{direction}"), -weights(f"robinson-{opposite}"))


@pytest.mark.parametrize("family", ["sobel", "prewitt", "scharr", "frei-chen", "gradient", "second-derivative"])
def test_y_is_x_transposed(family: str) -> None:
    np.testing.assert_array_equal(weights(f"{family}-y"), weights(f"{family}-x").T)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("horizontal-edge", weights("vertical-edge").T),
        ("ridge-horizontal", weights("ridge-vertical").T),
        ("ridge-antidiagonal", weights("ridge-diagonal")[::-1]),
        ("robinson-e", weights("sobel-x")),
        ("robinson-s", weights("sobel-y")),
        ("edge", -weights("laplacian-8")),
        ("sharpen", weights("identity:3") - weights("laplacian-4")),
        ("sharpen-8", weights("identity:3") - weights("laplacian-8")),
        ("blur", weights("box:3")),
        ("high-pass", weights("identity:3") - weights("box:3")),
        ("gaussian-3", np.outer([1, 2, 1], [1, 2, 1]) / 16),
        ("gaussian-5", np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256),
        ("unsharp", 2 * weights("identity:5") - weights("gaussian-5")),
        ("frei-chen-x", np.outer([1, np.sqrt(2), 1], [-1, 0, 1])),
        ("laplacian-4", weights("blur-plus") - 5 * weights("identity:3")),
    ],
)
def test_kernels_are_made_of_each_other(name: str, expected: Doubles) -> None:
    np.testing.assert_allclose(weights(name), expected, atol=1e-15)


# What the descriptions say

_BRIGHTER = re.compile(r"positive where (?:the )?(top|bottom|left|right)(?: (left|right))?(?: side)? is brighter")
DIRECTED = [name for name in NAMES if _BRIGHTER.search(describe(name))]


def test_every_edge_kernel_says_which_side_is_positive() -> None:
    without_a_side = {"edge", "laplacian-4", "laplacian-8", "second-derivative-x", "second-derivative-y", "high-pass"}
    ridges = {name for name in NAMES if name.startswith("ridge-")}
    assert set(DIRECTED) == {name for name in NAMES if name not in SUMS} - without_a_side - ridges


@pytest.mark.parametrize("name", DIRECTED)
def test_an_edge_kernel_is_positive_where_it_says(name: str) -> None:
    match = _BRIGHTER.search(describe(name))
    assert match
    down, right = SIDES[" ".join(part for part in match.groups() if part)]
    kernel = weights(name)
    y, x = (np.arange(size) - (size - 1) / 2 for size in kernel.shape)
    slope = y[:, None] * down + x[None, :] * right
    answers = {side: (kernel * (y[:, None] * d + x[None, :] * r)).sum() for side, (d, r) in SIDES.items()}
    assert (kernel * (slope > 0)).sum() > 0
    assert (kernel * (slope < 0)).sum() < 0
    along = SIDES[" ".join(part for part in match.groups() if part)]
    across = [side for side, (d, r) in SIDES.items() if (d, r) == (-along[1], along[0])]
    assert all(abs(answers[side]) < 1e-12 for side in across)


@pytest.mark.parametrize("name", [name for name in NAMES if "flat areas keep their value" in describe(name)])
def test_what_keeps_flat_areas_sums_to_one(name: str) -> None:
    assert weights(name).sum() == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("name", [name for name in NAMES if "flat areas become 0" in describe(name)])
def test_what_empties_flat_areas_sums_to_zero(name: str) -> None:
    assert abs(weights(name).sum()) <= 1e-15


@pytest.mark.parametrize("name", [name for name in NAMES if describe(name).startswith("smooths")])
def test_what_smooths_has_no_negative_weight(name: str) -> None:
    assert (weights(name) >= 0).all()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("ridge-vertical", "line-vertical:3"),
        ("ridge-horizontal", "line-horizontal:3"),
        ("ridge-diagonal", "line-diagonal:3"),
        ("ridge-antidiagonal", "line-antidiagonal:3"),
    ],
)
def test_a_ridge_kernel_answers_most_to_its_own_line(name: str, line: str) -> None:
    lines = [f"line-{direction}:3" for direction in ("vertical", "horizontal", "diagonal", "antidiagonal")]
    answers = {other: (weights(name) * weights(other)).sum() for other in lines}
    assert answers[line] == 6
    assert all(answers[other] == 0 for other in lines if other != line)


@pytest.mark.parametrize("name", ["edge", "laplacian-4", "laplacian-8", "second-derivative-x", "second-derivative-y"])
def test_a_second_derivative_is_positive_where_it_says(name: str) -> None:
    kernel = weights(name)
    centre = kernel[kernel.shape[0] // 2, kernel.shape[1] // 2]
    assert (centre > 0) == ("pixel outshines" in describe(name))
    assert (centre < 0) == bool(
        re.search(r"(neighbours|and right|and below) are brighter than the pixel", describe(name))
    )
