"""Layers that decode and normalise: the values of PyTorch, by themselves, in parts of networks, and of other types."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnnfilter
from cnnfilter.errors import KernelError
from tests.reference.seeded import seeded_image, seeded_state

LAYERS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "reference" / "layers.json").read_text())
"""Layers, the shapes of their inputs and state dicts, and what PyTorch 2.13 makes of them: see `make_layers`."""


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer["layer"])
def test_a_layer_has_the_size_the_weights_and_the_values_of_pytorch(layer: dict[str, Any]) -> None:
    network, shape = cnnfilter.network(layer["layer"]), tuple(layer["input"])
    state = seeded_state([(name, tuple(size)) for name, size in layer["state"]])
    expected = np.reshape(layer["values"], layer["output"])
    summary = network.summary(shape)
    assert summary.totals.parameters == layer["parameters"]
    assert summary.rows[-1].output == expected.shape
    result = np.atleast_3d(network.run(seeded_image(shape), weights=state or None))
    assert result.dtype == np.float32
    assert np.abs(result - expected).max() <= 1e-5 * np.abs(expected).max()


def test_all_kinds_of_layers_are_among_them() -> None:
    ops = {layer["layer"].partition(":")[0] for layer in LAYERS}
    assert {"deconv", "upsample", "adaptiveavgpool", "adaptivemaxpool", "groupnorm", "layernorm", "prelu"} <= ops


@pytest.mark.parametrize("text", ["upsample:2x3", "adaptivemaxpool:2x3"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int64", "float64"])
def test_a_layer_that_picks_pixels_keeps_their_type(text: str, dtype: str) -> None:
    image = np.arange(60).reshape(4, 5, 3).astype(dtype)
    result = cnnfilter.network(text).run(image)
    assert result.dtype == dtype
    assert set(result.ravel().tolist()) <= set(image.ravel().tolist())


def test_means_of_windows_are_taken_by_hand() -> None:
    image = np.arange(1.0, 6)[None]
    assert cnnfilter.network("adaptiveavgpool:1x3").run(image).tolist() == [[1.5, 3, 4.5]]
    assert cnnfilter.network("upsample:1x2,bilinear").run(image[:, :2]).tolist() == [[1, 1.25, 1.75, 2]]


def test_a_deconv_is_the_gradient_of_a_convolution() -> None:
    generator = np.random.default_rng(1)
    weight = generator.normal(size=(3, 2, 3, 4))
    small, large = generator.normal(size=(4, 5, 3)), generator.normal(size=(8, 17, 2))
    down = cnnfilter.network("conv:3x4,3,s2x3,p1x0,nobias").run(large, weights={"conv1.weight": weight})
    up = cnnfilter.network("deconv:3x4,2,s2x3,p1x0,op1,nobias").run(small, weights={"deconv1.weight": weight})
    assert up.shape == (8, 17, 2)
    assert (down * small).sum() == pytest.approx((up * large).sum())


def test_one_weight_file_serves_layers_in_their_order() -> None:
    text = "conv:1x1,4 groupnorm:2 prelu deconv:2x2,3,s2 bn:noaffine flatten layernorm fc:2"
    shapes = {"a.weight": (4, 1, 1, 1), "a.bias": (4,), "b.weight": (4,), "b.bias": (4,), "c.weight": (1,)}
    shapes |= {"d.weight": (4, 3, 2, 2), "d.bias": (3,), "e.running_mean": (3,), "e.running_var": (3,)}
    shapes |= {"f.weight": (48,), "f.bias": (48,), "g.weight": (2, 48), "g.bias": (2,)}
    state = seeded_state(shapes.items())
    assert cnnfilter.network(text).run(np.ones((2, 2)), weights=state).shape == (2,)


@pytest.mark.parametrize(
    ("text", "shapes", "message"),
    [
        (
            "bn:noaffine@b",
            {"weight": (3,), "bias": (3,), "running_mean": (3,), "running_var": (3,)},
            "without noaffine",
        ),
        ("groupnorm:3@b", {"weight": (4,), "bias": (4,)}, r"b.weight is \(4,\), and b \(groupnorm:3\) needs \(3,\)"),
        ("prelu@b", {"weight": (3,)}, r"b.weight is \(3,\), and b \(prelu\) needs \(1,\)"),
        ("deconv:2x2@b", {"weight": (3, 1, 2, 2)}, "b.bias .* is missing; nobias leaves a layer's bias out"),
        ("layernorm@b", {"weight": (4, 4, 3), "bias": (4, 4, 3)}, r"needs \(3, 4, 4\)"),
    ],
)
def test_weights_that_do_not_fit_are_refused(text: str, shapes: dict[str, tuple[int, ...]], message: str) -> None:
    state = seeded_state((f"b.{name}", shape) for name, shape in shapes.items())
    with pytest.raises(KernelError, match=message):
        cnnfilter.network(text).run(np.ones((4, 4, 3)), weights=state)
