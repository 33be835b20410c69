"""Weights: whose they are, in which order their numbers stand here, and those drawn at random."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfilter.arrays import Array
from cnnfilter.compute.forward import run_program
from cnnfilter.compute.state_dict import Init, Need, RandomWeights, StateDict, bind, needs
from cnnfilter.compute.tiles import Model
from cnnfilter.errors import KernelError, ShapeError
from tests.compute.states import IMAGE, Shape, Tensors, network_of, renamed, run, tensors_of


def found(text: str, shape: Shape, tensors: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
    """Return the tensors of each layer, as they stand in the state dict."""
    return StateDict(tensors, "file.npz").find(list(needs(network_of(text), shape)))


def matches(text: str, shape: Shape, tensors: Mapping[str, Array]) -> dict[str, str]:
    """Return for each layer the name of the tensors that it takes."""
    names = {id(tensor): name.rpartition(".")[0] for name, tensor in tensors.items()}
    pairs = {}
    for layer, parts in found(text, shape, tensors).items():
        (pairs[layer],) = {names[id(tensor)] for tensor in parts.values()}
    return pairs


def refusal(text: str, shape: Shape, tensors: Mapping[str, Array]) -> str:
    """Return the message of the error that weights bring, which is one line and begins with the file's name."""
    with pytest.raises(KernelError) as caught:
        bind(network_of(text), shape, StateDict(tensors, "file.npz"))
    message = str(caught.value)
    assert message.startswith("file.npz: ")
    assert "\n" not in message
    return message.removeprefix("file.npz: ")


RESNET = (
    "conv:3x3,4,p1,nobias bn relu "
    "res(conv:3x3,4,p1,nobias+bn+relu conv:3x3,4,p1,nobias+bn)+relu "
    "res(conv:3x3,8,s2,p1,nobias+bn+relu conv:3x3,8,p1,nobias+bn | conv:1x1,8,s2,nobias+bn)+relu gap flatten fc:10"
)
"""A small network as those of He et al., and the names that torchvision has for its layers."""

TORCHVISION = {
    "conv1": "conv1",
    "batchnorm1": "bn1",
    "conv2": "layer1.0.conv1",
    "batchnorm2": "layer1.0.bn1",
    "conv3": "layer1.0.conv2",
    "batchnorm3": "layer1.0.bn2",
    "conv4": "layer2.0.conv1",
    "batchnorm4": "layer2.0.bn1",
    "conv5": "layer2.0.conv2",
    "batchnorm5": "layer2.0.bn2",
    "conv6": "layer2.0.downsample.0",
    "batchnorm6": "layer2.0.downsample.1",
    "linear1": "fc",
}


