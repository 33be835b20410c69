"""Pictures with transparent pixels: the rules for alpha as plain loops, and what must hold for any picture."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfilter.arrays import Array, Doubles, Floats
from cnnfilter.compute.alpha import plan_visible, run_visible
from cnnfilter.compute.exact import find_facts
from cnnfilter.compute.forward import load_program, plan_program, run_program
from cnnfilter.compute.tiles import cut_program
from cnnfilter.errors import ShapeError
from cnnfilter.kernels.spec import kernel_shape, load_kernel
from cnnfilter.nn.geometry import Pair, Sides, as_border
from cnnfilter.nn.language import parse_network
from cnnfilter.nn.layers import Convolution
from cnnfilter.nn.other_layers import Pool, PoolMode
from tests.compute.plain import Beyond, Move, count_outputs, join_plainly, pad_plainly

BORDERS = ("zero", "edge", "reflect", "symmetric", "wrap", "constant:50")

POSITIVE = ("1 2 1; 2 4 2; 1 2 1", "1", "1 1", "0 3; 1 0; 2 2", "1/3 1/3 1/3")
SIGNED = ("-1 0 1; -2 0 2; -1 0 1", "0 -1 0; -1 5 -1; 0 -1 0", "-1", "1 -1", "-1 -2; 0 4; 1 1")

FILTERS = (
    "dwconv:sharpen,same",
    "dwconv:sobel-x,emboss,same,s2",
    "conv:high-pass,p=2/1/0/3,d2",
    "dwconv:log:9:1.5,same,bias=3",
    "dwconv:[1 -1 2],[0 -1 0],same",
    "dwconv:log:31:5,same",
)
"""Layers with negative weights."""

POOLS = ("max", "min", "median", "avg", "l2")


def run(text: str, colours: Array, alpha: Floats) -> tuple[Array, Floats]:
    """Return the colours and the alpha that a text's network makes of a picture."""
    return run_visible(load_program(parse_network(text, kernel_shape)), colours, alpha)


def plain_result(text: str, colours: Array) -> Array:
    """Return what the network makes of the colours alone, as (H, W, C)."""
    result = run_program(load_program(parse_network(text, kernel_shape)), colours)
    return result if result.ndim == 3 else result[:, :, None]


def picture(height: int = 7, width: int = 8, channels: int = 3, seed: int = 0) -> tuple[Doubles, Doubles]:
    """Return colours from 0 to 255, and an alpha that is often 0, often 1, and sometimes between."""
    numbers = np.random.default_rng(seed)
    alpha = numbers.choice([0, 0, 1 / 255, 0.25, 0.7, 1, 1], (height, width, 1))
    return numbers.integers(0, 256, (height, width, channels)).astype(np.float64), alpha


def garbled(colours: Array, alpha: Floats, seed: int = 1) -> Array:
    """Return the colours with something else wherever nothing is seen."""
    garbage = np.random.default_rng(seed).integers(0, 256, colours.shape).astype(colours.dtype)
    assert (alpha == 0).any()
    return np.where(alpha == 0, garbage, colours)


@dataclass(frozen=True)
class Case:
    """A layer in the language, in parts."""

    op: str
    kernels: tuple[str, ...]
    border: str = "zero"
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    sides: Sides = (0, 0, 0, 0)

    @property
    def text(self) -> str:
        """The layer as it is written."""
        kernels = ",".join(f"[{kernel}]" for kernel in self.kernels)
        sides = "/".join(map(str, self.sides))
        stride, dilation = ("x".join(map(str, pair)) for pair in (self.stride, self.dilation))
        return f"{self.op}:{kernels},s{stride},d{dilation},p={sides},border={self.border}"


@st.composite
def cases(draw: st.DrawFn, kernels: tuple[str, ...]) -> Case:
    """Draw a layer of one kernel, laid on in any way."""
    pair = st.tuples(st.integers(1, 2), st.integers(1, 2))
    return Case(
        draw(st.sampled_from(["conv", "dwconv"])),
        (draw(st.sampled_from(kernels)),),
        draw(st.sampled_from(BORDERS)),
        draw(pair),
        draw(pair),
        draw(st.tuples(*[st.integers(0, 3)] * 4)),
    )


def weights_of(kernel: str) -> list[list[float]]:
    """Return the rows of a kernel that is written out."""
    return [[float(Fraction(word)) for word in row.split()] for row in kernel.split(";")]


