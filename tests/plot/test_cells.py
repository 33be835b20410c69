"""The numbers of figures read back: each is that of the array, as exact as the figure says, and none meets another.

`python -m tests.plot.test_cells 500` goes on for longer.
"""

import itertools
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import BboxBase

from cnnfilter.arrays import Array
from cnnfilter.cli import main
from cnnfilter.compute.tiles import Model
from cnnfilter.explain.trace import Explained, trace
from cnnfilter.kernels.spec import kernel_shape
from cnnfilter.nn.language import parse_network
from cnnfilter.numbers import show_sum
from cnnfilter.plot.panel import draw_bar
from cnnfilter.plot.sheet import Box
from cnnfilter.plot.view import Display, find_odd, symmetric
from cnnfilter.plot.window import draw_cells, draw_windows
from tests.plot.conftest import blank

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def check_numbers(axes: Axes, values: Array) -> None:
    """Assert that the numbers in cells are those of an array, up to the rounding that the title speaks of."""
    title = " ".join(axes.get_title(loc="left").split())
    texts = {(round(text.get_position()[1]), round(text.get_position()[0])): text.get_text() for text in axes.texts}
    if not texts:
        return
    assert len(texts) == np.count_nonzero(np.isfinite(values) | (find_odd(values) > 0))
    rounded = re.search(r"numbers rounded to (?:(\d) decimals?|(whole) numbers|3 digits)", title)
    for place, text in texts.items():
        value = float(values[place])
        if not np.isfinite(value):
            assert text == str(value)
        elif not rounded:
            assert float(text) == pytest.approx(value, rel=1e-6 if values.dtype == np.float32 else 1e-11, abs=0)
        else:
            unit = 10.0 ** Decimal(text).as_tuple().exponent  # type: ignore[operator]
            assert abs(float(text) - value) <= unit * 0.5000001
            if rounded[1] or rounded[2]:
                assert unit == 10.0 ** -int(rounded[1] or 0) or value == 0


def check_places(axes: Axes) -> None:
    """Assert that no number in the cells of axes meets another."""
    extents = [text.get_window_extent().extents for text in axes.texts]
    left, bottom, right, top = np.reshape(extents, (-1, 4)).T
    before = (right[:, None] < left) | (top[:, None] < bottom)
    assert (before | before.T | np.eye(len(extents), dtype=bool)).all()


def random_values(rng: np.random.Generator) -> Array:
    """Return an array whose numbers are whole, short or long, small or large, some of them not finite."""
    shape = tuple(rng.integers(1, 13, 2))
    values = rng.normal(size=shape) * 10.0 ** rng.integers(-4, 7)
    values = [values, np.rint(values), np.round(values, 2), values.astype(np.float32)][rng.integers(4)]
    if rng.random() < 0.2:
        values[rng.random(shape) < 0.2] = rng.choice([np.nan, np.inf, -np.inf, 0.0])
    return values


def draw_and_check(seed: int) -> bool:
    """Draw one random array in cells of a random size, check what is written, and return whether anything is."""
    rng = np.random.default_rng(seed)
    values = random_values(rng)
    paper = blank((float(rng.uniform(2, 9)), float(rng.uniform(2, 9))), dpi=int(rng.integers(60, 200)))
    paper.lay_out(4, 4)
    display = Display(values, colormap="gray", norm=symmetric(values), odd=find_odd(values))
    axes = draw_cells(paper, Box(0.4, 0.6, 3, 3), display, "some")
    check_numbers(axes, values)
    check_places(axes)
    return bool(axes.texts)


@pytest.mark.parametrize("start", range(0, 60, 20))
def test_drawn_numbers_are_those_of_the_array(start: int) -> None:
    assert sum(draw_and_check(seed) for seed in range(start, start + 20)) > 5


@pytest.mark.parametrize("seed", range(6))
def test_products_and_their_sums_add_up_as_they_are_drawn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (6, 6, 2)).astype(np.float64) / (1 if seed % 2 else 7)
    words = ["conv:sobel-x,sobel-y", "conv:gaussian:3", "conv:[1 2; 3 -4.25],bias=0.5"][seed % 3]
    program = Model(parse_network(words, kernel_shape)).program(image.shape)
    traced = trace(program, image, (1, 1))
    outputs = np.asarray(traced.results(), np.float64)
    one = Explained(traced, outputs, "", image, outputs.reshape(1, 1, -1), (1, 1), 0.0, [])
    paper = blank()
    draw_windows([one], "input", paper)
    products = [traced.products(weighing) for weighing in traced.weighings]
    expected = [part[:, :, slice_] for part in products for slice_ in range(part.shape[2])]
    panels = [axes for axes in paper.figure.axes if axes.get_title(loc="left").startswith("products")]
    assert len(panels) == len(expected)
    for axes, values in zip(panels, expected, strict=True):
        check_numbers(axes, values)
        title = " ".join(axes.get_title(loc="left").split())
        match = re.match(r"products, sum (≈ )?(-?[\d.e+-]+)", title)
        assert match
        if "rounded" not in title:
            drawn = sum(Decimal(text.get_text()) for text in axes.texts)
            assert float(drawn) == pytest.approx(float(match[2]), rel=1e-4 if match[1] else 1e-9, abs=1e-12)
    assert len({axes.images[0].get_clim() for axes in panels}) == 1


