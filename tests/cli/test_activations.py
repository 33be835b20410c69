"""`cnnfilter activations`: what is printed and drawn is what networks compute."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import special  # type: ignore[import-untyped]

from tests.cli.conftest import Run
from tests.cli.pictures import rows

NAMES = ["relu", "relu6", "leakyrelu", "elu", "gelu", "silu", "sigmoid", "tanh", "abs", "hardswish", "hardsigmoid"]
NAMES += ["selu", "softplus", "mish", "softmax"]
X = np.array([-2.0, -1, 0, 1, 2])


def portraits(text: str) -> dict[str, dict[str, str]]:
    """Return the facts that are printed of each activation."""
    found = {}
    for block in text.strip().split("\n\n"):
        name, *lines = block.splitlines()
        found[name] = dict(re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in lines)
    return found


def test_all_are_printed_with_formula_range_values_and_source(run: Run) -> None:
    found = portraits(run("activations").stdout)
    assert list(found) == NAMES
    assert all(list(facts) == ["formula", "range", "x", "f(x)", "source"] for facts in found.values())
    assert found["relu6"]["range"] == "0 to 6"
    assert found["leakyrelu"]["formula"] == "x if x > 0 else 0.01*x"
    assert found["elu"]["formula"] == "x if x > 0 else (exp(x) - 1)"
    assert found["gelu"]["f(x)"].split() == ["-0.0455", "-0.1587", "0", "0.8413", "1.954"]
    assert found["softmax"]["f(x)"].endswith("0.6364 (these five together)")


def test_derivatives_are_printed_where_they_are_asked_for(run: Run) -> None:
    found = portraits(run("activations", "leakyrelu:0.1", "sigmoid", "--derivative").stdout)
    assert list(found) == ["leakyrelu:0.1", "sigmoid"]
    assert found["leakyrelu:0.1"]["f(x)"].split() == ["-0.2", "-0.1", "0", "1", "2"]
    assert found["leakyrelu:0.1"]["f'(x)"].split() == ["0.1", "0.1", "0.1", "1", "1"]
    assert found["sigmoid"]["derivative"] == "s*(1 - s), s = sigmoid(x)"
    assert found["sigmoid"]["f'(x)"].split()[2] == "0.25"


def test_json_has_every_digit(run: Run) -> None:
    records = {record["name"]: record for record in json.loads(run("activations", "--json").stdout)}
    expected = {
        "relu": np.maximum(X, 0),
        "relu6": np.clip(X, 0, 6),
        "leakyrelu": np.where(X < 0, 0.01 * X, X),
        "elu": np.where(X < 0, special.expm1(X), X),
        "gelu": X * special.ndtr(X),
        "silu": X * special.expit(X),
        "sigmoid": special.expit(X),
        "tanh": np.tanh(X),
        "abs": np.abs(X),
        "hardswish": X * (X + 3).clip(0, 6) / 6,
        "hardsigmoid": (X + 3).clip(0, 6) / 6,
        "selu": 1.0507009873554805 * np.where(X < 0, 1.6732632423543772 * special.expm1(X), X),
        "softplus": special.softplus(X),
        "mish": X * np.tanh(special.softplus(X)),
        "softmax": special.softmax(X),
    }
    assert list(records) == list(expected) == NAMES
    for name, values in expected.items():
        record = records[name]
        assert set(record) == {*["name", "formula", "range", "derivative", "x", "values", "derivatives", "source"]}
        assert record["x"] == X.tolist()
        assert np.allclose(record["values"], values, rtol=1e-14, atol=1e-15)
    assert records["relu"]["range"] == [0, "Infinity"]
    assert np.allclose(records["tanh"]["derivatives"], 1 - np.tanh(X) ** 2, rtol=1e-13)


def test_the_values_are_those_of_a_network(run: Run, folder: Path) -> None:
    (folder / "x.txt").write_text("-2 -1 0 1 2\n")
    for name in ("elu:1.5", "silu"):
        (record,) = json.loads(run("activations", name, "--json").stdout)
        assert rows(run("pipeline", name, "x.txt").stdout).tolist() == [record["values"]]


@pytest.mark.parametrize("words", [("relu6", "abs"), ("gelu", "--derivative"), ()], ids=str)
def test_a_figure_is_drawn_alone_or_with_json(run: Run, folder: Path, words: tuple[str, ...]) -> None:
    assert run("activations", *words, "--plot", "one.svg").stdout == ""
    assert json.loads(run("activations", *words, "--plot", "two.svg", "--json").stdout)
    text = (folder / "one.svg").read_text()
    assert text == (folder / "two.svg").read_text()
    assert text.count('id="axes_') == len([word for word in words or NAMES[:-1] if not word.startswith("-")])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("rellu",), "'rellu' is not an activation; nearest: relu, relu6, elu; known are relu, "),
        (("conv:3x3",), "'conv:3x3' is not an activation; known are relu, "),
        (("relu+relu",), "'relu+relu' is not an activation; nearest: relu"),
        (("elu:x",), "'elu:x': unknown option 'x'"),
        (("softmax", "--plot", "x.png"), "softmax takes all channels together, and has no curve; leave it out"),
        (("RELU",), "'RELU' is not an activation; nearest: relu, relu6, elu; known are relu"),
        (("relu", "--plot", "x.jpg"), "--plot x.jpg: unknown suffix '.jpg'; .png, .svg, .pdf would do"),
        (("relu", "--dpi", "100"), "--figure-size and --dpi are about a figure; --plot FILE asks for one"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    run: Run, folder: Path, words: tuple[str, ...], message: str
) -> None:
    before = list(folder.iterdir())
    result = run("activations", *words, status=2)
    assert message in result.stderr.splitlines()[-1]
    assert list(folder.iterdir()) == before