def filter_plainly(case: Case, colours: Array, alpha: Floats) -> tuple[Doubles, Doubles]:
    """Return colours and alpha by the rules, window after window, for a layer of one kernel."""
    weights = weights_of(case.kernels[0])
    tall, wide, channels = len(weights), len(weights[0]), colours.shape[2]
    border = as_border(case.border)
    seen = pad_plainly(colours, case.sides, Beyond(border.mode, border.value))
    opaque = 1 if case.border.startswith("constant") else 0
    alphas = pad_plainly(alpha, case.sides, Beyond(border.mode, opaque))
    move = Move(case.stride, case.sides, case.dilation)
    rows, columns = count_outputs((colours.shape[0], colours.shape[1]), (tall, wide), move)
    averages = all(weight >= 0 for row in weights for weight in row)
    result, coverage = [], []
    for i in range(rows):
        line, alpha_line = [], []
        for j in range(columns):
            taps = [
                (
                    weights[a][b],
                    alphas[i * case.stride[0] + a * case.dilation[0]][j * case.stride[1] + b * case.dilation[1]][0],
                    seen[i * case.stride[0] + a * case.dilation[0]][j * case.stride[1] + b * case.dilation[1]],
                )
                for a in range(tall)
                for b in range(wide)
            ]
            middle = (tall - 1) // 2 * wide + (wide - 1) // 2
            rule = average_plainly if averages else difference_plainly
            values = [rule([(k, a, c[channel]) for k, a, c in taps], middle) for channel in range(channels)]
            point = [value for value, _ in values]
            line.append(point if case.op == "dwconv" else [sum(point)])
            alpha_line.append([values[0][1]])
        result.append(line)
        coverage.append(alpha_line)
    return np.array(result), np.array(coverage)


def average_plainly(taps: list[tuple[float, float, float]], _: int) -> tuple[float, float]:
    """Return S sum(k a c) / sum(k a), and sum(k a) / S, for taps (k, a, c)."""
    total = sum(k for k, _, _ in taps)
    visible = sum(k * a for k, a, _ in taps)
    colour = total * sum(k * a * c for k, a, c in taps) / visible if visible > 0 else 0.0
    return colour, visible / total


def difference_plainly(taps: list[tuple[float, float, float]], middle: int) -> tuple[float, float]:
    """Return sum k (r c + (1 - r) c0), r = min(1, a / a0), and the alpha a0 in the middle, for taps (k, a, c)."""
    _, alpha, centre = taps[middle]
    shares = [min(1.0, a / alpha) if alpha else 1.0 for _, a, _ in taps]
    return sum(k * (r * c + (1 - r) * centre) for r, (k, _, c) in zip(shares, taps, strict=True)), alpha