@pytest.mark.parametrize("reach", [3e-14, 0.4, 7.0, 2e5])
def test_the_levels_of_a_scale_are_named_each_by_its_number(reach: float) -> None:
    paper = blank()
    paper.lay_out(4, 4)
    box = Box(0.5, 0.5, 2, 3)
    axes = paper.axes(box)
    draw_bar(paper, box, axes.imshow(np.array([[-reach, reach]]), norm=symmetric(np.array([reach]))))
    bar = next(axes for axes in paper.figure.axes if axes.get_label() == "scale")
    words = [text.get_text() for text in bar.get_yticklabels()]
    assert len(words) == len(set(words)) > 2
    assert "0" in words
    levels = bar.get_yticks()
    assert [float(word) for word in words] == levels.tolist()
    assert reach / 2 < levels[-1] <= reach * (1 + 1e-5)
    assert np.allclose(levels, np.linspace(-levels[-1], levels[-1], len(levels)), rtol=0, atol=1e-5 * reach)


@pytest.mark.parametrize(
    ("terms", "total", "shown"),
    [
        ([8.0, -5.0, 0.5], 3.5, "= 8 - 5 + 0.5 = 3.5"),
        ([1 / 3, 2.0], 7 / 3, "≈ 0.33333 + 2 ≈ 2.3333"),
        ([], 191.0, "= 191"),
        ([], np.float32(0.1), "≈ 0.1"),
    ],
)
def test_a_sum_is_said_to_be_equal_only_where_it_is(terms: list[float], total: float, shown: str) -> None:
    assert show_sum(terms, total) == shown


@contextmanager
def watch_texts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, BboxBase, Figure]]]:
    """Yield a list that gets each text as it is drawn, where it is, and its figure."""
    seen: list[tuple[str, BboxBase, Figure]] = []
    draw = Text.draw

    def watch(self: Text, renderer: object) -> None:
        if self.get_visible() and self.get_text().strip():
            seen.append((self.get_text(), self.get_window_extent(renderer), self.get_figure(root=True)))  # type: ignore[arg-type]
        draw(self, renderer)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Text, "draw", watch)
        yield seen


@pytest.mark.parametrize("size", ["3x4", "4x3", "15x20"])
@pytest.mark.parametrize(
    "words",
    [
        "kernels gaussian:9:1.5",
        "kernels 10.31415,0.271828;20.57721,100.33333",
        f"convolve {SAMPLES}/sprite.png -k sobel-x -k gaussian:5 -k line-diagonal:5 -k laplacian-8 -q",
        f"convolve {SAMPLES}/chart.png -k gaussian:5 --explain 9,9 -q",
        f"pool {SAMPLES}/pool-5x5.txt --size 3 -q",
        f"pipeline {SAMPLES}/digits.toml {SAMPLES}/digit-7.png -q",
        "shape 32x32x3 conv:5x5,8 maxpool:2 flatten fc:10",
    ],
)
def test_no_text_is_cut_or_meets_another(
    words: str, size: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with watch_texts(monkeypatch) as seen:
        done = CliRunner().invoke(main, [*words.split(), "--plot", "f.png", "--figure-size", size, "--dpi", "60"])
    assert done.exit_code == 0, done.output
    figure = seen[-1][2]
    texts = [(text, extent) for text, extent, drawn_on in seen if drawn_on is figure]
    assert len(texts) > 5
    width, height = figure.get_size_inches() * 60
    for text, extent in texts:
        assert min(extent.x0, extent.y0) > -1.5, text
        assert extent.x1 < width + 1.5, text
        assert extent.y1 < height + 1.5, text
    for (one, here), (other, there) in itertools.combinations(texts, 2):
        across = min(here.x1, there.x1) - max(here.x0, there.x0)
        down = min(here.y1, there.y1) - max(here.y0, there.y0)
        assert across <= 1 or down <= max(1.5, 0.15 * min(here.height, there.height)), (one, other)


if __name__ == "__main__":
    count = int(sys.argv[1])
    print(f"{sum(map(draw_and_check, range(count)))} of {count} random arrays were drawn with numbers, all right")