class TestNames:
    def test_names_of_the_layers_match_in_whatever_order_the_file_has_them(self) -> None:
        text, shape = "conv:1x1,2@first conv:1x1,2@second bn@third", (2, 2, 2)
        tensors = tensors_of(text, shape)
        turned = dict(reversed(tensors.items()))
        assert matches(text, shape, turned) == {name: name for name in ("first", "second", "third")}

    def test_counted_names_match_too(self) -> None:
        text, shape = "conv:1x1,2 relu conv:1x1,2 flatten fc:3", (2, 2, 2)
        turned = dict(reversed(tensors_of(text, shape).items()))
        assert matches(text, shape, turned) == {name: name for name in ("conv1", "conv2", "linear1")}

    def test_names_may_have_points_and_repeats_number_theirs(self) -> None:
        text, shape = "conv:1x1,2@features.0 2x conv:1x1,2@block.conv", (2, 2, 2)
        turned = dict(reversed(tensors_of(text, shape).items()))
        assert list(matches(text, shape, turned)) == ["features.0", "block.conv.1", "block.conv.2"]
        assert all(layer == group for layer, group in matches(text, shape, turned).items())

    def test_layers_in_blocks_have_names(self) -> None:
        text, shape = "res(conv:1x1,2@inner bn)+relu cat(conv:1x1,3@left | conv:1x1,3@right)", (2, 2, 2)
        turned = dict(reversed(tensors_of(text, shape).items()))
        assert matches(text, shape, turned) == {name: name for name in ("inner", "batchnorm1", "left", "right")}

    def test_a_layer_with_kernels_counts_and_takes_no_weights(self) -> None:
        text, shape = "conv:sobel-x,same conv:1x1,2", (4, 4, 1)
        assert matches(text, shape, dict(reversed(tensors_of(text, shape).items()))) == {"conv2": "conv2"}

    def test_one_name_that_was_given_tells_that_names_are_meant(self) -> None:
        text, shape = "conv:1x1,2@first conv:1x1,2@second", (2, 2, 2)
        message = refusal(text, shape, renamed(tensors_of(text, shape), second="other"))
        assert message.startswith(
            "nothing for second (conv:1x1,2; weight (2, 2, 1, 1), bias (2,)); it has other.weight"
        )

    @pytest.mark.parametrize("present", [("conv1",), ("conv1", "conv2")], ids=str)
    def test_a_file_whose_names_are_all_counted_ones_is_meant_by_name(self, present: tuple[str, ...]) -> None:
        text, shape = "conv:1x1,2 conv:1x1,2 conv:1x1,2", (2, 2, 2)
        tensors = {name: tensor for name, tensor in tensors_of(text, shape).items() if name.startswith(present)}
        assert refusal(text, shape, tensors).startswith("nothing for conv")

    def test_a_counted_name_may_be_a_coincidence(self) -> None:
        tensors = renamed(tensors_of(RESNET, (8, 8, 3)), **TORCHVISION)
        assert matches(RESNET, (8, 8, 3), tensors) == TORCHVISION

    def test_a_counted_name_that_stands_for_another_layer_of_the_file_is_not_believed(self) -> None:
        text, shape = "conv:1x1,2 conv:1x1,2 flatten fc:3", (2, 2, 2)
        tensors = renamed(tensors_of(text, shape), conv1="stem", conv2="conv1", linear1="fc")
        assert matches(text, shape, tensors) == {"conv1": "stem", "conv2": "conv1", "linear1": "fc"}

    def test_counts_of_batches_are_skipped(self) -> None:
        text, shape = "conv:1x1,2 bn", (2, 2, 1)
        tensors = tensors_of(text, shape)
        for names in ({}, {"conv1": "0", "batchnorm1": "1"}):
            file = renamed(tensors, **names)
            norm = names.get("batchnorm1", "batchnorm1")
            counted = {**file, f"{norm}.num_batches_tracked": np.array(7), "9.num_batches_tracked": np.array(8)}
            assert matches(text, shape, counted) == matches(text, shape, file)

    def test_the_pairs_are_told(self, caplog: pytest.LogCaptureFixture) -> None:
        text, shape = "conv:1x1,2 bn", (2, 2, 1)
        with caplog.at_level(logging.DEBUG, logger="cnnfilter"):
            found(text, shape, renamed(tensors_of(text, shape), conv1="features.0", batchnorm1="features.1"))
        assert caplog.messages[0] == "conv1 <- features.0.weight (2, 1, 1, 1), features.0.bias (2,)"
        assert caplog.messages[1].startswith(
            "batchnorm1 <- features.1.weight (2,), features.1.bias (2,), features.1.run"
        )


class TestOrder:
    def test_layers_take_what_fits_them_in_the_order_of_the_file(self) -> None:
        text, shape = "3x conv:1x1,2", (2, 2, 2)
        tensors = renamed(tensors_of(text, shape), conv1="z", conv2="a", conv3="m")
        assert matches(text, shape, tensors) == {"conv1": "z", "conv2": "a", "conv3": "m"}

    def test_kinds_may_stand_apart_in_the_file(self) -> None:
        text, shape = "conv:1x1,3 bn conv:1x1,3 bn flatten fc:3 fc:3 bn", (1, 1, 3)
        tensors = renamed(tensors_of(text, shape), conv1="c1", conv2="c2", linear1="f1", linear2="f2")
        ranks = sorted(tensors, key=lambda name: name.split(".")[0])
        turned = {name: tensors[name] for name in ranks}
        assert next(iter(turned)).startswith("batchnorm1")
        expected = {"conv1": "c1", "conv2": "c2", "linear1": "f1", "linear2": "f2"}
        assert matches(text, shape, turned) == expected | {f"batchnorm{n}": f"batchnorm{n}" for n in (1, 2, 3)}

    def test_shapes_tell_layers_of_one_kind_apart(self) -> None:
        text, shape = "cat(conv:1x1,2 | conv:3x3,2,p1 | conv:1x3,2,p0x1)", (3, 3, 2)
        tensors = renamed(tensors_of(text, shape), conv1="x", conv2="y", conv3="z")
        turned = dict(reversed(tensors.items()))
        assert matches(text, shape, turned) == {"conv1": "x", "conv2": "y", "conv3": "z"}

    def test_a_state_dict_of_one_module_has_no_names_of_layers(self) -> None:
        assert found("conv:1x1,2", (2, 2, 3), {"weight": np.ones((2, 3, 1, 1)), "bias": np.ones(2)})[
            "conv1"
        ].keys() == {
            "weight",
            "bias",
        }

    @given(order=st.permutations(range(4)))
    def test_layers_of_different_shapes_may_stand_in_any_order(self, order: list[int]) -> None:
        text, shape = "conv:1x1,2 conv:1x1,3 conv:1x1,4 conv:1x1,5", (1, 1, 1)
        tensors = list(renamed(tensors_of(text, shape), **{f"conv{n}": f"c{n}" for n in range(1, 5)}).items())
        turned = dict(item for place in order for item in tensors[2 * place : 2 * place + 2])
        assert matches(text, shape, turned) == {f"conv{n}": f"c{n}" for n in range(1, 5)}


