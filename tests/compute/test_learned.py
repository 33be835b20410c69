"""Layers with weights of PyTorch, in its order of axes and of columns, against plain loops and scipy."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from scipy import signal  # type: ignore[import-untyped]

from cnnfilter.arrays import Array, Doubles
from cnnfilter.compute.forward import as_volume
from cnnfilter.errors import KernelError
from cnnfilter.io.weights import as_tensors
from cnnfilter.nn.layers import Function
from cnnfilter.nn.network import Node
from cnnfilter.nn.other_layers import Activation, Flatten, GlobalPool, Linear, Pool, Residual
from tests.compute.plain import (
    Beyond,
    Move,
    connect_plainly,
    convolve_plainly,
    normalize_batch_plainly,
    normalize_locally_plainly,
)
from tests.compute.states import IMAGE, Shape, network_of, run, tensors_of


def flat_in_torch(volume: Array) -> Doubles:
    """Return a volume (H, W, C) as PyTorch flattens it: channel, row, column."""
    return np.ascontiguousarray(volume.transpose(2, 0, 1)).ravel()


class TestConvolutions:
    @pytest.mark.parametrize(
        ("text", "move", "groups"),
        [
            ("conv:3x2,5", Move(), 1),
            ("conv:3x2,5,nobias", Move(), 1),
            ("conv:2x3,6,s2x1,p=1/0/2/3", Move((2, 1), (1, 0, 2, 3)), 1),
            ("conv:3x3,4,d2,p2", Move(sides=(2, 2, 2, 2), dilation=(2, 2)), 1),
            ("conv:3x2,6,g2", Move(), 2),
            ("conv:3x2,8,g4", Move(), 4),
            ("conv:1x1,4,g4,nobias", Move(), 4),
            ("dwconv:3x2", Move(), 4),
            ("dwconv:2x2,3", Move(), 4),
            ("dwconv:2x2,2,nobias,s2", Move((2, 2)), 4),
        ],
    )
    def test_they_are_the_plain_loop_with_weights_turned_from_pytorchs_axes(
        self, text: str, move: Move, groups: int
    ) -> None:
        tensors = tensors_of(text, IMAGE.shape)
        op = text.partition(":")[0]
        weight, bias = tensors[f"{op}1.weight"], tensors.get(f"{op}1.bias")
        assert weight.shape[1] == 4 // groups
        expected = convolve_plainly(
            IMAGE,
            weight.transpose(2, 3, 1, 0),
            move,
            Beyond(),
            groups=groups,
            bias=None if bias is None else bias.tolist(),
        )
        assert np.allclose(run(text, IMAGE, tensors), expected, rtol=1e-12, atol=1e-12)

    def test_they_are_scipys_correlations(self) -> None:
        image = np.random.default_rng(1).normal(size=(20, 31, 3))
        tensors = tensors_of("conv:5x4,16", image.shape)
        result = run("conv:5x4,16", image, tensors)
        for output in range(16):
            kernel = tensors["conv1.weight"][output].transpose(1, 2, 0)
            expected = signal.correlate(image, kernel, mode="valid", method="direct")[:, :, 0]
            assert np.allclose(result[:, :, output], expected + tensors["conv1.bias"][output], rtol=1e-11, atol=1e-11)

    def test_a_learned_kernel_is_the_same_as_one_that_is_drawn(self) -> None:
        image = np.random.default_rng(2).integers(0, 256, (7, 8), dtype=np.uint8)
        weight = np.array([[[[1.0, 2, 3], [0, -1, 5]]]])
        for option in ("", ",same,border=edge", ",s2,p1", ",flip", ",bias=0.5"):
            learned = run(f"conv:2x3,nobias{option}".replace("nobias,bias", "bias"), image, {"conv1.weight": weight})
            assert np.array_equal(learned, run(f"conv:[1 2 3; 0 -1 5]{option}", image, {})), option

    def test_flip_gives_scipys_convolution(self) -> None:
        text = "conv:3x2,5,flip"
        tensors = tensors_of(text, IMAGE.shape)
        result = run(text, IMAGE, tensors)
        for output in range(5):
            weight = tensors["conv1.weight"][output]
            total = sum(signal.convolve2d(IMAGE[:, :, c], weight[c], mode="valid") for c in range(4))
            assert np.allclose(result[:, :, output], total + tensors["conv1.bias"][output], rtol=1e-11, atol=1e-11)

    @pytest.mark.parametrize("how", ["sum", "abs"])
    @pytest.mark.parametrize("op", ["conv:2x2,3", "dwconv:2x2,2", "conv:2x2,4,g2"])
    def test_normalize_divides_each_maps_weights_and_not_the_bias(self, op: str, how: str) -> None:
        tensors = tensors_of(op, IMAGE.shape)
        (name,) = (name for name in tensors if name.endswith("weight"))
        weight = tensors[name]
        sums = (np.abs(weight) if how == "abs" else weight).sum(axis=(1, 2, 3), keepdims=True)
        expected = run(op, IMAGE, {**tensors, name: weight / sums})
        assert np.allclose(run(f"{op},normalize={how}", IMAGE, tensors), expected, rtol=1e-10, atol=1e-10)

    def test_a_map_that_sums_to_zero_is_named_by_its_layer(self) -> None:
        with pytest.raises(KernelError, match=r"^conv1 sums to zero and cannot be normalised by its sum; `abs`"):
            run("conv:1x2,nobias,normalize=sum", IMAGE[:, :, 0], {"conv1.weight": np.array([[[[1.0, -1.0]]]])})

    def test_a_constant_bias_is_no_weight(self) -> None:
        text = "conv:2x2,3,bias=0.25"
        tensors = tensors_of(text, IMAGE.shape)
        assert list(tensors) == ["conv1.weight"]
        assert np.allclose(run(text, IMAGE, tensors), run("conv:2x2,3,nobias", IMAGE, tensors) + 0.25)


class TestColumns:
    """Columns of a linear behind `flatten` stand in the order channel, row, column in files."""

    def test_a_linear_behind_flatten_sees_the_pixels_that_it_was_trained_on(self) -> None:
        tensors = tensors_of("flatten fc:3", IMAGE.shape)
        expected = connect_plainly(IMAGE, tensors["linear1.weight"], tensors["linear1.bias"].tolist())
        assert np.allclose(run("flatten fc:3", IMAGE, tensors), expected, rtol=1e-12)

    def test_one_column_is_one_pixel(self) -> None:
        volume = np.arange(24.0).reshape(2, 4, 3)
        for place, (channel, row, column) in enumerate(np.ndindex(3, 2, 4)):
            weight = np.zeros((1, 24))
            weight[0, place] = 1
            assert run("flatten fc:1,nobias", volume, {"linear1.weight": weight}).tolist() == [
                volume[row, column, channel]
            ]

    @pytest.mark.parametrize("between", ["relu", "dropout", "dropout relu", "flatten", "abs flatten dropout:0.1"])
    def test_layers_between_that_keep_the_places_change_nothing(self, between: str) -> None:
        text = f"flatten {between} fc:3"
        tensors = tensors_of(text, IMAGE.shape)
        before = run(between.replace("flatten", "") or "dropout", IMAGE, {})
        expected = connect_plainly(as_volume(before), tensors["linear1.weight"], tensors["linear1.bias"].tolist())
        assert np.allclose(run(text, IMAGE, tensors), expected, rtol=1e-12)

    @pytest.mark.parametrize("behind", ["", " relu", " dropout"])
    def test_a_batch_norm_between_is_turned_as_well(self, behind: str) -> None:
        text = f"flatten bn{behind} fc:3,nobias"
        tensors = tensors_of(text, IMAGE.shape)
        statistics = {name.split(".")[1]: tensor.tolist() for name, tensor in tensors.items() if "norm" in name}
        vector = np.array(normalize_batch_plainly(flat_in_torch(IMAGE).tolist(), statistics, 1e-5))
        expected = tensors["linear1.weight"] @ (np.maximum(vector, 0) if "relu" in behind else vector)
        assert np.allclose(run(text, IMAGE, tensors), expected, rtol=1e-11)

    def test_a_second_linear_takes_its_columns_as_they_are(self) -> None:
        text = "flatten fc:6 tanh fc:5 bn fc:3"
        tensors = tensors_of(text, IMAGE.shape)
        statistics = {name.split(".")[1]: tensor.tolist() for name, tensor in tensors.items() if "norm" in name}
        first = tensors["linear1.weight"] @ flat_in_torch(IMAGE) + tensors["linear1.bias"]
        second = tensors["linear2.weight"] @ np.tanh(first) + tensors["linear2.bias"]
        third = np.array(normalize_batch_plainly(second.tolist(), statistics, 1e-5))
        expected = tensors["linear3.weight"] @ third + tensors["linear3.bias"]
        assert np.allclose(run(text, IMAGE, tensors), expected, rtol=1e-10)

    def test_flattened_volumes_side_by_side_keep_their_own_order_each(self) -> None:
        text = "cat(flatten | maxpool:2 flatten | flatten fc:7 | channelmax flatten) fc:3"
        tensors = tensors_of(text, IMAGE.shape)
        pooled = IMAGE[:4].reshape(2, 2, 3, 2, 4).max(axis=(1, 3))
        linear = tensors["linear1.weight"] @ flat_in_torch(IMAGE) + tensors["linear1.bias"]
        vector = np.concatenate([flat_in_torch(IMAGE), flat_in_torch(pooled), linear, IMAGE.max(axis=2).ravel()])
        expected = tensors["linear2.weight"] @ vector + tensors["linear2.bias"]
        assert np.allclose(run(text, IMAGE, tensors), expected, rtol=1e-10)

    def test_volumes_side_by_side_are_one_volume_once_they_are_flattened(self) -> None:
        text = "cat(relu | abs) flatten fc:3"
        tensors = tensors_of(text, IMAGE.shape)
        volume = np.concatenate([np.maximum(IMAGE, 0), np.abs(IMAGE)], axis=2)
        expected = tensors["linear1.weight"] @ flat_in_torch(volume) + tensors["linear1.bias"]
        assert np.allclose(run(text, IMAGE, tensors), expected, rtol=1e-11)

    @pytest.mark.parametrize(
        ("text", "shape"),
        [
            ("flatten res(fc:12)", (2, 3, 2)),
            ("res(flatten | gap flatten fc:12)", (2, 3, 2)),
            ("res(flatten relu | flatten fc:12 | flatten) fc:3", (2, 3, 2)),
            ("res(conv:1x3,3,s1x3 flatten | conv:1x2,2,s1x2 flatten) fc:3", (2, 6, 1)),
            ("cat(flatten res(fc:12 | ) fc:2)", (2, 3, 2)),
        ],
    )
    def test_a_sum_of_vectors_in_two_orders_is_refused(self, text: str, shape: Shape) -> None:
        with pytest.raises(KernelError, match=r"^res1 adds a flattened volume to a vector of other order") as caught:
            run(text, np.ones(shape), tensors_of(text, shape))
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("text", "shape"),
        [
            ("flatten res(relu) fc:2", (2, 3, 2)),
            ("res(flatten | flatten abs) fc:2", (2, 3, 2)),
            ("gap flatten res(fc:4) fc:2", (5, 6, 4)),
            ("flatten res(fc:6) fc:2", (2, 3, 1)),
            ("flatten fc:5 res(fc:8+relu+fc:5) fc:2", (2, 3, 2)),
            ("res(maxpool:1x2 flatten | maxpool:2x1 flatten) fc:2", (2, 4, 3)),
        ],
    )
    def test_a_sum_of_vectors_in_one_order_is_that_of_pytorch(self, text: str, shape: Shape) -> None:
        image = np.random.default_rng(3).normal(size=shape)
        tensors = tensors_of(text, shape)
        expected = forward_in_torch(network_of(text).nodes, image.transpose(2, 0, 1), tensors)
        assert np.allclose(run(text, image, tensors), expected, rtol=1e-10)


def forward_in_torch(nodes: Sequence[Node], values: Doubles, tensors: Mapping[str, Array]) -> Doubles:
    """Return what PyTorch makes of a volume (C, H, W), or a vector, by the few kinds of layers that stand here."""
    for node in nodes:
        match node.layer:
            case Residual() as block:
                ends = [forward_in_torch(branch, values, tensors) for branch in node.branches]
                values = np.asarray(sum([*ends, *[values] * block.adds_input]))
            case Linear():
                values = tensors[f"{node.name}.weight"] @ values + tensors[f"{node.name}.bias"]
            case Flatten():
                values = values.ravel()
            case GlobalPool():
                values = values.mean(axis=(1, 2), keepdims=True)
            case Pool(window=window):
                channels, height, width = values.shape
                tall, wide = window.size
                values = values.reshape(channels, height // tall, tall, width // wide, wide).max(axis=(2, 4))
            case Activation(function=Function.RELU):
                values = np.maximum(values, 0)
            case Activation(function=Function.ABS):
                values = np.abs(values)
            case layer:
                raise NotImplementedError(layer.op)
    return values


class TestTypes:
    @pytest.mark.parametrize(
        "stored", ["float16", "float32", "float64", "int8", "uint8", "int64", "bool", ">f4", ">f8"]
    )
    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64", "int32"])
    def test_numbers_count_and_not_the_type_that_holds_them(self, stored: str, dtype: str) -> None:
        text = "conv:2x2,3+bn+relu dwconv:2x2 flatten bn fc:4"
        image = np.random.default_rng(0).integers(0, 200, (4, 5, 2)).astype(dtype)
        given = {
            name: np.random.default_rng(len(name)).integers(0, 2, tensor.shape).astype(stored)
            for name, tensor in tensors_of(text, image.shape).items()
        }
        plain = {name: tensor.astype(np.float64) for name, tensor in given.items()}
        result = run(text, image, as_tensors(given))
        assert np.allclose(result, run(text, image.astype(np.float64), plain), rtol=1e-4)

    @pytest.mark.parametrize(
        ("dtype", "kind"), [("uint8", "float32"), ("uint16", "float32"), ("float32", "float32"), ("float64", "float64")]
    )
    @pytest.mark.parametrize("stored", ["float32", "float64"])
    @pytest.mark.parametrize("text", ["conv:2x2,3", "dwconv:2x2", "bn", "flatten bn fc:4"])
    def test_the_image_tells_the_arithmetic(self, text: str, stored: str, dtype: str, kind: str) -> None:
        tensors = {name: tensor.astype(stored) for name, tensor in tensors_of(text, IMAGE.shape).items()}
        assert run(text, (100 * IMAGE + 500).astype(dtype), tensors).dtype == kind

    def test_doubles_are_not_cut_to_singles(self) -> None:
        weight = np.array([[[[1 / 3]]]])
        assert run("conv:1x1,nobias", np.full((1, 1), 3.0), {"conv1.weight": weight}).tolist() == [[1.0]]
        assert run("flatten fc:1,nobias", np.full((1, 1), 1.0), {"a.weight": weight[0, 0]}).tolist() == [1 / 3]

    def test_whole_weights_on_whole_pixels_give_the_exact_sum(self) -> None:
        image = np.random.default_rng(0).integers(0, 65536, (9, 9, 8), dtype=np.uint16)
        weight = np.random.default_rng(1).integers(-(2**20), 2**20, (70, 8, 3, 3))
        tensors = {"conv1.weight": weight.astype(np.float32)}
        expected = convolve_plainly(image[:4, :4], weight.transpose(2, 3, 1, 0), Move(), Beyond())
        assert run("conv:3x3,70,nobias", image[:4, :4], tensors).tolist() == expected


def test_a_whole_network_is_the_plain_loops_one_after_the_other() -> None:
    text = "conv:3x2,4,s2,p1 lrn:3,alpha=0.5 bn:eps=0.01 relu flatten dropout fc:5"
    tensors = tensors_of(text, IMAGE.shape)
    convolved = convolve_plainly(
        IMAGE,
        tensors["conv1.weight"].transpose(2, 3, 1, 0),
        Move((2, 2), (1, 1, 1, 1)),
        Beyond(),
        bias=tensors["conv1.bias"].tolist(),
    )
    statistics = {name.split(".")[1]: tensor.tolist() for name, tensor in tensors.items() if "norm" in name}
    maps = [
        [normalize_batch_plainly(normalize_locally_plainly(pixel, 3, 0.5, 0.75, 1), statistics, 0.01) for pixel in line]
        for line in convolved
    ]
    volume = np.maximum(np.array(maps), 0)
    expected = connect_plainly(volume, tensors["linear1.weight"], tensors["linear1.bias"].tolist())
    assert np.allclose(run(text, IMAGE, tensors), expected, rtol=1e-10, atol=1e-12)
