"""Receptive fields: the frames are those of `shape`, and no pixel outside one changes its unit."""

import itertools
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cnnfilter import network
from cnnfilter.arrays import Array
from cnnfilter.errors import ShapeError
from cnnfilter.network_files import load_document, shape_of_kernel
from cnnfilter.nn.language import parse_network
from cnnfilter.nn.layers import Shape
from cnnfilter.nn.network import Network
from cnnfilter.nn.summary import summarize
from cnnfilter.plot.input_regions import Frame, find_frames
from cnnfilter.plot.receptive_field import Backdrop, Fields, choose_section, choose_zoom, draw_fields, table_of
from cnnfilter.plot.sheet import Sheet, open_sheet
from tests.conftest import ROOT
from tests.plot.conftest import texts_on, words_on

SAMPLES = sorted(path.stem for path in (ROOT / "samples").glob("*.toml"))
NETWORKS = [
    "conv:3x3,2,p1 conv:3x3,2,s2 avgpool:2",
    "conv:5x3,2,p2x1,s2x1+relu conv:3x3,1,same",
    "conv:3x3,2,same,s2 conv:2x2,1,same",
    "conv:3x3,2,p1 res(conv:3x3,2,p1+relu conv:3x3,2,p1)+relu conv:3x3,2,s2,p1",
    "conv:3x3,2,s2,p1 res(conv:3x3,3,s2,p1 conv:3x3,3,p1 | conv:1x1,3,s2)",
    "cat(conv:1x1,1 | conv:3x3,1,p1 | conv:5x5,1,p2 avgpool:3,s1,p1) conv:3x3,1",
    "conv:3x3,1,p=0/2/1/0 avgpool:3,s2,ceil",
]


def parse(words: str) -> Network:
    """Return the network that words mean."""
    return parse_network(words, shape_of_kernel)


def fields_of(words: str, shape: Shape, backdrop: Backdrop | None = None) -> Fields:
    """Return what is drawn for layers."""
    found = find_frames(parse(words).visits(shape))
    return Fields(found, (shape[0], shape[1]), backdrop, "a network")


def positive_weights(layers: Network, shape: Shape) -> dict[str, Array]:
    """Return weights of one for all that learns, so that no two changes cancel."""
    return {
        f"{visit.node.name}.{tensor}": np.ones(size)
        for visit in layers.visits(shape)
        for tensor, size in visit.node.layer.tensors(visit.inputs.shape).items()
    }


@cache
def changed_by_force(words: str, shape: Shape) -> Array:
    """Return which units (rows, columns) of the last layer each pixel (row, column) changes, tried one by one."""
    weights = positive_weights(parse(words), shape)
    running = network(words)
    plain = np.ones(shape)
    usual = np.atleast_3d(running.run(plain, weights))
    changed = np.empty((*shape[:2], *usual.shape[:2]), bool)
    for row, column in np.ndindex(shape[0], shape[1]):
        image = plain.copy()
        image[row, column] += 1000.0
        changed[row, column] = (np.atleast_3d(running.run(image, weights)) != usual).any(axis=2)
    return changed