@dataclass(frozen=True)
class Mistake:
    """Weights that do not go with a network: what is wrong with those of `tensors_of`, and the message."""

    id: str
    text: str
    message: str
    shape: Shape = (4, 4, 1)
    drop: tuple[str, ...] = ()
    add: Mapping[str, Shape] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def tensors(self) -> Tensors:
        """The state dict that is given."""
        kept = {name: tensor for name, tensor in tensors_of(self.text, self.shape).items() if name not in self.drop}
        return renamed({**kept, **{name: np.ones(shape) for name, shape in self.add.items()}}, **self.names)


MISTAKES = (
    Mistake(
        "missing-by-name",
        "conv:3x3,2 bn",
        "nothing for batchnorm1 (batchnorm; weight (2,), bias (2,), running_mean (2,), running_var (2,))",
        drop=("batchnorm1.weight", "batchnorm1.bias", "batchnorm1.running_mean", "batchnorm1.running_var"),
    ),
    Mistake(
        "missing-and-left-over-by-name",
        "conv:3x3,2@a conv:1x1,3@b",
        "nothing for b (conv:1x1,3; weight (3, 2, 1, 1), bias (3,)); it has c.weight (3, 2, 1, 1), c.bias (3,) for no "
        "layer",
        names={"b": "c"},
    ),
    Mistake(
        "many-missing",
        "conv:3x3,1,nobias@a 6x conv:1x1,1,nobias",
        "nothing for conv2 (conv:1x1,nobias; weight (1, 1, 1, 1)), conv3 (conv:1x1,nobias; weight (1, 1, 1, 1)), "
        "conv4 (conv:1x1,nobias; weight (1, 1, 1, 1)), conv5 (conv:1x1,nobias; weight (1, 1, 1, 1)) and 2 more",
        drop=tuple(f"conv{n}.weight" for n in range(2, 8)),
    ),
    Mistake(
        "left-over-by-name",
        "conv:3x3,2",
        "no layer takes conv2.weight (5, 2, 3, 3), conv2.bias (5,)",
        add={"conv2.weight": (5, 2, 3, 3), "conv2.bias": (5,)},
    ),
    Mistake(
        "left-over-in-order",
        "conv:3x3,2 flatten fc:3",
        "no layer takes d.weight (3, 2)",
        names={"conv1": "a", "linear1": "b"},
        add={"d.weight": (3, 2)},
    ),
    Mistake(
        "many-left-over",
        "conv:3x3,2,nobias",
        "no layer takes e1.weight (1, 1), e2.weight (1, 1), e3.weight (1, 1), e4.weight (1, 1) and 1 more",
        add={f"e{n}.weight": (1, 1) for n in range(1, 6)},
    ),
    Mistake(
        "vectors-of-another-kind",
        "conv:3x3,2,nobias",
        "no layer takes norm.weight (2,), norm.bias (2,)",
        add={"norm.weight": (2,), "norm.bias": (2,)},
    ),
    Mistake(
        "misshapen-by-name",
        "conv:3x3,2,nobias@a",
        "a.weight is (2, 1, 5, 5), and a (conv:3x3,2,nobias) needs (2, 1, 3, 3)",
        add={"a.weight": (2, 1, 5, 5)},
    ),
    Mistake(
        "misshapen-in-order",
        "conv:3x3,2,nobias",
        "nothing fits conv1 (conv:3x3,2,nobias; weight (2, 1, 3, 3)); left is a.weight (2, 1, 5, 5)",
        add={"conv1.weight": (2, 1, 5, 5)},
        names={"conv1": "a"},
    ),
    Mistake(
        "statistics-that-are-not-there",
        "bn",
        "batchnorm1.running_var (1,) is missing",
        drop=("batchnorm1.running_var",),
    ),
    Mistake(
        "bias-that-is-not-there",
        "conv:1x1,2",
        "conv1.bias (2,) is missing; nobias leaves a layer's bias out",
        drop=("conv1.bias",),
    ),
    Mistake(
        "bias-too-many",
        "conv:1x1,2,nobias",
        "conv1.bias (2,) is too many for conv1 (conv:1x1,2,nobias); without nobias it has a bias",
        add={"conv1.bias": (2,)},
    ),
    Mistake(
        "bias-too-many-in-order",
        "flatten fc:2,nobias",
        "nothing fits linear1 (linear:2,nobias; weight (2, 16)); left is fc.weight (2, 16), fc.bias (2,); without "
        "nobias it has a bias",
        add={"linear1.bias": (2,)},
        names={"linear1": "fc"},
    ),
    Mistake(
        "another-part",
        "conv:1x1,2,nobias",
        "conv1.mask (2, 1, 1, 1) is too many for conv1 (conv:1x1,2,nobias)",
        add={"conv1.mask": (2, 1, 1, 1)},
    ),
    Mistake(
        "other-way-round",
        "flatten fc:3,nobias",
        "linear1.weight is (16, 3), and linear1 (linear:3,nobias) needs (3, 16); it fits after "
        "`.reshape(4, 4, 1, 3).transpose(3, 2, 0, 1).reshape(3, 16)`",
        add={"linear1.weight": (16, 3)},
    ),
    Mistake(
        "nothing-of-that-kind",
        "conv:3x3,2,nobias bn",
        "nothing fits batchnorm1 (batchnorm; weight (2,), bias (2,), running_mean (2,), running_var (2,)); left is "
        "b.weight (2, 2)",
        drop=("batchnorm1.weight", "batchnorm1.bias", "batchnorm1.running_mean", "batchnorm1.running_var"),
        add={"b.weight": (2, 2)},
        names={"conv1": "a"},
    ),
    Mistake(
        "nothing-left",
        "conv:3x3,2,nobias flatten fc:3",
        "nothing fits linear1 (linear:3; weight (3, 8), bias (3,)); left is nothing",
        drop=("linear1.weight", "linear1.bias"),
        names={"conv1": "a"},
    ),
    Mistake(
        "arrays-without-names",
        "conv:3x3,2,nobias",
        "nothing fits conv1 (conv:3x3,2,nobias; weight (2, 1, 3, 3)); left is arr_0 (2, 1, 3, 3), arr_1 (2,)",
        drop=("conv1.weight",),
        add={"arr_0": (2, 1, 3, 3), "arr_1": (2,)},
    ),
    Mistake(
        "two-for-one-layer-in-order",
        "2x conv:1x1,1,nobias",
        "nothing fits conv2 (conv:1x1,nobias; weight (1, 1, 1, 1)); left is b.weight (2, 1, 1, 1)",
        names={"conv1": "a", "conv2": "b"},
        add={"conv2.weight": (2, 1, 1, 1)},
    ),
)


