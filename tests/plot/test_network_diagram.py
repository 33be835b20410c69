"""Networks as drawings: a box for each volume, to scale, and texts that can be read."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from cnnfilter.log import listening
from cnnfilter.network_files import load_document, shape_of_kernel
from cnnfilter.nn.language import parse_network
from cnnfilter.nn.layers import Shape, show_shape
from cnnfilter.plot.network_diagram import draw_network, make_scale, make_scales
from cnnfilter.plot.network_steps import COLORS, MOST_STEPS, Drawing, lines_of, make_steps, walk_steps
from cnnfilter.plot.sheet import Sheet, open_sheet
from tests.conftest import ROOT
from tests.plot.conftest import texts_on, words_on

SAMPLES = sorted(path.stem for path in (ROOT / "samples").glob("*.toml"))
READABLE = ["lenet5", "alexnet", "vgg16", "resnet18", "inception"]


def drawing_of(words: str, shape: Shape = (28, 28, 3)) -> Drawing:
    """Return what is drawn for layers."""
    return Drawing(make_steps(parse_network(words, shape_of_kernel), shape), shape, "a network", "its counts")


def sample_drawing(name: str) -> Drawing:
    """Return what is drawn for a sample network."""
    document = load_document(str(ROOT / "samples" / f"{name}.toml"))
    assert document.input
    return Drawing(make_steps(document.network, document.input), document.input, name, "its counts")


@pytest.fixture(scope="module", params=SAMPLES)
def drawn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Figure]]:
    """Return a sample network and its figure, drawn once for all tests; it is saved when the last of them ends."""
    name = str(request.param)
    sheet = Sheet(str(tmp_path_factory.mktemp("sheet") / "figure.png"), dpi=40)
    with open_sheet(sheet) as figure:
        draw_network(figure, sheet, sample_drawing(name))
        yield name, figure


def faces(figure: Figure, part: str) -> dict[str, Polygon]:
    """Return a face of each box, by the name of what makes the volume."""
    found = [patch for patch in figure.findobj(Polygon) if isinstance(patch, Polygon)]
    named = {str(patch.get_gid()): patch for patch in found}
    return {name.removeprefix(f"{part} of "): patch for name, patch in named.items() if name.startswith(part)}


def sides(figure: Figure) -> dict[str, tuple[float, float, float]]:
    """Return each box's inches up, to the right, and to the back in the length of those up."""
    lengths = {}
    for name, front in faces(figure, "front").items():
        width, height = np.ptp(front.get_xy(), axis=0)
        back = np.ptp(faces(figure, "side")[name].get_xy()[:, 0]) / 0.38
        lengths[name] = (float(height), float(width), float(back))
    return lengths


def test_a_step_is_a_layer_that_makes_a_volume_and_those_that_change_its_values() -> None:
    steps = drawing_of("batchnorm relu conv:3x3,4+bn+relu maxpool:2 dropout flatten fc:10 softmax").steps
    assert [[visit.node.layer.op for visit in step.visits] for step in steps] == [
        ["batchnorm", "relu", "conv", "batchnorm", "relu"],
        ["maxpool", "dropout"],
        ["flatten"],
        ["linear", "softmax"],
    ]
    assert [step.main.node.layer.op for step in steps] == ["conv", "maxpool", "flatten", "linear"]
    assert [step.kind for step in steps] == ["convolution", "pool", "other", "linear"]
    assert [show_shape(step.shape) for step in steps] == ["26x26x4", "13x13x4", "676", "10"]


def test_layers_that_only_change_values_are_a_step_where_nothing_else_is() -> None:
    (step,) = drawing_of("relu abs").steps
    assert (step.kind, step.shape, step.name) == ("other", (28, 28, 3), "abs1")
    before, block = drawing_of("relu res(conv:1x1,3)").steps
    assert ([visit.node.layer.op for visit in before.visits], block.kind) == (["relu"], "sum")


