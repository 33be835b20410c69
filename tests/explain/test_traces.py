"""What a value is made of: the same as what the run gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfilter.arrays import Array
from cnnfilter.compute.forward import Program, as_volume, load_program, run_program
from cnnfilter.errors import ShapeError
from cnnfilter.explain.trace import span_around, trace
from cnnfilter.kernels.spec import kernel_shape
from cnnfilter.nn.language import parse_network

NUMBERS = np.random.default_rng(3).integers(-9, 10, (9, 8, 3)).astype(np.float64)


def program(words: str) -> Program:
    """Return a network that is ready to run."""
    return load_program(parse_network(words, kernel_shape))


def run(words: str, volume: Array) -> Array:
    """Return what a network makes of a volume, (H, W, C)."""
    return as_volume(run_program(program(words), volume))


KERNELS = st.sampled_from(["[1 2 -1; 0 3 -2; -4 1 5]", "[1 -2 3 0; 2 0 -1 4]", "gaussian:3", "[1 0 -1]"])
MOVES = st.tuples(
    st.sampled_from(["s1", "s2", "s2x3"]),
    st.sampled_from(["p0", "p1", "p2x0", "same", "same-lower", "full", "p=0/1/2/3"]),
    st.sampled_from(["d1", "d2", "d1x2"]),
    st.sampled_from(["border=zero", "border=edge", "border=reflect", "border=symmetric", "border=wrap"]),
)
BEHIND = st.sampled_from(["", " relu", " leakyrelu:0.2 abs", " tanh"])


@given(
    op=st.sampled_from(["conv", "dwconv", "gray conv"]),
    kernel=KERNELS,
    moves=MOVES,
    rest=st.sampled_from(["", ",flip", ",bias=-2.5", ",normalize=abs", ",flip,bias=3"]),
    behind=BEHIND,
)
def test_a_convolution_explains_every_value_of_its_run(
    op: str, kernel: str, moves: tuple[str, ...], rest: str, behind: str
) -> None:
    words = f"{op}:{kernel},{','.join(moves)}{rest}{behind}"
    results = run(words, NUMBERS)
    for place in np.ndindex(results.shape[:2]):
        traced = trace(program(words), NUMBERS, (place[0], place[1]))
        assert np.allclose(traced.results(), results[place], rtol=1e-12, atol=1e-12)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_a_weight_of_0_takes_nothing_of_what_is_no_number(odd: float) -> None:
    volume = NUMBERS.copy()
    volume[2, 2] = odd
    results = run("dwconv:[0 -1 0; -1 5 -1; 0 -1 0]", volume)
    for place in np.ndindex(results.shape[:2]):
        traced = trace(program("dwconv:[0 -1 0; -1 5 -1; 0 -1 0]"), volume, (place[0], place[1]))
        assert np.allclose(traced.results(), results[place], rtol=1e-12, equal_nan=True)
    assert np.isfinite(results[0, 0]).all()


@pytest.mark.parametrize("behind", ["magnitude:2", "channelmax:2 relu", "channelsum:2", "channelavg:2"])
def test_kernels_that_are_combined_explain_every_value(behind: str) -> None:
    words = f"dwconv:sobel-x,sobel-y {behind}"
    results = run(words, NUMBERS)
    for place in np.ndindex(results.shape[:2]):
        traced = trace(program(words), NUMBERS, (place[0], place[1]))
        assert np.allclose(traced.results(), results[place], rtol=1e-12)


@given(
    mode=st.sampled_from(["max", "min", "avg", "l2", "median"]),
    size=st.sampled_from(["2", "3", "3x2"]),
    moves=st.tuples(
        st.sampled_from(["s1", "s2", "s3x1"]), st.sampled_from(["p0", "p1"]), st.sampled_from(["d1", "d2"])
    ),
    ceil=st.booleans(),
    countpad=st.booleans(),
)
def test_a_pool_explains_every_value_of_its_run(
    mode: str, size: str, moves: tuple[str, ...], ceil: bool, countpad: bool
) -> None:
    words = f"{mode}pool:{size},{','.join(moves)}{',ceil' * ceil}{',countpad' * (countpad and mode in {'avg', 'l2'})}"
    results = run(words, NUMBERS)
    for place in np.ndindex(results.shape[:2]):
        traced = trace(program(words), NUMBERS, (place[0], place[1]))
        assert np.allclose(traced.results(), results[place], rtol=1e-12)


@pytest.mark.parametrize("words", ["globalmaxpool", "globalavgpool", "channelmax", "channelavg", "channelmin"])
def test_pools_over_all_pixels_or_channels_explain_their_values(words: str) -> None:
    results = run(words, NUMBERS)
    for place in np.ndindex(results.shape[:2]):
        traced = trace(program(words), NUMBERS, (place[0], place[1]))
        assert np.allclose(traced.results(), results[place], rtol=1e-12)


def test_the_window_lies_where_the_formula_says() -> None:
    traced = trace(program("conv:[1 1; 1 1],s3,p1,d2"), NUMBERS, (1, 0))
    assert traced.reach.rows.tolist() == [2, 4]
    assert traced.reach.columns.tolist() == [-1, 1]
    assert traced.inside.tolist() == [[False, True], [False, True]]
    assert traced.values[:, :, 0].tolist() == [[0, NUMBERS[2, 1, 0]], [0, NUMBERS[4, 1, 0]]]


@pytest.mark.parametrize("place", [(7, 0), (0, 6), (99, 99)])
def test_a_place_outside_the_output_is_an_error_that_names_its_size(place: tuple[int, int]) -> None:
    with pytest.raises(ShapeError, match=r"is outside the output of 7x6x3; rows go to 6, columns to 5"):
        trace(program("dwconv:sobel-x"), NUMBERS, place)


def test_of_a_large_input_what_lies_around_the_window_is_shown() -> None:
    assert span_around(0, 2, 600) == range(6)
    assert span_around(597, 599, 600) == range(594, 600)
    assert span_around(-2, 2, 600) == range(-2, 6)


@pytest.mark.parametrize("mode", ["max", "min", "avg", "l2", "median"])
def test_a_pool_explains_nan(mode: str) -> None:
    volume = NUMBERS.copy()
    volume[1, 1] = np.nan
    words = f"{mode}pool:2,s1,p1"
    results = run(words, volume)
    for place in np.ndindex(results.shape[:2]):
        traced = trace(program(words), volume, (place[0], place[1]))
        assert np.allclose(traced.results(), results[place], rtol=1e-12, equal_nan=True)
