"""Blocks that run: branches added or laid side by side, in each other, on volumes and vectors."""

import numpy as np
import pytest
from hypothesis import assume, given, reject
from hypothesis import strategies as st

from cnnfilter.arrays import Array
from cnnfilter.compute.forward import as_volume, drop_single_channel, load_program, run_program
from cnnfilter.compute.state_dict import Init, RandomWeights
from cnnfilter.compute.tiles import Model
from cnnfilter.errors import KernelError, ShapeError
from cnnfilter.kernels.spec import kernel_shape
from cnnfilter.nn.language import parse_network
from cnnfilter.nn.network import Network
from tests.nn.strategies import REAL_KERNELS, networks_for

BRANCHES = (
    "conv:[1 -2; 0 3],same",
    "conv:[1 2],[0 1],[3 -1],same",
    "maxpool:3,s1,p1",
    "minpool:2x3,s1,same relu",
    "dwconv:[1 0 -1],same abs",
    "relu conv:[1 2],[0 1],[3 -1],same relu",
)
"""Branches that keep height and width; the second and those after it keep three channels too."""

KEEPING = BRANCHES[1:]


def run(text: str, image: Array) -> Array:
    """Return what the network of a text makes of an image."""
    return run_program(load_program(parse_network(text, kernel_shape)), image)


def volume_of(text: str, image: Array) -> Array:
    """Return what comes out, with its axis of channels even if there is only one."""
    return as_volume(run(text, image))


IMAGE = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)


class TestSums:
    @pytest.mark.parametrize("branch", KEEPING)
    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64", "int64"])
    def test_one_branch_is_added_to_the_input(self, branch: str, dtype: str) -> None:
        image = IMAGE.astype(dtype)
        assert np.array_equal(run(f"res({branch})", image), run(branch, image).astype(float) + image)

    @pytest.mark.parametrize("first", KEEPING)
    @pytest.mark.parametrize("second", KEEPING)
    def test_branches_are_added_to_each_other_and_not_to_the_input(self, first: str, second: str) -> None:
        expected = run(first, IMAGE).astype(float) + run(second, IMAGE)
        assert np.array_equal(run(f"res({first} | {second})", IMAGE), expected)

    @pytest.mark.parametrize("text", ["res(maxpool:3,s1,p1 | )", "res( | maxpool:3,s1,p1)", "res(maxpool:3,s1,p1)"])
    def test_a_branch_without_layers_is_the_input(self, text: str) -> None:
        assert np.array_equal(run(text, IMAGE), IMAGE + run("maxpool:3,s1,p1", IMAGE).astype(float))

    def test_three_branches_are_added(self) -> None:
        assert np.array_equal(run("res(relu | | conv:[1],[1],[1])", IMAGE), 2.0 * IMAGE + IMAGE.sum(axis=2)[..., None])

    @pytest.mark.parametrize(
        ("dtype", "kind"),
        [
            ("uint8", "float32"),
            ("uint16", "float32"),
            ("float32", "float32"),
            ("int64", "float64"),
            ("bool", "float64"),
        ],
    )
    def test_a_sum_of_whole_types_does_not_wrap_around(self, dtype: str, kind: str) -> None:
        most = 1 if dtype == "bool" else 200 if dtype == "uint8" else 60_000
        result = run("res(maxpool:1 | maxpool:1 | minpool:1)", np.full((2, 3), most).astype(dtype))
        assert result.dtype == kind
        assert (result == 3 * most).all()

    def test_one_channel_is_not_spread_over_several(self) -> None:
        with pytest.raises(ShapeError, match=r"5x6x3 and its branch's 5x6x1 cannot be added"):
            run("res(channelmax)", IMAGE)

    def test_branches_of_other_sizes_are_refused_by_the_name_of_their_layer(self) -> None:
        with pytest.raises(ShapeError, match=r"layer 4, res\(.*\): branches of 2x3x3 and 5x6x3 cannot be added"):
            run("relu res(maxpool:2 | relu)", IMAGE)

    def test_infinities_are_added_without_a_complaint(self) -> None:
        assert np.isnan(run("res(conv:[-1])", np.array([[np.inf]]))).all()
        largest = np.array([[np.finfo(np.float32).max]], np.float32)
        assert run("res(relu)", largest).tolist() == [[np.inf]]
        assert run("res(relu)", np.array([[np.inf, np.nan, 1.0]])).tolist()[0][::2] == [np.inf, 2]

    def test_the_image_stays_as_it_is(self) -> None:
        image = IMAGE.astype(np.float64)
        before = image.copy()
        image.flags.writeable = False
        for text in ("res(dropout)", "res(relu | )", "cat(dropout | relu)", "cat( | relu)", "res(dropout | dropout)"):
            result = run(text, image)
            assert not np.shares_memory(result, image), text
            assert np.array_equal(image, before)