def test_a_block_has_its_branches_and_the_one_that_hands_on_its_input() -> None:
    (block,) = drawing_of("res(conv:3x3,3,p1 relu)+relu").steps
    assert [len(branch) for branch in block.branches] == [1, 0]
    (block,) = drawing_of("cat(conv:1x1,2 | | maxpool:3,s1,p1 res(conv:1x1,3))").steps
    assert [[step.kind for step in branch] for branch in block.branches] == [["convolution"], [], ["pool", "sum"]]
    assert block.kind == "channels side by side"


def test_equal_neighbors_are_joined_where_there_are_many() -> None:
    words = "res(conv:3x3,3,p1@a relu conv:3x3,3,p1@b)+relu"
    assert [step.times for step in drawing_of(f"3x {words}").steps] == [1, 1, 1]
    (joined,) = drawing_of(f"9x {words}").steps
    assert (joined.times, joined.name, joined.last) == (9, "res1", "res9")
    conv, other = drawing_of(f"{MOST_STEPS}x conv:3x3,3,p1 conv:1x1,3").steps
    assert (conv.times, other.times) == (MOST_STEPS, 1)
    assert [line.text for line in lines_of(conv)][:3] == [f"{MOST_STEPS}x", "conv1", f"to conv{MOST_STEPS}"]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_layer_of_a_network_is_in_its_drawing(name: str) -> None:
    document = load_document(str(ROOT / "samples" / f"{name}.toml"))
    drawing = sample_drawing(name)
    drawn = sum(step.times * len(step.visits) for step in drawing.steps if not step.branches)
    inside = sum(
        step.times * (len(step.visits) + sum(inner.times * len(inner.visits) for inner in walk_steps(branch)))
        for step in drawing.steps
        for branch in [tuple(itertools.chain(*step.branches))]
        if step.branches
    )
    assert drawn + inside == len(list(document.network.all_nodes))


@pytest.mark.parametrize("drawn", READABLE, indirect=True, scope="module")
def test_each_volume_is_a_box_with_its_size_below_it(drawn: tuple[str, Figure]) -> None:
    name, figure = drawn
    drawing = sample_drawing(name)
    steps = list(walk_steps(drawing.steps))
    assert set(faces(figure, "front")) == {"input", *(step.main.node.name for step in steps)}
    assert len(faces(figure, "front")) == 1 + len(steps)
    words = words_on(figure)
    for shape in (drawing.input, *(step.shape for step in steps)):
        assert show_shape(shape) in words
    for step in steps:
        assert step.main.node.name in words
    assert [words.count(sign) for sign in ("+", "c")] == [
        sum(step.kind == kind for step in steps) for kind in ("sum", "channels side by side")
    ]


def test_no_text_lies_on_another_or_beyond_the_figure(drawn: tuple[str, Figure]) -> None:
    _, figure = drawn
    boxes = [text.get_window_extent() for text in texts_on(figure)]
    # A circle holds its sign, and letters that stand side by side may touch by a part of a pixel.
    near = [(a, b) for a, b in itertools.combinations(boxes, 2) if a.padded(-1).overlaps(b.padded(-1))]
    assert near == []
    assert all(figure.bbox.padded(1).contains(*corner) for box in boxes for corner in (box.min, box.max))


@pytest.mark.parametrize("drawn", READABLE, indirect=True, scope="module")
def test_the_letters_can_be_read_at_the_natural_size(drawn: tuple[str, Figure]) -> None:
    _, figure = drawn
    assert min(float(text.get_fontsize()) for text in texts_on(figure)) >= 6
    height, width = figure.get_size_inches()[::-1]
    assert width < 12.5
    assert height < 13


def test_boxes_are_to_scale(figure: Figure, sheet: Sheet) -> None:
    draw_network(figure, sheet, drawing_of("conv:5x5,6@a maxpool:2@b conv:1x3,12@c", (20, 30, 6)))
    shapes = {"input": (20, 30, 6), "a": (16, 26, 6), "b": (8, 13, 6), "c": (8, 11, 12)}
    drawn = sides(figure)
    for name, (height, width, channels) in shapes.items():
        up, right, back = drawn[name]
        assert up / height == pytest.approx(1.1 / 30)
        assert back / width == pytest.approx(1.1 / 30)
        assert right / channels == pytest.approx(0.6 / 12)
    assert "Boxes to scale: height and width: linear; channels: linear." in words_on(figure)


