"""Backpropagation: every layer that can be trained, beside PyTorch, beside differences, and beside its own forward."""

from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from cnnfilter.arrays import Floats
from cnnfilter.compute.gradients import PROPAGATE, Mode, load_steps, propagate
from cnnfilter.compute.state_dict import StateDict, needs
from cnnfilter.errors import LanguageError
from cnnfilter.nn.network import Network, check_trainable
from tests.compute.states import network_of, run, tensors_of
from tests.compute.test_tables import KINDS
from tests.reference.gradients import GRADIENTS, Gradients, loss_factors

SIZE = (7, 6, 4)
"""(height, width, channels) of the images whose gradients are compared with differences."""

STEP = 1e-6

NETWORKS = (
    *("conv:3x3,5", "conv:3x2,6,s2,p1,d2", "conv:3x3,4,g2,same", "conv:5x5,2,s4", "conv:7x6,3", "conv:6x5,3"),
    *("conv:3x3,4,same,border=reflect", "conv:3x3,4,same,border=edge", "conv:5x5,2,same,border=wrap"),
    *("conv:3x3,2,p2,border=symmetric", "conv:3x3,2,p1,border=constant:2", "conv:3x3,2,s3,same,border=reflect"),
    *("dwconv:3x3,2", "conv:3x3,2,flip", "conv:3x3,2,normalize=sum", "conv:3x3,2,normalize=abs,flip"),
    *("conv:sobel-x,sobel-y,same conv:3x3,2", "dwconv:sobel-x,sobel-y conv:3x3,2", "conv:3x3,2,bias=0.5"),
    *("flatten linear:5", "flatten linear:4,nobias", "batchnorm", "gap flatten batchnorm linear:3"),
    *("maxpool:3,s2,p1,ceil", "maxpool:3,s1,d2", "minpool:2", "avgpool:3,s2,p1,countpad,ceil", "avgpool:2"),
    *("l2pool:3,s2,p1,ceil", "medianpool:3", "medianpool:2,s1,p1", "gap", "globalmaxpool"),
    *("channelmax", "channelavg:2", "channelsum", "channelmin:2", "magnitude:2", "conv:1x1,3 gray"),
    *("relu", "relu6", "leakyrelu:0.2", "elu", "gelu", "silu", "sigmoid", "tanh", "abs", "softmax", "dropout:0.3"),
    *("deconv:3x3,5", "deconv:3x2,6,s2x3,p1x0,op1,d2x1", "deconv:4x3,4,g2,s2,nobias", "deconv:1x1,2,s2,op1"),
    *("upsample:2", "upsample:2x3,bilinear", "adaptiveavgpool:3x4", "adaptivemaxpool:3", "adaptiveavgpool:9x1"),
    *(
        "groupnorm:2",
        "groupnorm:4,noaffine",
        "instancenorm",
        "layernorm",
        "flatten layernorm linear:3",
        "batchnorm:noaffine",
    ),
    *("prelu", "prelu:each", "gap flatten prelu:each linear:2", "hardswish", "hardsigmoid", "selu", "softplus", "mish"),
    *("lrn:3,alpha=0.5", "lrn:4,alpha=1,beta=0.5,k=2", "lrn:20,alpha=1", "flatten softmax linear:3"),
    *("res(conv:3x3,4,p1+batchnorm)+relu", "res(conv:3x3,4,p1 | conv:1x1,4)"),
    *("cat(conv:3x3,4,p1 | maxpool:3,s1,p1 | relu)", "cat(flatten fc:3 | gap flatten) fc:2"),
)
"""Every kind of layer, with its options."""


class Task:
    """A network with weights on a batch, and a loss: the sum of what comes out, each value times a number."""

    def __init__(self, network: Network, tensors: Mapping[str, Mapping[str, Floats]], batch: Floats) -> None:
        self.tensors = {name: {part: tensor.copy() for part, tensor in own.items()} for name, own in tensors.items()}
        self.gradients = {
            name: {part: np.zeros_like(tensor) for part, tensor in own.items() if not part.startswith("running_")}
            for name, own in self.tensors.items()
        }
        self.batch = np.ascontiguousarray(np.moveaxis(batch, 0, -1))
        self._kept = tensors
        _, channels, height, width = batch.shape
        self._steps = load_steps(network, (height, width, channels), self.tensors, batch.dtype)

    def forward(self, *, training: bool = False) -> Floats:
        """Return what comes out, each image a column."""
        return propagate(self._steps, self.batch, Mode(self.gradients, training, np.random.default_rng(0)))[0]

    def step(self) -> tuple[float, Floats]:
        """Return the loss and the gradient by the batch; those by the tensors are in `gradients`."""
        for name, own in self._kept.items():
            for part in own.keys() & {"running_mean", "running_var"}:
                self.tensors[name][part][...] = own[part]
        mode = Mode(self.gradients, training=True, random=np.random.default_rng(0))
        outputs, back = propagate(self._steps, self.batch, mode, needed=True)
        factors = loss_factors(outputs.size).reshape(outputs.shape[-1], *outputs.shape[:-1])
        factors = np.moveaxis(factors, 0, -1).astype(outputs.dtype)
        gradient = back(factors)
        assert gradient is not None
        return float((outputs * factors).sum()), gradient


