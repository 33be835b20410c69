"""Which windows of an input are animated: those of the real stride grid, on the whole input."""

import pytest

from cnnfilter.errors import ShapeError
from cnnfilter.nn.geometry import Pair
from cnnfilter.nn.layers import Shape
from cnnfilter.plot.input_regions import Excerpt, choose_excerpt
from tests.explain.test_traces import program


def choose(words: str, shape: Shape, place: Pair | None) -> Excerpt:
    """Return what is shown of a network's input."""
    network = program(words).network
    return choose_excerpt(network.layers[0], shape, network.output(shape), place)


@pytest.mark.parametrize(
    ("words", "place", "rows", "seen"),
    [
        ("conv:sobel-x,same", (100, 100), range(95, 105), range(94, 106)),
        ("conv:sobel-x,same", (0, 0), range(10), range(-1, 11)),
        ("conv:sobel-x,same", (599, 0), range(590, 600), range(589, 601)),
        ("conv:sobel-x", (0, 0), range(10), range(12)),
        ("maxpool:2", (101, 101), range(47, 53), range(94, 106)),
        ("conv:sobel-x,s3,same", (100, 100), range(31, 35), range(93, 105)),
        ("conv:box:15,same", (300, 300), range(298, 302), range(291, 309)),
        ("channelmax", (300, 300), range(294, 306), range(294, 306)),
    ],
)
def test_windows_around_a_place_are_those_of_the_whole_input(words: str, place: Pair, rows: range, seen: range) -> None:
    found = choose(words, (600, 512, 1), place)
    assert (found.places[0], found.seen[0]) == (rows, seen)


def test_a_small_input_is_shown_whole() -> None:
    found = choose("conv:sobel-x,s2,p1", (8, 9, 1), None)
    assert found == Excerpt((range(4), range(5)), (range(-1, 9), range(-1, 10)))
    assert found.describe((8, 9, 1)) == ""


def test_the_title_names_the_part_without_its_padding() -> None:
    found = choose("conv:sobel-x,same", (600, 512, 1), (0, 100))
    assert found.describe((600, 512, 1)) == "rows 0 to 10, columns 94 to 105 of 600x512"


@pytest.mark.parametrize(
    ("words", "place", "message"),
    [
        ("maxpool:2", None, "40x30 is too large to animate, which goes up to 32x32; --around Y,X"),
        ("maxpool:2", (40, 0), "--around 40,0 is outside the input of 40x30"),
        ("gap", (1, 1), "40x30 is too large to animate, which goes up to 32x32; a window that slides"),
        ("conv:sobel-x,d30,same", (1, 1), "a window of 61x61 is too large to animate, which goes up to 48x48"),
    ],
)
def test_what_cannot_be_shown_is_an_error(words: str, place: Pair | None, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        choose(words, (40, 30, 1), place)