def seen_by_force(words: str, shape: Shape, unit: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the first and last row and column of the pixels that change a unit of the last layer."""
    rows, columns = np.nonzero(changed_by_force(words, shape)[:, :, *unit])
    return rows.min(), rows.max(), columns.min(), columns.max()


@pytest.mark.parametrize("words", NETWORKS)
@pytest.mark.parametrize("corner", ["first", "middle", "last"])
def test_a_frame_holds_the_pixels_that_change_its_unit_and_no_others(words: str, corner: str) -> None:
    shape = (13, 12, 2)
    height, width, _ = parse(words).output(shape)
    unit = {"first": (0, 0), "middle": (height // 2, width // 2), "last": (height - 1, width - 1)}[corner]
    frame = find_frames(parse(words).visits(shape), unit).frames[-1]
    assert frame.unit == unit
    seen = max(frame.rows[0], 0), min(frame.rows[1], 12), max(frame.columns[0], 0), min(frame.columns[1], 11)
    assert seen_by_force(words, shape, unit) == seen


@pytest.mark.parametrize("name", SAMPLES)
def test_the_frames_are_those_that_shape_reports(name: str) -> None:
    document = load_document(str(ROOT / "samples" / f"{name}.toml"))
    assert document.input
    found = find_frames(document.network.visits(document.input))
    frames = {layer: frame for frame in found.frames for layer in frame.names}
    rows = summarize(document.network, document.input).rows
    assert [row.name for row in rows if row.receptive_field == "all"] == list(found.whole)
    assert set(frames) == {row.name for row in rows} - set(found.whole)
    for row in rows:
        if row.receptive_field == "all" or row.jump is None or row.first is None:
            continue
        frame = frames[row.name]
        assert (frame.field.size, frame.field.jump, frame.field.first) == (row.receptive_field, row.jump, row.first)
        assert frame.output == row.output[:2]
        for axis, (low, high) in enumerate((frame.rows, frame.columns)):
            assert low == row.first[axis] + frame.unit[axis] * row.jump[axis]
            assert high - low + 1 == row.receptive_field[axis]
            assert 0 <= frame.unit[axis] < frame.output[axis]


@given(
    st.lists(st.sampled_from(["conv:3x3", "conv:3x3,s2,p1", "maxpool:2", "conv:5x5,p2", "relu"]), max_size=5), st.data()
)
def test_the_frames_of_a_chain_lie_in_each_other(words: list[str], data: st.DataObject) -> None:
    chain = parse(" ".join(["conv:3x3,p1", *words]))
    height, width, _ = chain.output((64, 70, 1))
    unit = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    frames = find_frames(chain.visits((64, 70, 1)), unit).frames
    assert frames[-1].unit == unit
    for inner, outer in itertools.pairwise(frames):
        for (low, high), (first, last) in ((inner.rows, outer.rows), (inner.columns, outer.columns)):
            assert first <= low <= high <= last


def test_the_middle_unit_is_taken_unless_another_is_asked_for() -> None:
    (frame,) = find_frames(parse("conv:3x3,p1 relu").visits((7, 9, 1))).frames
    assert frame == Frame(("conv1", "relu1"), (7, 9), (3, 4), frame.field)
    assert (frame.rows, frame.columns) == ((2, 4), (3, 5))


@pytest.mark.parametrize(
    ("words", "unit", "reason"),
    [
        ("conv:3x3@a flatten", (5, 0), "--unit 5,0: a, .* gives 5x7: rows 0 to 4, columns 0 to 6"),
        ("conv:3x3", (0, 7), "--unit 0,7: conv1"),
        ("flatten", None, "no layer sees a part of the input"),
        ("gap", None, "no layer sees a part of the input"),
        ("", None, "no layer sees a part of the input"),
    ],
)
def test_a_unit_that_is_none_is_refused(words: str, unit: tuple[int, int] | None, reason: str) -> None:
    with pytest.raises(ShapeError, match=reason):
        find_frames(parse(words).visits((7, 9, 1)), unit)


def frames_on(figure: Figure, panel: int) -> dict[int, tuple[float, float, float, float]]:
    """Return the first and last row and column of each frame in a panel, by its number."""
    found = {}
    for patch in figure.axes[panel].patches:
        if isinstance(patch, Rectangle) and str(patch.get_gid()).startswith("frame "):
            (x, y), width, height = patch.get_xy(), patch.get_width(), patch.get_height()
            found[int(str(patch.get_gid()).split()[1])] = (y + 0.5, y + height - 0.5, x + 0.5, x + width - 0.5)
    return found


@pytest.fixture(scope="module", params=SAMPLES)
def drawn(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Fields, Figure]]:
    """Return the fields of a sample network and their figure, drawn once; it is saved when its last test ends."""
    document = load_document(str(ROOT / "samples" / f"{request.param}.toml"))
    assert document.input
    found = find_frames(document.network.visits(document.input))
    fields = Fields(found, (document.input[0], document.input[1]), None, request.param)
    sheet = Sheet(str(tmp_path_factory.mktemp("sheet") / "figure.png"), dpi=80)
    with open_sheet(sheet) as figure:
        draw_fields(figure, sheet, fields)
        yield fields, figure


@pytest.mark.parametrize("drawn", ["lenet5", "alexnet", "resnet18", "inception"], indirect=True, scope="module")
def test_the_frames_are_drawn_around_the_pixels_that_they_name(drawn: tuple[Fields, Figure]) -> None:
    fields, figure = drawn
    found = fields.found
    for panel in range(len(figure.axes)):
        assert frames_on(figure, panel) == {
            number: (*frame.rows, *frame.columns) for number, frame in enumerate(found.frames, 1)
        }
    words = words_on(figure)
    for line in table_of(found):
        assert {cell for cell in line if cell} <= set(words)
    low, high = found.frames[-1].rows
    assert ("grey is padding" in " ".join(words)) == (low < 0 or high >= fields.size[0])


def test_no_text_of_the_table_lies_on_another(drawn: tuple[Fields, Figure]) -> None:
    _, figure = drawn
    outside = [text for text in texts_on(figure) if not str(text.get_gid()).startswith("number")]
    boxes = [text.get_window_extent() for text in outside]
    near = [(a, b) for a, b in itertools.combinations(boxes, 2) if a.padded(-1).overlaps(b.padded(-1))]
    assert near == []
    assert all(figure.bbox.padded(1).contains(*corner) for box in boxes for corner in (box.min, box.max))


def test_the_table_says_what_shape_says() -> None:
    found = find_frames(parse("conv:7x7,64,s2,p3@stem relu maxpool:3,s2,p1 gap flatten").visits((224, 200, 3)))
    assert table_of(found) == [
        ("", "layers", "output", "unit", "field", "jump", "start", "sees rows", "and columns"),
        ("1", "stem, relu1", "112x100", "56, 50", "7x7", "2x2", "-3, -3", "109 to 115", "97 to 103"),
        ("2", "maxpool1", "56x50", "28, 25", "11x11", "4x4", "-5, -5", "107 to 117", "95 to 105"),
        ("", "globalavgpool1, flatten1", "", "", "the whole input", "", "", "", ""),
    ]


def test_small_frames_are_drawn_once_more_enlarged(figure: Figure, sheet: Sheet) -> None:
    fields = fields_of("conv:3x3 conv:3x3 maxpool:16,s16 conv:3x3", (100, 100, 1))
    frames = fields.found.frames
    view = choose_section(frames, fields.size)
    near = choose_zoom(frames, view)
    assert near is not None
    assert near.top < frames[1].rows[0] < frames[1].rows[1] < near.bottom < frames[2].rows[1]
    draw_fields(figure, sheet, fields)
    left, right = figure.axes
    assert left.get_ylim() == (view.bottom, view.top)
    assert (right.get_xlim(), right.get_ylim()) == ((near.left, near.right), (near.bottom, near.top))
    assert {text.get_text() for text in right.texts} == {"1", "2"}


def test_frames_far_larger_than_the_input_are_cut(figure: Figure, sheet: Sheet) -> None:
    fields = fields_of("conv:3x3,p1 conv:81x81,p40", (20, 20, 1))
    view = choose_section(fields.found.frames, fields.size)
    assert -22 < view.top < -20
    assert 39 < view.bottom < 42
    draw_fields(figure, sheet, fields)
    assert len(frames_on(figure, 0)) == 2
    assert "larger than what is drawn: 2." in " ".join(words_on(figure))


def test_the_picture_lies_under_its_frames_pixel_by_pixel(figure: Figure, sheet: Sheet) -> None:
    pixels = np.random.default_rng(3).random((20, 30, 3))
    draw_fields(figure, sheet, fields_of("conv:5x5", (40, 61, 3), Backdrop(pixels, (40, 60), "mine.png")))
    (image,) = figure.axes[0].images
    assert np.array_equal(np.asarray(image.get_array()), pixels)
    assert list(image.get_extent()) == [-0.5, 59.5, 39.5, -0.5]
    assert figure.axes[0].get_aspect() == 1
    assert figure.axes[0].get_title() == "mine.png"