class TestMistakes:
    @pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.id)
    def test_the_message_names_both_sides(self, mistake: Mistake) -> None:
        assert refusal(mistake.text, mistake.shape, mistake.tensors) == mistake.message

    def test_nothing_at_all_is_an_error_about_the_first_layer(self) -> None:
        assert refusal("relu conv:3x3,2", (4, 4, 1), {}).startswith(
            "nothing fits conv1 (conv:3x3,2; weight (2, 1, 3, 3)"
        )

    @pytest.mark.parametrize("names", [{}, {"conv1": "features.0"}], ids=["by name", "in order"])
    def test_weights_for_colour_on_a_grey_picture_tell_how_to_make_three_channels_of_one(
        self, names: dict[str, str]
    ) -> None:
        text = "conv:3x3,2 relu"
        tensors = renamed(tensors_of(text, (4, 4, 3)), **names)
        message = refusal(text, (4, 4, 1), tensors)
        assert message.endswith(
            "; the weights are for 3 channels, and 1 is given: conv:[1],[1],[1] before makes three of one"
        )
        assert "(2, 3, 3, 3)" in message
        assert "(2, 1, 3, 3)" in message

    def test_what_the_message_proposes_for_a_grey_picture_is_the_picture_three_times(self) -> None:
        image = np.random.default_rng(0).normal(size=(4, 5))
        tensors = tensors_of("conv:3x3,2", (4, 5, 3))
        proposed = run("conv:[1],[1],[1] conv:3x3,2", image, renamed(tensors, conv1="conv2"))
        assert np.allclose(proposed, run("conv:3x3,2", np.stack([image] * 3, axis=2), tensors))

    @pytest.mark.parametrize("names", [{}, {"conv1": "features.0"}], ids=["by name", "in order"])
    def test_weights_for_grey_on_a_colour_picture_tell_of_gray(self, names: dict[str, str]) -> None:
        text = "conv:3x3,2 relu"
        message = refusal(text, (4, 4, 3), renamed(tensors_of(text, (4, 4, 1)), **names))
        assert message.endswith("; the weights are for 1 channel, and 3 are given: gray before makes one of three")

    @pytest.mark.parametrize("names", [{}, {"conv1": "a", "conv2": "b", "linear1": "c", "linear2": "d"}], ids=str)
    @pytest.mark.parametrize(
        ("text", "shape", "given"),
        [
            ("conv:3x3,2,nobias", (4, 4, 3), {"conv1": (5, 3, 3, 3)}),
            ("conv:3x3,2,nobias", (4, 4, 3), {"conv1": (2, 1, 5, 5)}),
            ("conv:1x1,3,nobias conv:1x1,4,nobias", (4, 4, 1), {"conv1": (3, 1, 1, 1), "conv2": (4, 1, 1, 1)}),
            ("flatten fc:2,nobias", (2, 2, 1), {"linear1": (5, 4)}),
            ("flatten fc:3,nobias fc:4,nobias", (2, 2, 1), {"linear1": (3, 4), "linear2": (4, 5)}),
        ],
    )
    def test_what_no_other_picture_mends_brings_no_hint_about_pictures(
        self, text: str, shape: Shape, given: dict[str, Shape], names: dict[str, str]
    ) -> None:
        tensors = {f"{name}.weight": np.ones(size) for name, size in given.items()}
        assert "the weights are for" not in refusal(text, shape, renamed(tensors, **names))

    @pytest.mark.parametrize("names", [{}, {"linear1": "fc"}], ids=["by name", "in order"])
    def test_weights_for_a_picture_of_another_size_tell_to_resize(self, names: dict[str, str]) -> None:
        text = "maxpool:2 flatten fc:3"
        message = refusal(text, (6, 6, 2), renamed(tensors_of(text, (8, 8, 2)), **names))
        assert message.endswith("; the weights are for 32 inputs, from an image of another size: --resize HxW")

    def test_a_picture_that_the_layers_cannot_take_is_an_error_of_shapes(self) -> None:
        text = "relu conv:3x3,2"
        with pytest.raises(ShapeError, match="layer 2, conv:3x3,2: a window of 3x3 is larger than the input of 2x2"):
            bind(network_of(text), (2, 2, 1), StateDict(tensors_of(text, (4, 4, 1))))