def by_layer(tensors: Mapping[str, Floats]) -> dict[str, dict[str, Floats]]:
    """Return tensors by the name of their layer."""
    layers: dict[str, dict[str, Floats]] = {}
    for name, tensor in tensors.items():
        layer, _, part = name.rpartition(".")
        layers.setdefault(layer, {})[part] = tensor
    return layers


def largest_error(found: Floats, expected: Floats) -> float:
    """Return the largest difference, as a share of the largest number that is expected, or of 1."""
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("reference", GRADIENTS, ids=lambda reference: reference.network)
def test_gradients_are_those_of_pytorch(reference: Gradients) -> None:
    network = network_of(reference.network)
    wanted = list(needs(network, reference.input))
    tensors = StateDict(reference.weights).find(wanted) if wanted else {}
    expected = StateDict(reference.expected).find(wanted) if wanted else {}
    task = Task(network, tensors, reference.batch)
    _, of_batch = task.step()
    shape = reference.batch.shape[1:]
    assert largest_error(np.moveaxis(of_batch, -1, 0), np.reshape(reference.of_input, (-1, *shape))) < 1e-4
    for name, own in expected.items():
        for part, numbers in own.items():
            found = task.tensors[name][part] if part.startswith("running_") else task.gradients[name][part]
            assert largest_error(found, numbers) < 1e-4, f"{name}.{part}"


def places(array: Floats, generator: np.random.Generator) -> Iterator[tuple[int, ...]]:
    """Yield some places of an array."""
    for place in generator.choice(array.size, min(array.size, 12), replace=False):
        yield tuple(map(int, np.unravel_index(place, array.shape)))


@pytest.mark.parametrize("text", NETWORKS)
def test_gradients_are_differences_of_the_loss(text: str) -> None:
    generator = np.random.default_rng(1)
    batch = generator.normal(size=(3, SIZE[2], *SIZE[:2]))
    task = Task(network_of(text), by_layer(tensors_of(text, SIZE)), batch)
    _, of_batch = task.step()
    pairs = [(task.batch, of_batch.copy())]
    pairs += [
        (task.tensors[name][part], found.copy()) for name, own in task.gradients.items() for part, found in own.items()
    ]
    for values, gradient in pairs:
        for place in places(values, generator):
            before = values[place]
            losses = []
            for change in (STEP, -STEP):
                values[place] = before + change
                losses.append(task.step()[0])
            values[place] = before
            slope = (losses[0] - losses[1]) / (2 * STEP)
            assert abs(slope - gradient[place]) <= 1e-6 * max(1, abs(slope)), place


@pytest.mark.parametrize("text", NETWORKS)
def test_a_batch_goes_forward_as_each_image_does(text: str) -> None:
    batch = np.random.default_rng(2).normal(size=(3, SIZE[2], *SIZE[:2]))
    tensors = tensors_of(text, SIZE)
    together = Task(network_of(text), by_layer(tensors), batch).forward()
    for number, image in enumerate(batch):
        alone = np.atleast_3d(run(text, image.transpose(1, 2, 0), tensors))
        found = together[..., number]
        expected = alone.ravel() if found.ndim == 1 else alone.transpose(2, 0, 1)
        assert largest_error(found, expected) < 1e-9


def test_dropout_drops_a_share_and_keeps_the_mean() -> None:
    values = Task(network_of("dropout:0.3"), {}, np.ones((50, 4, 10, 10))).forward(training=True)
    assert set(np.unique(values)) == {0, 1 / 0.7}
    assert values.mean() == pytest.approx(1, abs=0.02)


def test_patches_too_many_to_be_held_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = np.random.default_rng(3).normal(size=(2, 4, 12, 9))
    text = "conv:3x3,5,s2,p1 conv:2x3,4"
    tensors = by_layer(tensors_of(text, (12, 9, 4)))
    whole, parts = Task(network_of(text), tensors, batch), Task(network_of(text), tensors, batch)
    expected = whole.step()
    monkeypatch.setattr("cnnfilter.compute.window_gradients._PATCHES", 1000)
    found = parts.step()
    assert found[0] == pytest.approx(expected[0])
    assert largest_error(found[1], expected[1]) < 1e-12
    for name, own in whole.gradients.items():
        assert largest_error(parts.gradients[name]["weight"], own["weight"]) < 1e-12


def test_every_layer_that_can_be_trained_has_a_backward_and_is_beside_pytorch() -> None:
    assert set(PROPAGATE) == {kind for kind in KINDS if kind.TRAINABLE}
    compared = {type(node.layer) for one in GRADIENTS for node in network_of(one.network).all_nodes}
    by_differences = {type(node.layer) for text in NETWORKS for node in network_of(text).all_nodes}
    assert {kind.__name__ for kind in set(PROPAGATE) - compared} == {"Dropout"}  # of random numbers
    assert by_differences == set(PROPAGATE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("conv:3x3,2 equalize", "layer 2, equalize: cannot be trained"),
        ("cat(conv:3x3,2 | equalize)", "layer 2, equalize: cannot be trained"),
        ("conv:sobel-x relu", "no layer learns"),
    ],
)
def test_what_cannot_be_trained_is_refused(text: str, message: str) -> None:
    with pytest.raises(LanguageError, match=message):
        check_trainable(network_of(text))