class TestConvolution:
    @given(case=cases(POSITIVE), seed=st.integers(0, 99))
    def test_a_kernel_without_negative_weights_averages_what_is_visible(self, case: Case, seed: int) -> None:
        colours, alpha = picture(seed=seed)
        expected, coverage = filter_plainly(case, colours, alpha)
        result, result_alpha = run(case.text, colours, alpha)
        assert np.allclose(result, expected, rtol=1e-10, atol=1e-9)
        assert np.allclose(result_alpha, coverage, rtol=0, atol=1e-14)

    @given(case=cases(SIGNED), seed=st.integers(0, 99))
    def test_under_a_negative_weight_a_neighbour_counts_relative_to_the_centre(self, case: Case, seed: int) -> None:
        colours, alpha = picture(seed=seed)
        expected, centres = filter_plainly(case, colours, alpha)
        result, result_alpha = run(case.text, colours, alpha)
        assert np.allclose(result, expected, rtol=1e-10, atol=1e-9)
        assert np.array_equal(result_alpha, centres)

    @pytest.mark.parametrize("level", [0.0, 0.25, 1.0])
    @pytest.mark.parametrize("kernel", SIGNED)
    def test_a_translucent_picture_counts_for_less_than_the_constant_beyond_it(self, kernel: str, level: float) -> None:
        colours, alpha = picture()[0], np.full((7, 8, 1), level)
        case = Case("dwconv", (kernel,), "constant:50", sides=(2, 3, 2, 3))
        expected, centres = filter_plainly(case, colours, alpha)
        result, result_alpha = run(case.text, colours, alpha)
        assert np.allclose(result, expected, rtol=1e-10, atol=1e-9)
        assert np.array_equal(result_alpha, centres)

    @pytest.mark.parametrize("kernel", POSITIVE + SIGNED)
    @pytest.mark.parametrize("op", ["conv", "dwconv"])
    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
    def test_small_types_follow_the_rules_in_float32(self, kernel: str, op: str, dtype: str) -> None:
        colours, alpha = picture()
        case = Case(op, (kernel,), "edge", sides=(1, 1, 1, 1))
        expected, coverage = filter_plainly(case, colours, alpha.astype(np.float32))
        result, result_alpha = run(case.text, colours.astype(dtype), alpha.astype(np.float32))
        assert result.dtype == result_alpha.dtype == np.float32
        assert np.allclose(result, expected, rtol=1e-4, atol=1e-3)
        assert np.allclose(result_alpha, coverage, rtol=0, atol=1e-6)

    @pytest.mark.parametrize("text", FILTERS)
    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
    def test_an_evenly_translucent_picture_is_filtered_as_an_opaque_one_to_the_bit(self, text: str, dtype: str) -> None:
        colours = picture(40, 45)[0].astype(dtype)
        opaque = run(text, colours, np.ones((40, 45, 1), np.float32))[0]
        for level in (1 / 255, 0.5, 0.999):
            result, result_alpha = run(text, colours, np.full((40, 45, 1), level, np.float32))
            assert np.array_equal(result, opaque)
            assert set(np.unique(result_alpha)) <= {0, np.float32(level)}

    @pytest.mark.parametrize("text", FILTERS)
    @pytest.mark.parametrize("dtype", ["uint8", "float32"])
    def test_neighbours_that_are_more_visible_count_as_in_an_opaque_picture(self, text: str, dtype: str) -> None:
        colours, alpha = picture(40, 45)[0].astype(dtype), np.ones((40, 45, 1), np.float32)
        opaque = run(text, colours, alpha)[0]
        alpha[21, 20] = 0.25
        result, result_alpha = run(text, colours, alpha)
        (place,) = np.argwhere(result_alpha[:, :, 0] == 0.25)
        assert np.array_equal(result[*place], opaque[*place])
        assert "s2" in text or not np.array_equal(result, opaque)

    @pytest.mark.parametrize("text", FILTERS)
    @pytest.mark.parametrize("border", ["zero", "edge", "constant:7"])
    def test_any_part_of_a_picture_gives_the_bits_of_the_whole(self, text: str, border: str) -> None:
        colours, alpha = picture(90, 70)
        colours, alpha = colours.astype(np.uint8), np.rint(alpha * 255).astype(np.uint8)
        program = load_program(parse_network(f"{text},border={border}", kernel_shape))
        whole, whole_alpha = run_visible(program, colours, alpha.astype(np.float32) / np.float32(255))
        planned = plan_visible(plan_program(program, colours.shape, find_facts(colours)), colours.shape)
        for strip in cut_program(planned, colours.shape, 1):
            part = strip.read(alpha).astype(np.float32) / np.float32(255)
            result, result_alpha = run_visible(strip.program, strip.read(colours), part)
            assert np.array_equal(result, whole[strip.rows])
            assert np.array_equal(result_alpha, whole_alpha[strip.rows])

    @pytest.mark.parametrize("kernel", ["log:31:5", "gabor:9:2:30:4"])
    @pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
    def test_a_large_kernel_follows_the_rule(self, kernel: str, dtype: str) -> None:
        weights = load_kernel(kernel).weights
        colours, alpha = picture(len(weights), len(weights) + 1)
        words = "; ".join(" ".join(map(repr, row)) for row in weights.tolist())
        case = Case("dwconv", (words,), sides=(3, 2, 1, 0))
        expected, centres = filter_plainly(case, colours, alpha.astype(np.float32))
        text = case.text.replace(f"[{words}]", kernel)
        result, result_alpha = run(text, colours.astype(dtype), alpha.astype(np.float32))
        seen = result_alpha > 0
        assert np.array_equal(result_alpha, centres)
        reach = np.abs(weights).sum() * 255
        assert np.abs(result - expected)[seen[:, :, 0]].max() <= reach * (1e-12 if dtype == "float64" else 1e-6)

    @pytest.mark.parametrize("options", ["same", "p=3/0/1/9,s2x3", "d2,same,border=reflect"])
    @pytest.mark.parametrize("op", ["conv", "dwconv"])
    @pytest.mark.parametrize("levels", ["gradient", "noise", "steps"])
    def test_many_weights_give_the_same_level_by_level(
        self, levels: str, op: str, options: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        colours, ramp = picture(50, 150)[0].astype(np.uint8), np.linspace(0, 255, 150)[None, :].repeat(50, axis=0)
        noise = np.random.default_rng(0).integers(0, 256, (50, 150))
        alpha = {"gradient": np.rint(ramp), "noise": noise, "steps": np.rint(ramp / 100) * 100}[levels]
        given = (alpha[:, :, None] / 255).astype(np.float32)
        texts = [f"{op}:{kernel},{options}" for kernel in ("log:17:3", "log:17:3,gabor:17:3:45:6")]
        monkeypatch.setattr("cnnfilter.compute.alpha._LEVEL", 1)
        found = [run(text, colours, given)[0] for text in texts]
        monkeypatch.setattr("cnnfilter.compute.alpha._MANY_WEIGHTS", 1000)
        for text, result in zip(texts, found, strict=True):
            assert np.abs(result - run(text, colours, given)[0]).max() <= 0.02

    @pytest.mark.parametrize("text", FILTERS)
    def test_huge_floats_that_are_invisible_do_not_matter(self, text: str) -> None:
        colours, alpha = picture(40, 45)
        colours, alpha = (colours / 255).astype(np.float32), alpha.astype(np.float32)
        hurt = np.where(alpha == 0, np.float32(1e30), colours)
        seen = run(text, colours, alpha)[1][:, :, 0] > 0
        assert np.allclose(run(text, colours, alpha)[0][seen], run(text, hurt, alpha)[0][seen], rtol=1e-4, atol=1e-4)

    def test_the_rule_worked_out_by_hand_for_a_blur(self) -> None:
        colours = np.array([[[100.0], [200.0], [40.0]]])
        alpha = np.array([[[1.0], [0.5], [0.0]]])
        result, result_alpha = run("dwconv:[1 2 1]", colours, alpha)
        assert result_alpha.tolist() == [[[(1 + 1 + 0) / 4]]]
        assert result.tolist() == [[[4 * (100 + 200) / 2]]]

    def test_the_rule_worked_out_by_hand_for_an_edge(self) -> None:
        colours = np.array([[[100.0], [200.0], [40.0]]])
        alpha = np.array([[[0.25], [0.5], [0.0]]])
        result, result_alpha = run("dwconv:[-1 0 1]", colours, alpha)
        assert result_alpha.tolist() == [[[0.5]]]
        assert result.tolist() == [[[-(0.5 * 100 + 0.5 * 200) + 200]]]

    @pytest.mark.parametrize("kernel", POSITIVE + SIGNED)
    @pytest.mark.parametrize("op", ["conv", "dwconv"])
    def test_an_opaque_picture_gives_the_plain_result_away_from_the_border(self, kernel: str, op: str) -> None:
        colours, alpha = picture()[0], np.ones((7, 8, 1))
        result, result_alpha = run(f"{op}:[{kernel}]", colours, alpha)
        assert np.allclose(result, plain_result(f"{op}:[{kernel}]", colours), rtol=1e-13)
        assert (result_alpha == 1).all()

    @pytest.mark.parametrize("border", BORDERS[1:])
    @pytest.mark.parametrize("kernel", [POSITIVE[0], POSITIVE[3], SIGNED[0], SIGNED[4]])
    def test_an_opaque_picture_gives_the_plain_result_at_the_border_too_unless_it_is_zero(
        self, kernel: str, border: str
    ) -> None:
        text = f"dwconv:[{kernel}],same,border={border}"
        colours = picture()[0]
        result, result_alpha = run(text, colours, np.ones((7, 8, 1)))
        assert np.allclose(result, plain_result(text, colours), rtol=1e-13, atol=1e-11)
        assert (result_alpha == 1).all()

    def test_at_a_zero_border_a_blur_of_an_opaque_picture_fades_and_keeps_its_colour(self) -> None:
        result, result_alpha = run("dwconv:box:3,same", np.full((3, 3, 1), 90.0), np.ones((3, 3, 1)))
        assert np.allclose(result, 90)
        assert np.allclose(result_alpha[:, :, 0] * 9, [[4, 6, 4], [6, 9, 6], [4, 6, 4]])

    @pytest.mark.parametrize("kernel", POSITIVE)
    def test_where_nothing_is_visible_the_colour_is_zero(self, kernel: str) -> None:
        result, result_alpha = run(f"dwconv:[{kernel}]", picture()[0], np.zeros((7, 8, 1)))
        assert not result.any()
        assert not result_alpha.any()

    def test_a_kernel_of_zeros_gives_zeros_and_carries_alpha_over(self) -> None:
        colours, alpha = picture()
        result, result_alpha = run("dwconv:[0 0 0; 0 0 0; 0 0 0]", colours, alpha)
        assert not result.any()
        assert np.array_equal(result_alpha, alpha[1:-1, 1:-1])

    @pytest.mark.parametrize("kernel", ["1 2 1", "1 -1 2"])
    def test_a_bias_is_added_at_the_end(self, kernel: str) -> None:
        colours, alpha = picture()
        plain, plain_alpha = run(f"dwconv:[{kernel}]", colours, alpha)
        result, result_alpha = run(f"dwconv:[{kernel}],bias=8", colours, alpha)
        assert np.allclose(result, plain + 8, rtol=0, atol=1e-10)
        assert np.array_equal(result_alpha, plain_alpha)

    @pytest.mark.parametrize("how", ["sum", "abs"])
    def test_flip_and_normalization_come_before_the_rules(self, how: str) -> None:
        colours, alpha = picture()
        result, result_alpha = run(f"dwconv:[1 2 5],flip,normalize={how}", colours, alpha)
        expected, coverage = filter_plainly(Case("dwconv", ("0.625 0.25 0.125",)), colours, alpha)
        assert np.allclose(result, expected, rtol=1e-10)
        assert np.allclose(result_alpha, coverage, rtol=0, atol=1e-14)

    @pytest.mark.parametrize("kernels", [(POSITIVE[0], "1 1 1; 1 1 1; 1 1 1"), SIGNED[:2]], ids=["blurs", "edges"])
    @pytest.mark.parametrize("op", ["conv", "dwconv"])
    def test_each_kernel_of_a_layer_follows_its_own_rule(self, kernels: tuple[str, ...], op: str) -> None:
        colours, alpha = picture()
        result, result_alpha = run(Case(op, kernels).text, colours, alpha)
        alone = [filter_plainly(Case(op, (kernel,)), colours, alpha) for kernel in kernels]
        for number, (expected, _) in enumerate(alone):
            assert np.allclose(result[:, :, number :: len(kernels)], expected, rtol=1e-10, atol=1e-9)
        assert np.allclose(result_alpha, np.mean([coverage for _, coverage in alone], axis=0), rtol=0, atol=1e-14)


class TestPools:
    @pytest.mark.parametrize("mode", POOLS)
    @pytest.mark.parametrize("options", ["2", "3,s1", "2x3,s1x2,p1", "3,s2,p1,ceil", "2,s1,d2", "2,s1,d11,p5"])
    @given(seed=st.integers(0, 9))
    def test_a_pool_takes_what_is_visible(self, mode: str, options: str, seed: int) -> None:
        colours, alpha = picture(seed=seed)
        layer = parse_network(f"{mode}pool:{options}", kernel_shape).layers[0]
        assert isinstance(layer, Pool)
        expected, expected_alpha = pool_visible_plainly(layer, colours, alpha)
        result, result_alpha = run(f"{mode}pool:{options}", colours, alpha)
        assert np.allclose(result, expected, rtol=1e-12, atol=1e-12)
        assert np.allclose(result_alpha, expected_alpha, rtol=1e-12, atol=1e-12)

    @pytest.mark.parametrize("mode", POOLS)
    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
    def test_an_opaque_picture_gives_the_plain_result_of_the_same_type(self, mode: str, dtype: str) -> None:
        colours = picture()[0].astype(dtype)
        text = f"{mode}pool:3,s2,p1"
        result, result_alpha = run(text, colours, np.ones((7, 8, 1), np.float32))
        expected = plain_result(text, colours)
        assert result.dtype == expected.dtype
        assert np.allclose(result, expected, rtol=1e-6)
        assert (result_alpha == 1).all()

    @pytest.mark.parametrize("mode", POOLS)
    @pytest.mark.parametrize("dtype", ["uint8", "float32"])
    def test_where_nothing_is_visible_the_colour_is_zero(self, mode: str, dtype: str) -> None:
        colours = np.full((4, 4, 3), 77, dtype)
        result, result_alpha = run(f"{mode}pool:2", colours, np.zeros((4, 4, 1), np.float32))
        assert not result.any()
        assert not result_alpha.any()

    @pytest.mark.parametrize("mode", POOLS)
    @pytest.mark.parametrize("hurt", [np.nan, np.inf])
    def test_only_a_visible_pixel_spreads_nan_or_infinity(self, mode: str, hurt: float) -> None:
        colours = np.array([[[hurt], [1.0], [1.0], [hurt]], [[hurt], [hurt], [1.0], [1.0]]])
        alpha = np.array([[[0.0], [1.0], [1.0], [1.0]], [[0.0], [0.0], [0.5], [1.0]]])
        result, _ = run(f"{mode}pool:2", colours, alpha)
        assert result[0, 0].item() == 1
        spreads = np.isnan(hurt) or mode in {"max", "avg", "l2"}
        assert np.array_equal(result[0, 1], [hurt if spreads else 1.0], equal_nan=True)

    @pytest.mark.parametrize("mode", ["max", "avg"])
    def test_a_global_pool_takes_what_is_visible(self, mode: str) -> None:
        colours = np.array([[[10.0], [250.0]], [[30.0], [20.0]]])
        alpha = np.array([[[1.0], [0.0]], [[0.5], [0.5]]])
        result, result_alpha = run(f"global{mode}pool", colours, alpha)
        assert result.item() == {"max": 30, "avg": (10 + 15 + 10) / 2}[mode]
        assert result_alpha.item() == {"max": 1, "avg": 0.5}[mode]

    @pytest.mark.parametrize("text", ["globalmaxpool", "globalavgpool", "maxpool:2", "medianpool:2", "avgpool:2"])
    def test_negative_colours_are_pooled_like_others(self, text: str) -> None:
        colours = np.array([[[-8.0], [-8.0]], [[-8.0], [99.0]]])
        alpha = np.array([[[1.0], [1.0]], [[1.0], [0.0]]])
        assert run(text, colours, alpha)[0].item() == -8

    @pytest.mark.parametrize("mode", ["max", "avg"])
    @pytest.mark.parametrize("dtype", ["uint8", "float32"])
    def test_a_global_pool_of_nothing_visible_is_zero(self, mode: str, dtype: str) -> None:
        colours = np.full((2, 2, 3), 77, dtype)
        result, result_alpha = run(f"global{mode}pool", colours, np.zeros((2, 2, 1), np.float32))
        assert not result.any()
        assert not result_alpha.any()


def pool_visible_plainly(layer: Pool, colours: Array, alpha: Floats) -> tuple[Doubles, Doubles]:
    """Return colours and alpha, window after window: what is visible counts, an average by how much."""
    window = layer.window
    height, width, channels = colours.shape
    sides = window.pads(height, width)
    rows, columns = count_outputs(
        (height, width), window.size, Move(window.stride, sides, window.dilation, window.ceil)
    )
    result, coverage = [], []
    for i in range(rows):
        line, alpha_line = [], []
        for j in range(columns):
            places = [
                (y, x)
                for y in (i * window.stride[0] + a * window.dilation[0] - sides[0] for a in range(window.size[0]))
                for x in (j * window.stride[1] + b * window.dilation[1] - sides[1] for b in range(window.size[1]))
                if 0 <= y < height and 0 <= x < width
            ]
            point = []
            for channel in range(channels):
                taps = [(float(alpha[y, x, 0]), float(colours[y, x, channel])) for y, x in places]
                point.append(join_visible_plainly(layer.mode, taps))
            mode = PoolMode.AVG if layer.mode is PoolMode.L2 else layer.mode
            line.append(point)
            alpha_line.append([join_plainly(mode, [float(alpha[y, x, 0]) for y, x in places], len(places))])
        result.append(line)
        coverage.append(alpha_line)
    return np.array(result), np.array(coverage)


def join_visible_plainly(mode: PoolMode, taps: list[tuple[float, float]]) -> float:
    """Return what a pool makes of taps (a, c)."""
    visible = [c for a, c in taps if a > 0]
    if not visible:
        return 0.0
    if mode is PoolMode.AVG:
        return sum(a * c for a, c in taps) / sum(a for a, _ in taps)
    if mode is PoolMode.L2:
        return float(sum(a * c * c for a, c in taps) ** 0.5)
    return join_plainly(mode, visible, len(visible))


NETWORKS = {
    "blur": "dwconv:gaussian:5,same",
    "sum of a blur": "conv:box:3,same",
    "large blur": "dwconv:gaussian:9,same,border=edge",
    "blur with stride": "dwconv:gaussian:3,same,s2",
    "edge": "dwconv:sobel-x,same",
    "sum of an edge": "conv:sobel-x,same,border=reflect",
    "sharpen": "dwconv:sharpen,same",
    "large edge": "dwconv:log:9,same",
    "two edges combined": "dwconv:sobel-x,sobel-y,same magnitude:2",
    "two edges added": "dwconv:sobel-x,sobel-y,same channelsum:2",
    "the stronger of two edges": "dwconv:sobel-x,sobel-y,same abs channelmax:2",
    "gray": "gray",
    "edge of gray": "gray conv:laplacian-4,same",
    "edges of gray combined": "gray conv:sobel-x,sobel-y,same magnitude",
    "blur after edge": "dwconv:sobel-x,same dwconv:box:3,same",
    "edge after blur": "dwconv:box:3,same dwconv:sobel-x,same relu",
    "max after edge": "dwconv:sobel-x,same maxpool:2",
    "max": "maxpool:2",
    "min": "minpool:2",
    "median": "medianpool:3,s1,p1",
    "avg": "avgpool:2,ceil",
    "avg with padding": "avgpool:3,s2,p1,countpad",
    "l2": "l2pool:2",
    "global max": "globalmaxpool",
    "global avg": "globalavgpool",
}
"""What the commands can ask of a transparent picture."""


class TestEveryNetwork:
    @pytest.mark.parametrize("text", NETWORKS.values(), ids=NETWORKS)
    @given(seed=st.integers(0, 9))
    def test_the_colours_of_invisible_pixels_never_matter(self, text: str, seed: int) -> None:
        colours, alpha = picture(seed=seed)
        result, result_alpha = run(text, colours, alpha)
        other, other_alpha = run(text, garbled(colours, alpha), alpha)
        assert np.array_equal(result_alpha, other_alpha)
        seen = np.broadcast_to(result_alpha > 0, result.shape)
        assert seen.any()
        assert np.allclose(result[seen], other[seen], rtol=1e-11, atol=1e-9)

    @pytest.mark.parametrize("text", NETWORKS.values(), ids=NETWORKS)
    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
    def test_nor_do_they_in_the_types_that_files_hold(self, text: str, dtype: str) -> None:
        colours, alpha = picture()
        colours, alpha = colours.astype(dtype), alpha.astype(np.float32)
        result, result_alpha = run(text, colours, alpha)
        other, other_alpha = run(text, garbled(colours, alpha), alpha)
        assert np.array_equal(result_alpha, other_alpha)
        seen = np.broadcast_to(result_alpha > 0, result.shape)
        assert np.allclose(result[seen], other[seen], rtol=1e-4, atol=1e-2)

    @pytest.mark.parametrize("hurt", [np.nan, np.inf])
    @pytest.mark.parametrize(
        "text", ["dwconv:box:3,same", "dwconv:sobel-x,same", "maxpool:2", "avgpool:2", "globalavgpool"]
    )
    def test_not_even_if_they_are_no_numbers(self, text: str, hurt: float) -> None:
        colours, alpha = picture()
        result, result_alpha = run(text, colours, alpha)
        other, other_alpha = run(text, np.where(alpha == 0, hurt, colours), alpha)
        seen = np.broadcast_to(result_alpha > 0, result.shape)
        assert np.array_equal(result_alpha, other_alpha)
        assert np.allclose(result[seen], other[seen], rtol=1e-11, atol=1e-9)

    @pytest.mark.parametrize("text", NETWORKS.values(), ids=NETWORKS)
    @given(seed=st.integers(0, 9), single=st.booleans())
    def test_alpha_stays_within_0_and_1(self, text: str, seed: int, single: bool) -> None:
        colours, alpha = picture(seed=seed)
        result_alpha = run(text, colours, alpha.astype(np.float32) if single else alpha)[1]
        assert ((result_alpha >= 0) & (result_alpha <= 1)).all()

    @pytest.mark.parametrize("text", NETWORKS.values(), ids=NETWORKS)
    def test_colours_and_alpha_have_the_size_that_was_predicted(self, text: str) -> None:
        colours, alpha = picture()
        network = parse_network(text, kernel_shape)
        result, result_alpha = run(text, colours, alpha)
        predicted = network.output(colours.shape)
        assert result.shape == predicted
        assert result_alpha.shape == (*predicted[:2], 1)

    @pytest.mark.parametrize("text", NETWORKS.values(), ids=NETWORKS)
    def test_an_opaque_picture_gives_the_plain_result_in_the_middle(self, text: str) -> None:
        colours = picture(41, 43)[0]
        result, result_alpha = run(text, colours, np.ones((41, 43, 1)))
        expected = plain_result(text, colours)
        rows, columns = (slice(size // 4, size - size // 4) for size in expected.shape[:2])
        assert expected[rows, columns].size
        assert np.allclose(result[rows, columns], expected[rows, columns], rtol=1e-10, atol=1e-9)
        assert np.allclose(result_alpha[rows, columns], 1, rtol=0, atol=1e-14)

    @pytest.mark.parametrize("text", NETWORKS.values(), ids=NETWORKS)
    def test_colours_and_alpha_stay_as_they_are(self, text: str) -> None:
        colours, alpha = picture()
        before = colours.copy(), alpha.copy()
        colours.flags.writeable = alpha.flags.writeable = False
        run(text, colours, alpha)
        assert np.array_equal(colours, before[0])
        assert np.array_equal(alpha, before[1])


class TestCombining:
    @pytest.mark.parametrize("alpha_value", [0.25, 1.0])
    def test_a_layer_of_single_pixels_leaves_alpha_as_it_is(self, alpha_value: float) -> None:
        colours, alpha = picture()
        alpha = np.where(alpha > 0, alpha_value, 0)
        for text in ("gray", "relu", "channelmax", "channelsum", "magnitude", "channelmin", "abs", "tanh"):
            result, result_alpha = run(text, colours, alpha)
            assert np.array_equal(result_alpha, alpha)
            assert np.array_equal(result, plain_result(text, colours))

    def test_the_magnitude_of_two_edges_is_that_of_their_results(self) -> None:
        colours, alpha = picture()
        x, _ = run("dwconv:sobel-x", colours, alpha)
        y, centre = run("dwconv:sobel-y", colours, alpha)
        both, both_alpha = run("dwconv:sobel-x,sobel-y magnitude:2", colours, alpha)
        assert np.allclose(both, np.hypot(x, y), rtol=1e-12, atol=1e-9)
        assert np.array_equal(both_alpha, centre)

    def test_a_layer_that_does_not_fit_is_refused_before_any_work(self) -> None:
        colours, alpha = picture()
        with pytest.raises(ShapeError, match=r"layer 2, maxpool:9: a window of 9x9 is larger than the input of 7x8"):
            run("relu maxpool:9", colours, alpha)


class TestKeepsAlpha:
    @pytest.mark.parametrize("text", ["", *NETWORKS.values(), "relu", "conv:[1 2; 3 4],[5 6; 7 8]"])
    def test_flat_kernels_pools_and_functions_do(self, text: str) -> None:
        assert load_program(parse_network(text, kernel_shape)).network.takes_alpha

    @pytest.mark.parametrize("text", ["flatten", "softmax", "relu flatten softmax", "dwconv:box:3 softmax"])
    def test_vectors_and_softmax_do_not(self, text: str) -> None:
        assert not load_program(parse_network(text, kernel_shape)).network.takes_alpha

    @pytest.mark.parametrize("shape", [(3, 3, 3), (3, 3, 3, 2)], ids=str)
    def test_deep_kernels_do_not(self, shape: tuple[int, ...], tmp_path: Path) -> None:
        np.save(tmp_path / "kernel.npy", np.ones(shape))
        network = parse_network(f"conv:box:3 conv:{tmp_path / 'kernel.npy'}", kernel_shape)
        assert all(isinstance(layer, Convolution) for layer in network.layers)
        assert not load_program(network).network.takes_alpha