KERAS = {
    "conv": ("conv:3x3,4,nobias", (9, 9, 3), (3, 3, 3, 4)),
    "an oblong conv": ("conv:3x5,4,nobias", (9, 9, 2), (3, 5, 2, 4)),
    "dwconv": ("dwconv:3x3,nobias", (9, 9, 5), (3, 3, 5, 1)),
    "dwconv of several outputs": ("dwconv:3x3,2,nobias", (9, 9, 5), (3, 3, 5, 2)),
    "dense": ("gap flatten fc:4,nobias", (9, 9, 6), (6, 4)),
    "dense after a flattened volume": ("flatten fc:4,nobias", (2, 3, 5), (30, 4)),
}
"""Networks of one layer, the shape of their input, and that of the weight as Keras has it."""


class TestKeras:
    @pytest.mark.parametrize("name", ["conv1/kernel:0", "a.weight", "{}.weight"])
    @pytest.mark.parametrize(("text", "shape", "given"), KERAS.values(), ids=KERAS)
    def test_the_message_shows_what_turns_the_axes(self, text: str, shape: Shape, given: Shape, name: str) -> None:
        tensor = np.random.default_rng(0).normal(size=given).astype(np.float32)
        layer = next(iter(tensors_of(text, shape))).rpartition(".")[0]
        message = refusal(text, shape, {name.format(layer): tensor})
        call = message.rpartition("fits after `")[2].rstrip("`")
        assert "transpose" in call
        turned = eval(f"tensor{call}", {"tensor": tensor})  # what a reader would type
        image = np.random.default_rng(1).normal(size=shape)
        assert np.allclose(run(text, image, {f"{layer}.weight": turned}), keras(text, image, tensor), atol=1e-4)

    def test_a_weight_that_fits_as_it_is_brings_no_hint(self) -> None:
        message = refusal("conv:3x3,3", (9, 9, 3), {"conv1.weight": np.ones((3, 3, 3, 3))})
        assert message == "conv1.bias (3,) is missing; nobias leaves a layer's bias out"


