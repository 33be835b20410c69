"""Norms as layers: what they take, what they count, what they are refused for."""

import pytest

import cnnfilter
from cnnfilter.errors import CnnFilterError, ShapeError
from cnnfilter.nn.fields import PIXEL
from cnnfilter.nn.layers import Flow, Layer, Shape
from cnnfilter.nn.norms import BatchNorm, LocalResponseNorm
from cnnfilter.nn.other_layers import Equalize


@pytest.mark.parametrize(("shape", "channels"), [((5, 4, 3), 3), ((7, 7, 64), 64), ((10,), 10)])
def test_batchnorm_has_two_parameters_and_two_statistics_a_channel(shape: Shape, channels: int) -> None:
    layer = BatchNorm()
    assert layer.output(shape) == shape
    assert (layer.parameters(shape), layer.statistics(shape), layer.macs(shape)) == (2 * channels, 2 * channels, 0)


@pytest.mark.parametrize("shape", [(5, 4, 3), (10,)], ids=["volume", "vector"])
def test_batchnorm_has_four_tensors_with_a_number_for_each_channel(shape: Shape) -> None:
    tensors = BatchNorm().tensors(shape)
    assert list(tensors) == ["weight", "bias", "running_mean", "running_var"]
    assert set(tensors.values()) == {(shape[-1],)}


@pytest.mark.parametrize("layer", [LocalResponseNorm(), Equalize()], ids=lambda layer: layer.op)
def test_other_norms_keep_the_shape_and_learn_nothing(layer: Layer) -> None:
    shape = (5, 4, 3)
    assert layer.output(shape) == shape
    assert (layer.parameters(shape), layer.statistics(shape), layer.macs(shape)) == (0, 0, 0)
    assert layer.tensors(shape) == {}


@pytest.mark.parametrize("layer", [LocalResponseNorm(), Equalize()], ids=lambda layer: layer.op)
def test_other_norms_need_a_volume(layer: Layer) -> None:
    with pytest.raises(ShapeError, match=f"^{layer.op} needs height, width and channels, but gets a vector of 7$"):
        layer.output((7,))


@pytest.mark.parametrize(("layer", "field"), [(BatchNorm(), PIXEL), (LocalResponseNorm(), PIXEL), (Equalize(), None)])
def test_equalize_alone_sees_the_whole_image(layer: Layer, field: object) -> None:
    assert layer.follow(Flow((5, 4, 3))).field == field


def test_the_usual_constants_are_those_of_pytorch_and_caffe() -> None:
    assert BatchNorm().eps == 1e-5
    norm = LocalResponseNorm()
    assert (norm.size, norm.alpha, norm.beta, norm.k) == (5, 1e-4, 0.75, 1.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bn:eps=-1", "layer 1, 'bn:eps=-1': eps -1.0 is negative; it is added to a variance"),
        ("lrn:0", "layer 1, 'lrn:0': number of channels 0 is below 1, the least that is allowed"),
        ("lrn:2.5", "layer 1, 'lrn:2.5': number of channels 2.5 is not a whole number up to 1000000000"),
        ("lrn:alpha=x", "layer 1, 'lrn:alpha=x': alpha: 'x' is not a number"),
        ("lrn:5,k=1,k=2", "layer 1, 'lrn:5,k=1,k=2': 'k=2' sets the k a second time"),
        ("bn:1e-3", "layer 1, 'bn:1e-3': bn has no number"),
        ("bn:alpha=1", "layer 1, 'bn:alpha=1': bn has no alpha"),
        ("lrn:eps=1", "layer 1, 'lrn:eps=1': lrn has no eps"),
        ("equalize:2", "layer 1, 'equalize:2': equalize has no number"),
    ],
)
def test_a_wrong_constant_is_told(text: str, message: str) -> None:
    with pytest.raises(CnnFilterError) as caught:
        cnnfilter.network(text)
    assert str(caught.value) == message