class TestSideBySide:
    @pytest.mark.parametrize("first", BRANCHES)
    @pytest.mark.parametrize("second", BRANCHES)
    def test_the_channels_of_the_branches_follow_each_other(self, first: str, second: str) -> None:
        expected = np.concatenate([volume_of(first, IMAGE), volume_of(second, IMAGE)], axis=2)
        assert np.array_equal(run(f"cat({first} | {second})", IMAGE), expected)

    def test_a_branch_without_layers_is_the_input(self) -> None:
        result = run("cat( | channelmax | )", IMAGE)
        assert result.shape == (5, 6, 7)
        assert np.array_equal(result[:, :, :3], IMAGE)
        assert np.array_equal(result[:, :, 3], IMAGE.max(axis=2))
        assert np.array_equal(result[:, :, 4:], IMAGE)

    def test_a_single_branch_is_itself(self) -> None:
        assert np.array_equal(run("cat(maxpool:2)", IMAGE), run("maxpool:2", IMAGE))

    def test_types_that_differ_become_one_that_holds_both(self) -> None:
        result = run("cat(maxpool:1 | conv:[1/3])", IMAGE)
        assert result.dtype == np.float32
        assert np.array_equal(result[:, :, :3], IMAGE)

    def test_branches_of_other_sizes_are_refused(self) -> None:
        with pytest.raises(ShapeError, match="branches of 2x3x3 and 5x6x3 do not fit side by side"):
            run("cat(maxpool:2 | relu)", IMAGE)


class TestNesting:
    def test_blocks_stand_in_blocks(self) -> None:
        inner = np.concatenate([volume_of("channelmax", IMAGE), volume_of("channelmin", IMAGE)], axis=2)
        total = inner.sum(axis=2, dtype=float)[..., None]
        expected = 2 * np.maximum(total, 0) + IMAGE
        text = "res(cat(channelmax | channelmin) conv:[1] res(relu) conv:[1],[1],[1])"
        assert np.array_equal(run(text, IMAGE), expected)

    def test_layers_go_on_behind_a_block(self) -> None:
        assert np.array_equal(run("cat(relu | abs)+maxpool:2", IMAGE), run("maxpool:2 cat(relu | abs)", IMAGE))
        twice = run("2x res(relu)", IMAGE)
        assert np.array_equal(twice, 4.0 * IMAGE)

    def test_fifty_in_each_other_run(self) -> None:
        result = run(f"{'res(' * 50}abs{')' * 50}", np.ones((1, 1)))
        assert result.tolist() == [[51]]

    def test_the_level_of_white_reaches_into_blocks(self) -> None:
        image = np.array([[0, 1], [2, 3]], np.uint16)
        plain = run("equalize", image)
        assert plain.max() == 65535
        assert np.array_equal(run("cat(equalize | res(equalize))", image)[..., 0], plain)
        assert np.array_equal(run("cat(equalize | res(equalize))", image)[..., 1], plain + image)

    def test_the_listener_hears_every_layer_in_the_order_of_execution(self) -> None:
        network = parse_network(
            "maxpool:2 res(relu@a cat(abs | relu)@both conv:[1],[1],[1])+tanh flatten", kernel_shape
        )
        heard: list[tuple[str, Array]] = []
        result = run_program(load_program(network), IMAGE, listener=lambda name, values: heard.append((name, values)))
        assert [name for name, _ in heard] == list(network.names)
        assert [name for name, _ in heard] == [
            "maxpool1",
            "a",
            "abs1",
            "relu2",
            "both",
            "conv1",
            "res1",
            "tanh1",
            "flatten1",
        ]
        for (_, values), visit in zip(heard, network.visits(IMAGE.shape), strict=True):
            assert values.shape == visit.outputs.shape
        outputs = dict(heard)
        assert np.array_equal(outputs["both"], np.concatenate([outputs["abs1"], outputs["relu2"]], axis=2))
        assert np.array_equal(outputs["res1"], outputs["conv1"] + outputs["maxpool1"].astype(float))
        assert np.array_equal(outputs["flatten1"], result)


class TestVectors:
    def test_vectors_are_added_and_laid_end_to_end(self) -> None:
        row = IMAGE.ravel().astype(float)
        assert np.array_equal(run("flatten res(relu)", IMAGE), 2 * row)
        assert np.array_equal(run("flatten res(relu | abs)", IMAGE), 2 * row)
        assert np.array_equal(run("cat(flatten | globalmaxpool flatten)", IMAGE), [*row, *IMAGE.max(axis=(0, 1))])

    def test_a_vector_and_a_volume_do_not_go_together(self) -> None:
        for kind in ("res", "cat"):
            with pytest.raises(ShapeError, match="90 and 5x6x3"):
                run(f"{kind}(flatten | relu)", IMAGE)