def keras(text: str, image: Array, weight: Array) -> Array:
    """Return what a layer of Keras with a weight makes of an image (H, W, C)."""
    if weight.ndim == 2:
        return np.asarray((image.mean(axis=(0, 1)) if "gap" in text else image.ravel()) @ weight)
    windows = np.lib.stride_tricks.sliding_window_view(image, weight.shape[:2], axis=(0, 1))
    if text.startswith("dwconv"):
        maps = np.einsum("hwcij,ijcm->hwcm", windows, weight)
        return np.asarray(maps.reshape(*maps.shape[:2], -1))
    return np.asarray(np.einsum("hwcij,ijco->hwo", windows, weight))


class TestBatchNorms:
    @pytest.mark.parametrize("missing", [("weight", "bias"), ("weight",), ("bias",)], ids=str)
    @pytest.mark.parametrize("names", [{}, {"conv1": "0", "batchnorm1": "1"}], ids=["by name", "in order"])
    def test_without_scale_or_shift_they_are_1_and_0(self, missing: tuple[str, ...], names: dict[str, str]) -> None:
        text, shape = "conv:3x3,6 bn", (5, 5, 4)
        tensors = tensors_of(text, shape)
        whole = tensors | {f"batchnorm1.{part}": np.full(6, float(part == "weight"), np.float32) for part in missing}
        given = {
            name: tensor for name, tensor in tensors.items() if name not in {f"batchnorm1.{part}" for part in missing}
        }
        image = np.random.default_rng(0).normal(size=shape)
        assert np.array_equal(run(text, image, renamed(given, **names)), run(text, image, whole))

    @pytest.mark.parametrize("missing", ["running_mean", "running_var"])
    def test_without_statistics_they_are_refused(self, missing: str) -> None:
        tensors = tensors_of("bn", (5, 5, 4))
        del tensors[f"batchnorm1.{missing}"]
        assert refusal("bn", (5, 5, 4), tensors) == f"batchnorm1.{missing} (4,) is missing"


