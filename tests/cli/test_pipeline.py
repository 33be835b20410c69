"""`cnnfilter pipeline`: what networks in the language do to pictures and matrices."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import special  # type: ignore[import-untyped]  # it has no types

from cnnfilter.arrays import Array, Doubles
from tests.cli.conftest import Run
from tests.cli.pictures import GRAY, correlated, levels, load, rows, text_of

VOLUME: Doubles = np.random.default_rng(5).integers(-9, 10, (8, 10, 4)).astype(np.float64)

SOBEL_X = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
SOBEL_Y = SOBEL_X.T
SHARPEN = np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]])
ONES = np.ones((2, 2))


@pytest.fixture(autouse=True)
def _volume(folder: Path) -> None:
    """Lay the matrix in the current folder."""
    (folder / "volume.txt").write_text(text_of(VOLUME))


def printed(run: Run, network: str) -> Doubles:
    """Return what a network prints of the matrix."""
    return rows(run("pipeline", network, "volume.txt", "-q").stdout)


def blocks(maps: Array, size: int = 2) -> Array:
    """Return a (H, W, C) volume cut into blocks: (H', size, W', size, C)."""
    height, width, channels = maps.shape
    cut = maps[: height // size * size, : width // size * size]
    return cut.reshape(height // size, size, width // size, size, channels)


LAYERS: dict[str, Callable[[Doubles], Array]] = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leakyrelu": lambda x: np.where(x < 0, x / 100, x),
    "leakyrelu:0.3": lambda x: np.where(x < 0, 0.3 * x, x),
    "elu": lambda x: np.where(x < 0, np.expm1(x), x),
    "elu:2": lambda x: np.where(x < 0, 2 * np.expm1(x), x),
    "gelu": lambda x: x * special.ndtr(x),
    "silu": lambda x: x * special.expit(x),
    "sigmoid": special.expit,
    "tanh": np.tanh,
    "abs": np.abs,
    "softmax": lambda x: special.softmax(x, axis=2),
    "channelmax": lambda x: x.max(axis=2),
    "channelmin": lambda x: x.min(axis=2),
    "channelavg": lambda x: x.mean(axis=2),
    "channelsum": lambda x: x.sum(axis=2),
    "magnitude": lambda x: np.sqrt((x**2).sum(axis=2)),
    "channelmax:2": lambda x: np.maximum(x[:, :, ::2], x[:, :, 1::2]),
    "magnitude:2": lambda x: np.hypot(x[:, :, ::2], x[:, :, 1::2]),
    "globalmaxpool": lambda x: x.max(axis=(0, 1), keepdims=True),
    "gmp": lambda x: x.max(axis=(0, 1), keepdims=True),
    "globalavgpool": lambda x: x.mean(axis=(0, 1), keepdims=True),
    "gap": lambda x: x.mean(axis=(0, 1), keepdims=True),
    "maxpool:2": lambda x: blocks(x).max(axis=(1, 3)),
    "minpool:2": lambda x: blocks(x).min(axis=(1, 3)),
    "avgpool:3": lambda x: blocks(x, 3).mean(axis=(1, 3)),
    "l2pool:2": lambda x: np.sqrt((blocks(x) ** 2).sum(axis=(1, 3))),
    "medianpool:3": lambda x: np.median(blocks(x, 3), axis=(1, 3)),
    "maxpool:2,s1": lambda x: np.max([x[:-1, :-1], x[1:, :-1], x[:-1, 1:], x[1:, 1:]], axis=0),
    "avgpool:1x2,p0x1,countpad": lambda x: (np.pad(x, ((0, 0), (1, 1), (0, 0)))).reshape(8, 6, 2, 4).mean(axis=2),
    "avgpool:4,ceil": lambda x: np.stack(
        [[x[i : i + 4, j : j + 4].mean(axis=(0, 1)) for j in (0, 4, 8)] for i in (0, 4)]
    ),
    "conv:[1 1; 1 1]": lambda x: correlated(x, ONES).sum(axis=2),
    "conv:sobel-x,sobel-y": lambda x: np.stack(
        [correlated(x, SOBEL_X).sum(axis=2), correlated(x, SOBEL_Y).sum(axis=2)], axis=-1
    ),
    "dwconv:sharpen": lambda x: correlated(x, SHARPEN),
    "dwconv:sobel-x,sobel-y": lambda x: np.stack(
        [correlated(x[:, :, i], kernel) for i in range(4) for kernel in (SOBEL_X, SOBEL_Y)], axis=-1
    ),
    "dwconv:sharpen,same": lambda x: correlated(x, SHARPEN, (1, 1, 1, 1)),
    "dwconv:sharpen,p1x0": lambda x: correlated(x, SHARPEN, (1, 0, 1, 0)),
    "dwconv:sharpen,p=1/0/0/2": lambda x: correlated(x, SHARPEN, (1, 0, 0, 2)),
    "dwconv:sharpen,s2": lambda x: correlated(x, SHARPEN, stride=2),
    "dwconv:sharpen,d2": lambda x: correlated(x, SHARPEN, dilation=2),
    "dwconv:[1 2; 3 4],flip": lambda x: correlated(x, np.array([[4.0, 3], [2, 1]])),
    "dwconv:sharpen,bias=-1/2": lambda x: correlated(x, SHARPEN) - 0.5,
    "dwconv:sobel-x,normalize=abs": lambda x: correlated(x, SOBEL_X / 8),
    "dwconv:[1 1; 1 1],normalize=sum": lambda x: correlated(x, ONES / 4),
    "dwconv:sharpen,p1,border=edge": lambda x: correlated(np.pad(x, ((1, 1), (1, 1), (0, 0)), mode="edge"), SHARPEN),
    "dwconv:sharpen,p1,border=constant:3": lambda x: correlated(x - 3, SHARPEN, (1, 1, 1, 1)) + 3,
    "flatten": lambda x: x.reshape(1, -1),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_does_what_its_formula_says(run: Run, layer: str) -> None:
    expected = np.asarray(LAYERS[layer](VOLUME))
    result = printed(run, layer)
    if expected.ndim == 3 and expected.shape[:2] == (1, 1):
        expected = expected.reshape(result.shape)
    assert result.shape == expected.shape
    assert np.allclose(result, expected, rtol=1e-12, atol=1e-12)


def test_layers_come_one_after_the_other(run: Run) -> None:
    result = printed(run, "dwconv:sharpen+relu maxpool:2 channelsum")
    expected = blocks(np.maximum(correlated(VOLUME, SHARPEN), 0)).max(axis=(1, 3)).sum(axis=2)
    assert np.array_equal(result, expected)


def test_a_repeat_stands_for_the_layers_written_out(run: Run) -> None:
    twice = printed(run, "2x dwconv:sharpen,same+abs maxpool:2")
    once = correlated(VOLUME, SHARPEN, (1, 1, 1, 1))
    again = correlated(np.abs(once), SHARPEN, (1, 1, 1, 1))
    assert np.array_equal(twice, blocks(np.abs(again)).max(axis=(1, 3)))


def test_names_and_comments_and_line_breaks_change_nothing(run: Run) -> None:
    plain = printed(run, "relu dwconv:sharpen")
    assert np.array_equal(printed(run, "relu@first  # what is bright\n  dwconv:sharpen@second\n# the end\n"), plain)


def test_nothing_is_clipped_or_rounded_between_two_layers(run: Run, colours: Array) -> None:
    run("pipeline", "dwconv:[-8] dwconv:[-1/8]", "colours.png", "-o", "out.png")
    assert np.array_equal(load("out.png"), colours)
    run("pipeline", "dwconv:[1/1024] dwconv:[1024]", "colours.png", "-o", "out.png")
    assert np.array_equal(load("out.png"), colours)


def test_a_conv_sums_colours_and_a_dwconv_keeps_them(run: Run, colours: Array) -> None:
    run("pipeline", "conv:sharpen", "colours.png", "-o", "sum.npy")
    run("pipeline", "dwconv:sharpen", "colours.png", "-o", "each.npy")
    run("pipeline", "gray conv:sharpen", "colours.png", "-o", "gray.npy")
    assert np.array_equal(np.load("each.npy"), correlated(colours, SHARPEN))
    assert np.array_equal(np.load("sum.npy"), correlated(colours, SHARPEN).sum(axis=2))
    assert np.allclose(np.load("gray.npy"), correlated(colours @ np.array(GRAY), SHARPEN), atol=0.01)


@pytest.mark.parametrize(
    ("network", "command"),
    [
        ("dwconv:sharpen,p1,s2", ("convolve", "-k", "sharpen", "-p", "1", "-s", "2")),
        ("conv:sobel-x,flip", ("convolve", "-k", "sobel-x", "--flip", "--channels", "sum")),
        ("gray conv:gaussian:5:1,d2", ("convolve", "-k", "gaussian:5:1", "-d", "2", "--channels", "gray")),
        ("dwconv:box:3,same,border=wrap", ("convolve", "-k", "box:3", "-p", "same", "--border", "wrap")),
        (
            "dwconv:sobel-x,sobel-y magnitude:2 relu",
            ("convolve", "-k", "sobel-x", "-k", "sobel-y", "--combine", "magnitude", "--activation", "relu"),
        ),
        ("dwconv:emboss,normalize=abs,bias=9", ("convolve", "-k", "emboss", "--normalize", "abs", "--bias", "9")),
        (
            "avgpool:3,s2,p1,ceil,countpad",
            ("pool", "-m", "avg", "--size", "3", "-s", "2", "-p", "1", "--ceil", "--count-include-pad"),
        ),
        ("medianpool:3x2,d2", ("pool", "-m", "median", "--size", "3x2", "-d", "2")),
        ("globalavgpool", ("pool", "-m", "avg", "--global")),
        ("channelmax", ("pool", "--over", "channels")),
    ],
)
def test_the_commands_with_options_are_networks_of_the_same_layers(
    run: Run, colours: Array, network: str, command: tuple[str, ...]
) -> None:
    run("pipeline", network, "colours.png", "-o", "network.npy", "-q")
    run(*command, "colours.png", "-o", "command.npy")
    result = np.load("network.npy")
    assert result.std() > 0
    assert result.max() <= 9 + 8 * int(colours.max())
    assert np.array_equal(result, np.load("command.npy"))


def test_a_network_is_the_same_as_its_layers_one_by_one(run: Run, colours: Array) -> None:
    network = "dwconv:gaussian:5:1,same gray conv:sobel-x,sobel-y magnitude maxpool:2 tanh"
    run("pipeline", network, "colours.png", "-o", "whole.npy", "-q")
    source = "colours.png"
    for number, layer in enumerate(network.split()):
        run("pipeline", layer, source, "-o", f"{number}.npy", "-q")
        source = f"{number}.npy"
    assert np.load("whole.npy").shape == ((colours.shape[0] - 2) // 2, (colours.shape[1] - 2) // 2)
    assert np.allclose(np.load("whole.npy"), np.load(source), rtol=1e-4, atol=1e-4)


def test_a_blur_under_a_conv_that_sums_colours_brings_a_warning(run: Run, colours: Array) -> None:
    result = run("pipeline", "conv:box:3", "colours.png", "-o", "out.png")
    assert load("out.png").shape == (colours.shape[0] - 2, colours.shape[1] - 2)
    (warning,) = [line for line in result.stderr.splitlines() if "sums 3 channels" in line]
    assert "dwconv" in warning
    assert "gray" in warning
    for network in ("dwconv:box:3", "gray conv:box:3", "conv:sobel-x"):
        assert "sums" not in run("pipeline", network, "colours.png", "-o", "out.png").stderr


def test_kernels_of_a_network_are_files_too(run: Run, folder: Path, colours: Array) -> None:
    (folder / "sub").mkdir()
    weights = np.random.default_rng(6).integers(-2, 3, (2, 3, 3)).astype(np.float64)
    (folder / "sub" / "k.txt").write_text(text_of(weights))
    run("pipeline", "conv:sub/k.txt,bias=3", "colours.png", "-o", "out.npy")
    expected = sum(correlated(colours[:, :, i], weights[:, :, i]) for i in range(3)) + 3
    assert np.array_equal(np.load("out.npy"), expected)


def test_many_inputs_go_through_one_network(run: Run, samples: Path) -> None:
    run("pipeline", "maxpool:2", *sorted(samples.glob("pool-*.txt")), "-o", "out/")
    assert rows(Path("out/pool-4x4.txt").read_text()).tolist() == [[149, 82], [120, 133]]
    assert rows(Path("out/pool-5x5.txt").read_text()).tolist() == [[149, 31], [200, 135]]


def test_the_result_is_a_picture_of_the_same_depth(run: Run, colours: Array, deep: Array) -> None:
    run("pipeline", "dwconv:sharpen", "colours.png", "deep.png", "-o", "out/", "-q")
    assert np.array_equal(load("out/colours.png"), levels(correlated(colours, SHARPEN)))
    assert np.array_equal(load("out/deep.png"), levels(correlated(deep, SHARPEN), 65535))


def test_a_vector_goes_into_a_matrix_file(run: Run, colours: Array) -> None:
    run("pipeline", "flatten", "colours.png", "-o", "out.npy")
    assert np.array_equal(np.load("out.npy"), colours.reshape(-1))
    run("pipeline", "flatten", "colours.png", "-o", "out.csv")
    assert np.array_equal(rows(Path("out.csv").read_text(), ",")[0], colours.reshape(-1))