WORDS = (
    *("conv:3x3,4,p1", "conv:2x1,3,nobias", "conv:1x1,2,bias=0.5,flip", "conv:3x3,6,s2,same", "conv:3x3,4,p1,g2"),
    *(
        "conv:2x2,2,normalize=abs,border=edge,half",
        "dwconv:3x3,p1",
        "dwconv:2x2,2,nobias",
        "conv:[1 2; 3 4],[1 0; 0 1]",
    ),
    *("batchnorm", "bn:eps=0.1", "lrn:3", "lrn:2,alpha=1,k=2", "equalize", "dropout:0.3", "relu", "leakyrelu:0.1"),
    *("maxpool:2", "avgpool:3,s1,p1", "l2pool:2,ceil", "gap", "channelmax", "channelsum:2", "gray", "softmax"),
    *("flatten", "fc:7", "fc:4,nobias", "flatten+fc:5"),
)


def runs_through(text: str, shape: tuple[int, ...]) -> bool:
    """Return whether a volume of a shape goes through a network."""
    try:
        parse_network(text, kernel_shape).output(shape)
    except ShapeError:
        return False
    return True


@st.composite
def texts(draw: st.DrawFn, depth: int = 2) -> str:
    """Draw layers in a row, some of them blocks, whether or not they fit each other."""
    items = []
    for _ in range(draw(st.integers(1, 3))):
        if depth and draw(st.booleans()):
            branches = draw(st.lists(texts(depth - 1) | st.just(""), min_size=1, max_size=3))
            items.append(
                f"{draw(st.sampled_from(['res', 'cat']))}({' | '.join(branches)})" if any(branches) else "relu"
            )
        else:
            items.append(draw(st.sampled_from(WORDS)))
    return " ".join(items)


@st.composite
def networks(draw: st.DrawFn) -> tuple[str, tuple[int, ...]]:
    """Draw a network with blocks in which there is something to learn, and the shape of a volume for it."""
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4)))
    text = ""
    for item in draw(st.lists(texts() | st.sampled_from([*KINDLY]), min_size=1, max_size=5)):
        longer = f"{text} {item}"
        text = longer if runs_through(longer, shape) else text
    assume(text)
    return text, shape


KINDLY = (
    "res(conv:3x3,4,p1 | conv:1x1,4)",
    "cat(conv:1x1,2 | conv:3x3,3,p1+bn+relu | maxpool:3,s1,p1 | )",
    "res(relu batchnorm)",
    "cat(flatten | gap flatten) fc:6",
    "cat(flatten fc:3 | flatten fc:4,nobias) bn",
    "res(cat(relu | tanh) | cat( | res(abs)))",
)
"""Blocks that most volumes go through."""


class TestShapes:
    @given(
        drawn=networks(),
        init=st.sampled_from(["he", "uniform"]),
        dtype=st.sampled_from(["uint8", "float32", "float64"]),
    )
    def test_what_runs_with_random_weights_has_the_shapes_that_were_predicted(
        self, drawn: tuple[str, tuple[int, ...]], init: Init, dtype: str
    ) -> None:
        text, shape = drawn
        network: Network = parse_network(text, kernel_shape)
        image = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
        heard: list[Array] = []
        program = Model(network, RandomWeights(init)).program(shape)
        result = run_program(program, image, listener=lambda _, values: heard.append(values))
        visits = list(network.visits(shape))
        assert [values.shape for values in heard] == [visit.outputs.shape for visit in visits], text
        assert result.shape == drop_single_channel(heard[-1]).shape
        assert all(np.isfinite(values).all() for values in heard), text

    @given(drawn=st.data(), seed=st.integers(0, 9), dtype=st.sampled_from(["uint8", "uint16", "float32", "float64"]))
    def test_any_network_runs_to_the_shapes_that_were_predicted(
        self, drawn: st.DataObject, seed: int, dtype: str
    ) -> None:
        shape = drawn.draw(st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4)), "shape")
        network = drawn.draw(networks_for(shape, REAL_KERNELS), "network")
        image = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
        heard: list[tuple[str, tuple[int, ...]]] = []
        try:
            program = Model(network, RandomWeights("uniform", seed)).program(shape)
        except KernelError as error:
            if "sums to zero" not in str(error):
                raise
            reject()
        run_program(program, image, listener=lambda name, values: heard.append((name, values.shape)))
        assert heard == [(visit.node.name, visit.outputs.shape) for visit in network.visits(shape)]