class TestRandomWeights:
    LAYERS = (
        ("conv:3x3,64,p1", (1, 1, 64), 576),
        ("conv:3x3,64,g4,p1", (1, 1, 64), 144),
        ("dwconv:7x7,8,p3", (1, 1, 128), 49),
        ("flatten fc:300", (4, 4, 16), 256),
    )
    """Layers, the shapes of their inputs, and how many products each output sums."""

    def tensors(self, text: str, shape: Shape, init: Init, seed: int = 0) -> Tensors:
        """Return the tensors of the last layer of a network."""
        (tensors,) = RandomWeights(init, seed).find(list(needs(network_of(text), shape))).values()
        return tensors

    @pytest.mark.parametrize(("text", "shape", "inputs"), LAYERS)
    @pytest.mark.parametrize("seed", [0, 1, 2])
    def test_he_draws_normally_with_variance_two_over_the_inputs(
        self, text: str, shape: Shape, inputs: int, seed: int
    ) -> None:
        tensors = self.tensors(text, shape, "he", seed)
        weight = tensors["weight"].astype(np.float64)
        deviation = np.sqrt(2 / inputs)
        assert weight.dtype == np.float64
        assert np.prod(weight.shape[1:]) == inputs
        assert abs(weight.mean()) < 4 * deviation / np.sqrt(weight.size)
        assert weight.std() == pytest.approx(deviation, rel=4 / np.sqrt(2 * weight.size))
        assert np.mean(np.abs(weight) < deviation) == pytest.approx(0.6827, abs=2 / np.sqrt(weight.size))
        assert (tensors["bias"] == 0).all()

    @pytest.mark.parametrize(("text", "shape", "inputs"), LAYERS)
    @pytest.mark.parametrize("seed", [0, 1, 2])
    def test_uniform_draws_evenly_within_one_over_the_root_of_the_inputs(
        self, text: str, shape: Shape, inputs: int, seed: int
    ) -> None:
        tensors = self.tensors(text, shape, "uniform", seed)
        bound = 1 / np.sqrt(inputs)
        for part in ("weight", "bias"):
            values = tensors[part].astype(np.float64)
            assert np.abs(values).max() <= bound * (1 + 1e-6)
            assert np.abs(values).max() > bound * (1 - 10 / values.size)
            assert abs(values.mean()) < 4 * bound / np.sqrt(3 * values.size)
            assert values.std() == pytest.approx(bound / np.sqrt(3), rel=4 / np.sqrt(values.size))

    @pytest.mark.parametrize("init", ["he", "uniform"])
    def test_a_batch_norm_passes_values_on_but_for_its_eps(self, init: Init) -> None:
        program = Model(network_of("bn"), RandomWeights(init)).program(IMAGE.shape)
        assert np.allclose(run_program(program, IMAGE), IMAGE / np.sqrt(1 + 1e-5), rtol=1e-14)

    @pytest.mark.parametrize("init", ["he", "uniform"])
    def test_the_same_seed_draws_the_same_numbers_and_another_one_others(self, init: Init) -> None:
        wanted = list(needs(network_of("conv:3x3,8 bn conv:1x1,8 flatten fc:5"), (5, 5, 3)))
        first, again, other = (RandomWeights(init, seed).find(wanted) for seed in (3, 3, 4))
        for need in wanted:
            for part, shape in need.tensors.items():
                tensor = first[need.name][part]
                assert tensor.dtype == np.float32
                assert tensor.shape == shape
                assert np.array_equal(tensor, again[need.name][part])
        for name in ("conv1", "conv2", "linear1"):
            assert not np.isin(first[name]["weight"], other[name]["weight"]).any()

    def test_layers_of_one_shape_have_different_numbers(self) -> None:
        found = RandomWeights("he").find(list(needs(network_of("2x conv:1x1,3"), (1, 1, 3))))
        assert not np.isin(found["conv1"]["weight"], found["conv2"]["weight"]).any()

    def test_he_keeps_the_size_of_values_through_many_layers(self) -> None:
        network = network_of("20x conv:3x3,32,p1,border=wrap+relu")
        image = np.random.default_rng(0).normal(size=(16, 16, 32))
        result = run_program(Model(network, RandomWeights("he")).program(image.shape), image)
        assert 0.1 < np.sqrt(np.mean(result**2)) < 10

    def test_a_sum_of_vectors_in_two_orders_is_no_matter_to_them(self) -> None:
        program = Model(network_of("flatten res(fc:12)"), RandomWeights("he")).program((2, 3, 2))
        assert run_program(program, np.ones((2, 3, 2))).shape == (12,)


