"""Formulas with their numbers put in: each gives the number that it ends in."""

import re
from fractions import Fraction
from math import ceil, floor, prod

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import cnnfilter
from cnnfilter.nn.formulas import Explanation, explain
from cnnfilter.nn.layers import Layer, Shape
from cnnfilter.nn.network import Network, Visit
from tests.nn.strategies import BLOCKS, LAYERS, networks_for, output_or_none


def explanations(text: str, shape: Shape) -> list[Explanation]:
    """Return how the numbers of the last layer of a text come about."""
    *_, visit = cnnfilter.network(text).visits(shape)
    return explain(visit)


@pytest.mark.parametrize(
    ("text", "shape", "expected"),
    [
        (
            "conv:7x7,64,s2,p3",
            (224, 224, 3),
            [
                ("height, width", "floor((224 + 3 + 3 - 1*(7-1) - 1)/2) + 1 = 112"),
                ("channels", "64, one for each filter"),
                ("parameters", "7*7*3*64 + 64 = 9,472"),
                ("MACs", "112*112*64 * 7*7*3 = 118,013,952"),
                ("receptive field", "1 + 1*(7-1)*1 = 7"),
                ("jump", "1*2 = 2"),
                ("first pixel", "0 - 3*1 = -3"),
            ],
        ),
        (
            "conv:3x5,s1x2,same,nobias",
            (8, 9, 2),
            [
                ("height padding", "same: max((ceil(8/1)-1)*1 + 1*(3-1) + 1 - 8, 0) = 2: 1 before, 1 after"),
                ("height", "floor((8 + 1 + 1 - 1*(3-1) - 1)/1) + 1 = 8"),
                ("width padding", "same: max((ceil(9/2)-1)*2 + 1*(5-1) + 1 - 9, 0) = 4: 2 before, 2 after"),
                ("width", "floor((9 + 2 + 2 - 1*(5-1) - 1)/2) + 1 = 5"),
                ("channels", "1, one for each filter"),
                ("parameters", "3*5*2*1 = 30"),
                ("MACs", "8*5*1 * 3*5*2 = 1,200"),
                ("receptive field", "1 + 1*(3-1)*1 = 3 down, 1 + 1*(5-1)*1 = 5 across"),
                ("jump", "1*1 = 1 down, 1*2 = 2 across"),
                ("first pixel", "0 - 1*1 = -1 down, 0 - 2*1 = -2 across"),
            ],
        ),
        (
            "maxpool:3,s2,ceil",
            (109, 109, 96),
            [
                ("height, width", "ceil((109 + 0 + 0 - 1*(3-1) - 1)/2) + 1 = 54"),
                ("receptive field", "1 + 1*(3-1)*1 = 3"),
                ("jump", "1*2 = 2"),
                ("first pixel", "0 - 0*1 = 0"),
            ],
        ),
        (
            "avgpool:1,s2,ceil",
            (4, 4, 1),
            [
                (
                    "height, width",
                    "ceil((4 + 0 + 0 - 1*(1-1) - 1)/2) + 1 = 3, less 1 as the last window would start beyond the "
                    "input = 2",
                ),
                ("receptive field", "1 + 1*(1-1)*1 = 1"),
                ("jump", "1*2 = 2"),
                ("first pixel", "0 - 0*1 = 0"),
            ],
        ),
        (
            "flatten linear:10",
            (4, 4, 3),
            [("parameters", "48*10 + 10 = 490"), ("MACs", "48*10 = 480")],
        ),
        ("flatten linear:10,nobias", (2, 2, 1), [("parameters", "4*10 = 40"), ("MACs", "4*10 = 40")]),
        ("flatten", (4, 5, 3), [("length", "4*5*3 = 60"), ("receptive field", "the whole input")]),
        (
            "bn",
            (4, 4, 3),
            [("parameters", "2*3 = 6 (weight, bias)"), ("statistics", "2*3 = 6 (mean, variance)")],
        ),
        (
            "gap",
            (4, 4, 3),
            [("height, width", "one value for each channel: 1"), ("receptive field", "the whole input")],
        ),
        ("gray", (4, 4, 3), [("channels", "0.299 R + 0.587 G + 0.114 B")]),
        ("channelmax:3", (4, 4, 12), [("channels", "12/3 = 4")]),
        ("magnitude", (4, 4, 12), [("channels", "12/12 = 1")]),
        ("relu", (4, 4, 3), []),
        ("dropout", (4, 4, 3), []),
        ("res(relu)", (4, 4, 3), [("sum", "4x4x3 + 4x4x3 (its input)")]),
        (
            "res(conv:3x3,3,p1 | relu)",
            (4, 4, 3),
            [("sum", "4x4x3 + 4x4x3"), ("receptive field", "union of what is joined: 3x3")],
        ),
        (
            "cat(conv:1x1,4 | relu)",
            (4, 4, 3),
            [("channels", "4 + 3 = 7")],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_formula_has_its_numbers_put_in(text: str, shape: Shape, expected: list[Explanation]) -> None:
    assert explanations(text, shape) == expected


@pytest.mark.parametrize(
    ("text", "channels"),
    [
        ("dwconv:3x3", "4*1 = 4"),
        ("dwconv:3x3,3", "4*3 = 12"),
        ("dwconv:sobel-x,sobel-y", "4*2 = 8"),
        ("conv:sobel-x,sobel-y", "1 + 1 = 2, one for each kernel's map"),
        ("conv:[1;;1;;1;;1;;;2;;2;;2;;2],[1]", "2 + 1 = 3, one for each kernel's map"),
    ],
)
def test_channels_come_of_kernels_and_channels(text: str, channels: str) -> None:
    assert dict(explanations(text, (8, 8, 4)))["channels"] == channels


@pytest.mark.parametrize(
    ("text", "padding"),
    [
        ("conv:3x3,half", "half: 2*floor(1*(3-1)/2) = 2: 1 before, 1 after"),
        ("conv:4x4,half,d2", "half: 2*floor(2*(4-1)/2) = 6: 3 before, 3 after"),
        ("conv:4x4,full", "full: 2*1*(4-1) = 6: 3 before, 3 after"),
        ("conv:4x4,same-lower", "same-lower: max((ceil(8/1)-1)*1 + 1*(4-1) + 1 - 8, 0) = 3: 2 before, 1 after"),
        ("conv:1x1,s3,same", "same: max((ceil(8/3)-1)*3 + 1*(1-1) + 1 - 8, 0) = 0: 0 before, 0 after"),
    ],
)
def test_a_word_for_padding_is_worked_out(text: str, padding: str) -> None:
    assert dict(explanations(text, (8, 8, 4)))["height, width padding"] == padding


EQUATION = re.compile(r"((?:floor|ceil|max|[-+*/(), \d])*[\d)]) = (-?[\d,]*\d)")
"""A formula without letters but those of functions, and the number that it gives."""


def value_of(formula: str) -> Fraction:
    """Return what a formula gives, its quotients exact."""
    exact = re.sub(r"\d+", lambda match: f"Fraction({match[0]})", formula)
    return Fraction(eval(exact, {"floor": floor, "ceil": ceil, "max": max, "Fraction": Fraction}))


def check(visit: Visit) -> list[str]:
    """Assert that every formula of a layer gives its number, and return the subjects."""
    subjects = []
    for subject, formula in explain(visit):
        assert "\n" not in formula
        for part in formula.split(" down, "):
            equations = EQUATION.findall(re.sub(r"^[a-z-]+: ", "", part))
            assert bool(equations) == ("=" in part)
            for left, right in equations:
                assert value_of(left.strip()) == int(right.replace(",", "")), part
        subjects.append(subject)
    return subjects


def numbers_at_the_end(visit: Visit, subject: str) -> set[int]:
    """Return the numbers that the formulas of a subject end in."""
    found = [re.findall(r"= (-?[\d,]+)", formula)[-1] for name, formula in explain(visit) if name == subject]
    return {int(number.replace(",", "")) for number in found}


SHAPES = st.tuples(st.integers(1, 30), st.integers(1, 30), st.sampled_from([1, 3, 4]))


@settings(max_examples=300)
@given(LAYERS | BLOCKS, SHAPES)
def test_every_formula_gives_its_number(layer: Layer, shape: Shape) -> None:
    assume(output_or_none(layer, shape))
    (*_, visit) = Network((layer,)).visits(shape)
    subjects = check(visit)
    assert len(set(subjects)) == len(subjects)


@settings(max_examples=200)
@given(SHAPES, st.data())
def test_every_formula_of_a_network_gives_the_numbers_of_its_table(shape: Shape, data: st.DataObject) -> None:
    network = data.draw(networks_for(shape))
    for visit in network.visits(shape):
        subjects = check(visit)
        layer, inputs, outputs = visit.node.layer, visit.inputs.shape, visit.outputs.shape
        height, width = (*outputs, 0)[:2]
        sizes = {"height, width": {height, width}, "height": {height}, "width": {width}, "length": {outputs[0]}}
        counts = {"parameters": {layer.parameters(inputs)}, "MACs": {layer.macs(inputs)}}
        counts["statistics"] = {layer.statistics(inputs)}
        for subject, expected in (sizes | counts).items():
            if subject in subjects and "one value" not in dict(explain(visit))[subject]:
                assert numbers_at_the_end(visit, subject) == expected
        if layer.macs(inputs):
            assert {"parameters", "MACs"} <= set(subjects)
        if visit.inputs.field != visit.outputs.field:
            assert "receptive field" in subjects
        if prod(inputs) != prod(outputs):
            assert subjects
