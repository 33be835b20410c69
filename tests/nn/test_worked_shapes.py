"""Sizes and weights that lectures and articles work out, by the library and by the command `shape`."""

import re

import pytest
from click.testing import CliRunner

import cnnfilter
from cnnfilter.cli import main
from cnnfilter.errors import LanguageError
from cnnfilter.nn.geometry import show_padding
from cnnfilter.nn.layers import as_shape, show_shape
from tests.reference.worked_examples import SHAPES, Sizes

TABLES = [pytest.param(example, id=example.id) for example in SHAPES if not example.refused]
REFUSED = [pytest.param(example, id=example.id) for example in SHAPES if example.refused]


def test_every_example_says_what_is_to_be_checked() -> None:
    assert len(TABLES) == 10
    assert len(REFUSED) == 1
    for example in SHAPES:
        assert example.outputs or example.parameters or example.total_parameters or example.refused


@pytest.mark.parametrize("example", TABLES)
def test_the_library_finds_the_sizes_and_the_weights(example: Sizes) -> None:
    summary = cnnfilter.network(example.layers).summary(as_shape(example.input))
    if example.outputs:
        assert tuple(row.output for row in summary.rows) == example.outputs
    if example.parameters is not None:
        assert tuple(row.parameters for row in summary.rows) == example.parameters
    if example.total_parameters is not None:
        assert summary.totals.parameters == example.total_parameters
    if example.padding is not None:
        assert tuple(row.padding for row in summary.rows) == (example.padding,)


def printed_table(runner: CliRunner, example: Sizes) -> tuple[list[dict[str, str]], list[str]]:
    """Return what is printed of each layer, by the heads of the columns, and the lines below the table."""
    result = runner.invoke(main, ["shape", example.input, *example.layers.split()])
    assert result.exit_code == 0
    assert all(line.startswith("cnnfilter: warning: layer ") for line in result.stderr.splitlines())
    lines = [re.split(r"\s{2,}", line.strip()) for line in result.stdout.splitlines()]
    head, start, *rest = lines
    assert start[:2] == ["input", show_shape(as_shape(example.input))]
    rows = [dict(zip(head, cells, strict=False)) for cells in rest if len(cells) > 1]
    return rows, result.stdout.splitlines()[2 + len(rows) :]


@pytest.mark.parametrize("example", TABLES)
def test_the_command_prints_the_sizes_and_the_weights(example: Sizes, runner: CliRunner) -> None:
    rows, totals = printed_table(runner, example)
    assert [row["#"] for row in rows] == [str(number) for number in range(1, len(rows) + 1)]
    if example.outputs:
        assert [row["output"] for row in rows] == [show_shape(output) for output in example.outputs]
    if example.parameters is not None:
        assert [row["parameters"] for row in rows] == [f"{parameters:,}" for parameters in example.parameters]
    assert re.match(r"[\d,]+ parameters", totals[0])
    if example.total_parameters is not None:
        assert totals[0].startswith(f"{example.total_parameters:,} parameters")
    if example.padding is not None:
        top, left, bottom, right = example.padding
        assert rows[-1]["layer"].endswith(f" (padding {show_padding((top, left, bottom, right))})")


@pytest.mark.parametrize("example", REFUSED)
def test_the_library_refuses_what_has_no_meaning(example: Sizes) -> None:
    with pytest.raises(LanguageError, match=example.refused):
        cnnfilter.network(example.layers)


@pytest.mark.parametrize("example", REFUSED)
def test_the_command_refuses_what_has_no_meaning(example: Sizes, runner: CliRunner) -> None:
    result = runner.invoke(main, ["shape", example.input, *example.layers.split()])
    assert (result.exit_code, result.stdout) == (2, "")
    assert example.refused in result.stderr.splitlines()[-1]