class TestModel:
    def test_one_program_is_kept_and_another_shape_gets_a_new_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[list[str]] = []
        find = RandomWeights.find

        def find_and_count(
            weights: RandomWeights, wanted: list[Need], fixed: frozenset[str]
        ) -> dict[str, dict[str, Array]]:
            asked.append([need.name for need in wanted])
            return find(weights, wanted, fixed)

        monkeypatch.setattr(RandomWeights, "find", find_and_count)
        model = Model(network_of("conv:3x3,2 flatten fc:3"), RandomWeights("he"))
        first = model.program((5, 5, 1))
        assert model.program((5, 5, 1)) is first
        assert asked == [["conv1", "linear1"]]
        second = model.program((6, 5, 1))
        assert second is not first
        assert second.steps[2].tensors["weight"].shape == (4 * 3 * 2, 3)
        assert model.program((6, 5, 1)) is second
        assert len(asked) == 2
        again = model.program((5, 5, 1))
        assert np.array_equal(again.steps[2].tensors["weight"], first.steps[2].tensors["weight"])

    def test_kernels_are_loaded_once_for_all_shapes(self) -> None:
        model = Model(network_of("conv:sobel-x,same relu"))
        assert model.program((5, 5, 1)) is model.program((9, 9, 3))

    def test_without_weights_a_layer_that_learns_is_refused_at_once(self) -> None:
        with pytest.raises(KernelError, match=r"^batchnorm1 \(batchnorm\) has no weights, so only its size is known"):
            Model(network_of("conv:sobel-x bn"))

    @pytest.mark.parametrize("text", ["", "relu", "conv:sobel-x", "gray res(equalize)"])
    def test_weights_for_a_network_that_learns_nothing_are_left_over(self, text: str) -> None:
        model = Model(network_of(text), StateDict({"a.weight": np.ones((1, 2))}, "file.npz"))
        with pytest.raises(KernelError, match=r"^file\.npz: no layer takes a\.weight \(1, 2\)$"):
            model.program((5, 5, 1))

    def test_random_weights_for_a_network_that_learns_nothing_do_no_harm(self) -> None:
        model = Model(network_of("relu"), RandomWeights("he"))
        assert run_program(model.program((1, 2, 1)), np.array([[-1.0, 2.0]])).tolist() == [[0, 2]]

    def test_weights_for_one_size_of_picture_are_refused_for_another_and_fit_again(self) -> None:
        text = "flatten fc:3"
        model = Model(network_of(text), StateDict(tensors_of(text, (2, 2, 1))))
        first = run_program(model.program((2, 2, 1)), np.ones((2, 2)))
        with pytest.raises(KernelError, match="--resize HxW"):
            model.program((3, 3, 1))
        assert np.array_equal(run_program(model.program((2, 2, 1)), np.ones((2, 2))), first)

    def test_weights_of_convs_fit_pictures_of_any_size(self) -> None:
        text = "conv:3x3,2,p1 bn relu gap flatten fc:3"
        model = Model(network_of(text), StateDict(tensors_of(text, (4, 4, 1))))
        for shape in ((4, 4, 1), (7, 5, 1), (30, 2, 1)):
            assert run_program(model.program(shape), np.ones(shape)).shape == (3,)

    def test_the_tensors_that_are_given_stay_as_they_are(self) -> None:
        text = "conv:3x3,2,p1,flip,normalize=abs bn relu flatten bn fc:3"
        tensors = tensors_of(text, (4, 5, 1))
        before = {name: tensor.copy() for name, tensor in tensors.items()}
        for tensor in tensors.values():
            tensor.flags.writeable = False
        run(text, np.ones((4, 5)), tensors)
        assert all(np.array_equal(tensor, before[name]) for name, tensor in tensors.items())


class TestDoubt:
    NETWORK = network_of("conv:1x1,1,nobias conv:1x1,1,nobias")
    ALIKE: ClassVar[dict[str, Array]] = {f"{name}.weight": np.ones((1, 1, 1, 1)) for name in ("b", "a")}

    def test_an_order_that_is_only_that_of_names_is_doubted_where_layers_are_alike(self) -> None:
        model = Model(self.NETWORK, StateDict(self.ALIKE, "w.safetensors", ordered=False))
        with pytest.warns(UserWarning, match=r"w\.safetensors: no name is that of a layer") as caught:
            model.program((2, 2, 1))
        assert [warning.filename for warning in caught] == [__file__]

    def test_the_order_of_a_file_and_a_single_fit_are_not_doubted(self) -> None:
        Model(self.NETWORK, StateDict(self.ALIKE)).program((2, 2, 1))
        unlike = {"b.weight": np.ones((2, 1, 1, 1)), "a.weight": np.ones((1, 2, 1, 1))}
        network = network_of("conv:1x1,2,nobias conv:1x1,1,nobias")
        Model(network, StateDict(unlike, ordered=False)).program((2, 2, 1))
