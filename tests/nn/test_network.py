"""Networks: their names, their text, and which layer an error is about."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnnfilter
from cnnfilter.errors import LanguageError, ShapeError
from cnnfilter.nn.language import parse_network
from cnnfilter.nn.layers import Flow, Function
from cnnfilter.nn.network import Network, Node
from cnnfilter.nn.other_layers import Activation, Flatten, Linear
from tests.nn.strategies import kernel_shape, networks, networks_for

RELU = Activation(function=Function.RELU)


def parse(text: str) -> Network:
    """Return the network that a text writes."""
    return parse_network(text, kernel_shape)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("conv:3x3 relu conv:3x3 relu", ("conv1", "relu1", "conv2", "relu2")),
        ("bn fc:3 gap gmp", ("batchnorm1", "linear1", "globalavgpool1", "globalmaxpool1")),
        ("relu@a relu relu@b relu", ("a", "relu2", "b", "relu4")),
        ("2x relu@a", ("a.1", "a.2")),
        ("3x conv:3x3+bn", ("conv1", "batchnorm1", "conv2", "batchnorm2", "conv3", "batchnorm3")),
        ("magnitude channelmax abs", ("magnitude1", "channelmax1", "abs1")),
        ("res(relu | tanh) relu", ("relu1", "tanh1", "res1", "relu2")),
        ("res(res(relu)) res(relu)", ("relu1", "res1", "res2", "relu2", "res3")),
        ("cat(relu@a | res(tanh)@b)@c", ("a", "tanh1", "b", "c")),
        ("2x res(relu@a | relu)", ("a.1", "relu2", "res1", "a.2", "relu4", "res2")),
        ("res(2x relu@a)@a", ("a.1", "a.2", "a")),
        ("2x res(2x cat(relu))", ("relu1", "cat1", "relu2", "cat2", "res1", "relu3", "cat3", "relu4", "cat4", "res2")),
    ],
)
def test_a_layer_without_a_name_is_named_by_its_op_and_the_count_of_it(text: str, names: tuple[str, ...]) -> None:
    assert parse(text).names == names


def test_a_repeat_in_a_repeat_numbers_a_name_twice() -> None:
    names = parse("2x res(3x relu@a)@b").names
    assert (names[3], names[7]) == ("b.1", "b.2")
    assert len(set(names)) == 8
    assert all(re.fullmatch(r"a\.[123]\.[123]", name) for name in names[:3] + names[4:7])


def test_layers_are_numbered_in_the_order_in_which_they_run() -> None:
    network = parse("relu res(tanh | cat(abs | gelu)) silu")
    assert [(node.number, node.layer.op) for node in network.all_nodes] == [
        *((1, "relu"), (2, "tanh"), (3, "abs"), (4, "gelu"), (5, "cat"), (6, "res"), (7, "silu")),
    ]
    assert [node.number for node in network.nodes] == [1, 6, 7]
    assert [[node.number for node in branch] for branch in network.nodes[1].branches] == [[2], [5]]


@given(networks())
def test_every_layer_has_one_number_and_one_name(network: Network) -> None:
    nodes = list(network.all_nodes)
    assert [node.number for node in nodes] == list(range(1, len(nodes) + 1))
    assert network.names == tuple(node.name for node in nodes)
    assert len(set(network.names)) == len(nodes)
    assert all(node.name == (node.layer.name or node.name) for node in nodes)


@given(st.tuples(st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 3])), st.data())
def test_each_layer_takes_what_the_one_before_it_in_its_branch_gave(
    shape: tuple[int, int, int], data: st.DataObject
) -> None:
    network = data.draw(networks_for(shape))
    visits = {visit.node.number: visit for visit in network.visits(shape)}
    assert list(visits) == [node.number for node in network.all_nodes]

    def check(nodes: tuple[Node, ...], flow: Flow, depth: int, branch: int) -> None:
        for node in nodes:
            visit = visits[node.number]
            assert (visit.node, visit.inputs, node.depth, node.branch) == (node, flow, depth, branch)
            for number, inner in enumerate(node.branches, 1):
                check(inner, flow, depth + 1, number)
            flow = visit.outputs

    check(network.nodes, Flow(shape), 0, 0)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("relu@conv1 conv:3x3", "conv1"),
        ("conv:3x3 relu@conv1", "conv1"),
        ("conv:3x3@conv2 conv:3x3", "conv2"),
        ("fc:2@linear2 relu fc:2", "linear2"),
        ("relu@res1 res(tanh)", "res1"),
        ("res(relu@res1)", "res1"),
        ("res(relu | tanh@relu1)", "relu1"),
        ("res(2x relu) tanh@relu2", "relu2"),
    ],
)
def test_a_name_that_another_layer_has_by_its_count_is_refused(text: str, name: str) -> None:
    with pytest.raises(LanguageError, match=name):
        parse(text)


def test_a_name_that_counts_rightly_may_be_given() -> None:
    assert parse("conv:3x3@conv1 conv:3x3 relu@relu1").names == ("conv1", "conv2", "relu1")


def test_equal_names_are_refused_with_how_many_there_are() -> None:
    named = Activation(function=Function.RELU, name="a")
    with pytest.raises(LanguageError, match=r"^3 layers have the name @a; names must differ$"):
        Network((named, RELU, named, named))


def test_the_shapes_between_the_layers_follow_from_one_another() -> None:
    network = parse("conv:5x5,6 relu maxpool:2 flatten fc:10")
    expected = [(28, 28, 6), (28, 28, 6), (14, 14, 6), (1176,), (10,)]
    assert [visit.outputs.shape for visit in network.visits((32, 32, 1))] == expected
    assert network.output((32, 32, 1)) == expected[-1]


@given(st.tuples(*[st.integers(1, 50)] * 3))
def test_without_layers_what_goes_in_comes_out(shape: tuple[int, int, int]) -> None:
    assert Network(()).output(shape) == shape


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("relu maxpool:2 conv:9x9,4", "layer 3, conv:9x9,4: a window of 9x9 is larger than the input of 4x4"),
        ("conv:3x3 fc:10", "layer 2, linear:10: linear needs a vector, but gets 6x6x1; put flatten before it"),
        ("flatten maxpool:2", "layer 2, maxpool:2: maxpool needs height, width and channels, but gets a vector of 64"),
        ("2x maxpool:3+conv:2x2", "layer 3, maxpool:3: a window of 3x3 is larger than the input of 1x1"),
        ("conv:3x3,5 conv:3x3,6,g3", "layer 2, conv:3x3,6,g3: 5 channels cannot be divided into 3 groups"),
        ("conv:9x9", "conv:9x9: a window of 9x9 is larger than the input of 8x8"),
    ],
)
def test_an_error_names_the_layer_by_its_number_and_its_text(text: str, message: str) -> None:
    with pytest.raises(ShapeError) as caught:
        parse(text).output((8, 8, 1))
    assert str(caught.value).startswith(message)


def test_visits_of_a_few_shapes_are_kept() -> None:
    network = parse("conv:3x3,4,p1 relu maxpool:2")
    shapes = [(8, 8, channels) for channels in range(1, 9)]
    first = network.visits(shapes[0])
    assert network.visits(shapes[0]) is first
    for shape in shapes:
        assert network.visits(shape)[0].inputs.shape == shape
        assert network.visits(shape) == parse("conv:3x3,4,p1 relu maxpool:2").visits(shape)
    assert network.visits(shapes[0]) is not first
    assert len(vars(network)["_visits"]) <= 4


def test_what_cannot_be_visited_is_not_kept() -> None:
    network = Network((RELU, Linear(outputs=3), Flatten()))
    for _ in range(2):
        with pytest.raises(ShapeError, match=r"^layer 2, linear:3: "):
            network.visits((2, 2, 1))


def test_the_library_hands_out_the_same_layers() -> None:
    network = cnnfilter.network("conv:3x3,16,p1@c1 bn relu maxpool:2")
    assert network.layers == parse("conv:3x3,16,p1@c1 bn relu maxpool:2").layers
    assert network.names == ("c1", "batchnorm1", "relu1", "maxpool1")
    assert str(network) == "conv:3x3,16,p1@c1 batchnorm relu maxpool:2"