@pytest.mark.parametrize(
    ("numbers", "way", "ratio"),
    [([10, 40], "linear", 4), ([9, 225], "square root", 5), ([3, 1023], "logarithm", 5)],
)
def test_sizes_of_different_orders_are_brought_nearer(numbers: list[int], way: str, ratio: float) -> None:
    scale = make_scale(numbers, 2.0)
    assert scale.way == way
    assert scale.length(numbers[1]) == 2.0
    assert scale.length(numbers[1]) / scale.length(numbers[0]) == pytest.approx(ratio)


def test_the_scales_are_told(figure: Figure, sheet: Sheet) -> None:
    draw_network(figure, sheet, sample_drawing("alexnet"))
    scales = make_scales([(224, 224, 3), (6, 6, 256), (9216,), (1000,)])
    assert (scales.space.way, scales.channels.way, scales.vectors.way) == ("square root", "square root", "linear")
    told = "height and width: square root; channels: square root; length of vectors: linear"
    assert f"Boxes to scale: {told}." in words_on(figure)


def test_colors_tell_what_makes_a_volume_and_the_key_says_so(figure: Figure, sheet: Sheet) -> None:
    draw_network(figure, sheet, drawing_of("conv:3x3,3@a maxpool:2@b res(conv:1x1,3)@c flatten fc:3"))
    keys = faces(figure, "key")
    assert list(keys) == ["input", "convolution", "pool", "linear", "sum", "other"]
    fronts = faces(figure, "front")
    for name, kind in (("a", "convolution"), ("b", "pool"), ("c", "sum"), ("linear1", "linear"), ("input", "input")):
        assert fronts[name].get_facecolor() == keys[kind].get_facecolor()
    assert len(set(COLORS.values())) == len(COLORS)
    assert {"sum (+)", "convolution", "pool"} <= set(words_on(figure))


def test_rows_fill_a_figure_of_any_size(figure: Figure, sheet: Sheet) -> None:
    told: list[str] = []
    with listening(lambda _level, message, *values: told.append(message % values)):
        for size in ((4.0, 14.0), (14.0, 6.0), (8.0, 8.0)):
            figure.clear()
            draw_network(figure, sheet._replace(size=size), sample_drawing("lenet5"))
            assert tuple(figure.get_size_inches()[::-1]) == size
            boxes = [text.get_window_extent() for text in texts_on(figure)]
            assert not [(a, b) for a, b in itertools.combinations(boxes, 2) if a.padded(-1).overlaps(b.padded(-1))]
        assert told == []
        figure.clear()
        draw_network(figure, sheet._replace(size=(2.0, 2.0)), sample_drawing("vgg16"))
    (warning,) = told
    assert "points high; --figure-size" in warning


def test_long_texts_are_broken_and_cut(figure: Figure, sheet: Sheet) -> None:
    drawing = drawing_of("conv:[1 2 3 4 5 6 7 8 9; 1 2 3 4 5 6 7 8 9; 1 2 3 4 5 6 7 8 9],s2,p1,border=reflect,bias=0.5")
    lines = [line.text for line in lines_of(drawing.steps[0])]
    assert max(map(len, lines)) <= 30
    draw_network(figure, sheet, drawing._replace(title="a" * 500))
    title = next(text for text in texts_on(figure) if text.get_text().startswith("aaa"))
    assert title.get_window_extent().x1 < figure.bbox.width
    assert title.get_text().endswith("…")


def test_a_network_without_layers_is_its_input(figure: Figure, sheet: Sheet) -> None:
    draw_network(figure, sheet, drawing_of(""))
    assert set(faces(figure, "front")) == {"input"}


def test_svg_keeps_the_names_of_boxes(tmp_path: Path) -> None:
    sheet = Sheet(str(tmp_path / "a.svg"))
    with open_sheet(sheet) as figure:
        draw_network(figure, sheet, drawing_of("conv:3x3,3@first"))
    assert 'id="front of first"' in Path(sheet.target).read_text(encoding="utf-8")
