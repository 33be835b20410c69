"""`--explain`: the value that it states is that of the result, and what goes wrong is one line."""

from pathlib import Path

import numpy as np
import pytest

from cnnfilter.arrays import Array
from tests.cli.commands import read_lines
from tests.cli.conftest import Run
from tests.cli.pictures import load, rows, save, text_of

PLAIN = np.random.default_rng(11).integers(0, 100, (6, 7)).astype(np.float64)


@pytest.fixture(autouse=True)
def _matrix(folder: Path) -> None:
    """Lay a matrix in the current folder."""
    (folder / "m.txt").write_text(text_of(PLAIN))


def stated(text: str) -> list[float]:
    """Return the values that explanations end with."""
    return [float(line.rpartition("=")[2]) for line in text.splitlines() if line.startswith("result")]


@pytest.mark.parametrize(("place", "value"), [("0,0", 320), ("1,0", 210), ("1,1", 89), ("1,2", 111)])
def test_the_values_of_the_lecture(run: Run, samples: Path, place: str, value: int) -> None:
    shown = run("convolve", samples / "sharpen-5x5.txt", "-k", "sharpen", "-p", "same", "--explain", place).stdout
    assert stated(shown) == [value]
    assert f"= {value}\n" in shown.partition("sum  ")[2]


WORDS = pytest.mark.parametrize(
    "words",
    [
        ("convolve", "m.txt", "-k", "sobel-x", "-s", "2x1", "-p", "1", "--bias", "3", "--activation", "leakyrelu"),
        ("convolve", "m.txt", "-k", "1 2 0; 3 4 1", "-d", "2x1", "--flip", "--normalize", "sum"),
        ("convolve", "m.txt", "-k", "gaussian:5", "-p", "full", "--border", "wrap"),
        ("convolve", "m.txt", "-k", "sobel-x", "-k", "sobel-y", "--combine", "magnitude"),
        ("pool", "m.txt", "--size", "3", "-s", "2", "-p", "1", "--ceil"),
        ("pool", "m.txt", "-m", "avg", "-p", "1", "--count-include-pad"),
        ("pool", "m.txt", "-m", "l2", "--size", "2x3"),
        ("pool", "m.txt", "-m", "median", "-s", "1"),
        ("pool", "m.txt", "-m", "min", "-d", "2"),
        ("pool", "m.txt", "-m", "avg", "--global"),
        ("pool", "m.txt", "--over", "channels"),
    ],
    ids=" ".join,
)


@WORDS
def test_every_place_of_a_matrix_states_the_value_that_is_printed(run: Run, words: tuple[str, ...]) -> None:
    printed = rows(run(*words).stdout)
    for place in np.ndindex(printed.shape):
        shown = run(*words, "--explain", f"{place[0]},{place[1]}").stdout
        assert stated(shown) == [printed[place]]


@pytest.mark.parametrize(
    ("kernel", "channels"), [("sharpen", "each"), ("gaussian:5", "each"), ("sobel-x", "gray"), ("emboss", "sum")]
)
def test_a_photo_states_the_values_of_its_result(run: Run, photo: Path, kernel: str, channels: str) -> None:
    words = ("convolve", photo, "-k", kernel, "--channels", channels)
    run(*words, "-o", "out.npy")
    result = np.load("out.npy")
    for place in [(0, 0), (321, 77), (590, 500)]:
        shown = run(*words, "--explain", f"{place[0]},{place[1]}").stdout
        assert np.array_equal(np.array(stated(shown), np.float32), np.atleast_1d(result[place]))


def test_what_a_file_holds_of_it_is_said(run: Run, colours: Array) -> None:
    words = ("convolve", "colours.png", "-k", "sharpen", "--explain", "3,4")
    shown = run(*words, "-o", "out.png", "-q").stdout
    held = shown.splitlines()[-1]
    assert held == f"in a file {' '.join(map(str, load('out.png')[3, 4]))}, in 8 bits with --range clip"
    assert stated(shown) != load("out.png")[3, 4].tolist()


def test_the_window_names_the_input_and_the_kernel(run: Run) -> None:
    shown = run("convolve", "m.txt", "-k", "1 0; 0 1", "-k", "sobel-x", "--explain", "2,1").stdout
    heads = [line for line in shown.splitlines() if ": output [2,1]" in line]
    assert heads == [
        "m.txt, kernel1: output [2,1], 6x7x1 -> 5x6x1",
        "m.txt, sobel-x: output [2,1], 6x7x1 -> 4x5x1",
    ]


def test_without_o_nothing_else_is_printed_or_written(run: Run, folder: Path) -> None:
    before = set(folder.iterdir())
    shown = run("pool", "m.txt", "--explain", "0,0").stdout
    assert shown.startswith("m.txt, maxpool:2: output [0,0]")
    assert rows(run("pool", "m.txt").stdout).shape == (3, 3)
    assert set(folder.iterdir()) == before


def test_with_o_the_result_is_written_too(run: Run) -> None:
    shown = run("pool", "m.txt", "--explain", "1,1", "-o", "out.txt").stdout
    assert stated(shown) == [rows(Path("out.txt").read_text())[1, 1]]


def test_standard_input_is_explained(run: Run) -> None:
    shown = run("pool", "-", "--explain", "0,0", given="1 2\n3 4\n").stdout
    assert shown.startswith("standard input, maxpool:2: output [0,0], 2x2x1 -> 1x1x1\n")


def test_a_place_outside_is_one_line_with_the_size_of_the_output(run: Run) -> None:
    result = run("convolve", "m.txt", "-k", "sobel-x", "--explain", "4,0", status=1)
    assert result.stderr == (
        "cnnfilter: m.txt: position 4,0 is outside the output of 4x5x1; rows go to 3, columns to 4\n"
    )
    assert result.stdout == ""


@pytest.mark.parametrize("text", ["1", "1,2,3", "-1,2", "a,b", "1x2", ""])
def test_a_position_is_two_numbers(run: Run, text: str) -> None:
    assert "is not Y,X, a row and a column" in run("pool", "m.txt", f"--explain={text}", status=2).stderr


def test_standard_output_takes_one_thing(run: Run) -> None:
    result = run("pool", "m.txt", "--explain", "0,0", "-o", "-", status=2)
    assert "--explain and -o - both print on standard output" in result.stderr


def test_transparent_pixels_are_refused_in_the_window_alone(run: Run, folder: Path) -> None:
    pixels = np.full((9, 9, 4), 255, np.uint8)
    pixels[0, 0, 3] = 100
    save(folder / "clear.png", pixels)
    assert "the image has transparent pixels" in run("pool", "clear.png", "--explain", "0,0", status=1).stderr
    assert stated(run("pool", "clear.png", "--explain", "1,1").stdout) == [255, 255, 255]


def test_a_dry_run_says_where_it_goes(run: Run) -> None:
    assert run("pool", "m.txt", "--explain", "0,0", "--dry-run").stdout == "m.txt 6x7 -> standard output\n"


def test_several_inputs_are_explained_one_after_the_other(run: Run, folder: Path) -> None:
    (folder / "n.txt").write_text(text_of(PLAIN + 1))
    values = stated(run("pool", "m.txt", "n.txt", "--explain", "0,0").stdout)
    assert values == [PLAIN[:2, :2].max(), PLAIN[:2, :2].max() + 1]


KEYS = ["input", "name", "layer", "at", "shape", "output", "gray", "window", "maps", "combination", "activations"]


@WORDS
def test_json_holds_the_value_that_is_printed_under_the_same_keys(run: Run, words: tuple[str, ...]) -> None:
    printed = rows(run(*words).stdout)
    for place in ((0, 0), (printed.shape[0] - 1, printed.shape[1] - 1)):
        (record,) = read_lines(run(*words, "--explain", f"{place[0]},{place[1]}", "--json").stdout)
        assert list(record) == [*KEYS, "result", "stored"]
        assert (record["input"], record["at"], record["result"]) == ("m.txt", list(place), [printed[place]])
        assert record["stored"] is None


def test_json_of_a_convolution_adds_up(run: Run) -> None:
    words = ("-k", "1 2 3; 4 5 6", "-s", "2", "-p", "1", "-d", "2x1", "--bias", "0.5", "--activation", "relu")
    (record,) = read_lines(run("convolve", "m.txt", *words, "--explain", "2,3", "--json").stdout)
    kernel, padded = np.array([[1.0, 2, 3], [4, 5, 6]]), np.pad(PLAIN, 1)
    values = padded[4:7:2, 6:9]
    assert record["shape"] == [6, 7, 1]
    assert record["output"] == [3, 4, 1]
    assert record["window"] == {
        "size": [2, 3],
        "stride": [2, 2],
        "dilation": [2, 1],
        "padding": [1, 1, 1, 1],
        "border": "zero",
        "rows": [3, 5],
        "columns": [5, 6, 7],
        "source_rows": [3, 5],
        "source_columns": [5, 6, None],
    }
    (only,) = record["maps"]
    (channel,) = only["channels"]
    assert channel == {
        "channel": 0,
        "values": values.tolist(),
        "weights": kernel.tolist(),
        "products": (values * kernel).tolist(),
        "sum": (values * kernel).sum(),
    }
    total = (values * kernel).sum()
    assert (only["kernel"], only["divisor"], only["sum"]) == ("1 2 3; 4 5 6", 1, total)
    assert (only["bias"], only["value"]) == (0.5, total + 0.5)
    assert record["activations"] == [{"name": "relu", "values": [total + 0.5]}]
    assert record["result"] == [total + 0.5]


def test_json_of_several_kernels_and_inputs_is_a_line_each(run: Run) -> None:
    words = ("convolve", "m.txt", "-", "-k", "sobel-x", "-k", "1 1", "--explain", "1,1", "--json")
    records = read_lines(run(*words, given=text_of(PLAIN)).stdout)
    named = [(record["input"], record["name"]) for record in records]
    assert named == [("m.txt", "sobel-x"), ("m.txt", "kernel2"), ("-", "sobel-x"), ("-", "kernel2")]


def test_json_of_a_combination_has_every_map_and_what_they_make(run: Run, colours: Array) -> None:
    words = ("convolve", "colours.png", "-k", "sobel-x", "-k", "sobel-y", "--combine", "magnitude")
    run(*words, "-o", "out.npy")
    (record,) = read_lines(run(*words, "--explain", "3,4", "--json").stdout)
    result = np.load("out.npy")[3, 4]
    values = np.array([one["value"] for one in record["maps"]]).reshape(3, 2)
    assert [one["kernel"] for one in record["maps"]] == ["sobel-x", "sobel-y"] * 3
    assert record["combination"]["mode"] == "magnitude"
    assert np.allclose(record["combination"]["values"], np.hypot(*values.T))
    assert record["result"] == [float(value) for value in result]
    assert record["stored"] == np.clip(np.rint(result), 0, 255).tolist()
    assert record["maps"][2]["channels"][0]["values"] == colours[3:6, 4:7, 1].tolist()


def test_json_of_a_pool_names_the_place_that_won_and_leaves_padding_out(run: Run) -> None:
    (record,) = read_lines(run("pool", "m.txt", "--size", "2", "-p", "1", "--explain", "0,1", "--json").stdout)
    (only,) = record["maps"]
    best = int(PLAIN[0, 1:3].argmax()) + 1
    assert only["channels"] == [{"channel": 0, "values": [[None, None], PLAIN[0, 1:3].tolist()]}]
    assert (only["count"], only["picked"], only["value"]) == (2, [0, best], PLAIN[0, best])
    assert record["window"]["border"] is None


def test_json_of_what_is_not_finite_is_read_by_strict_readers(run: Run, folder: Path) -> None:
    (folder / "odd.txt").write_text("nan inf\n-inf 1\n")
    (record,) = read_lines(run("pool", "odd.txt", "-m", "avg", "--explain", "0,0", "--json").stdout)
    assert record["maps"][0]["channels"][0]["values"] == [["NaN", "Infinity"], ["-Infinity", 1]]
    assert record["result"] == ["NaN"]
    assert np.isnan(float(record["result"][0]))


def test_json_of_a_huge_window_is_refused(run: Run, folder: Path) -> None:
    np.save(folder / "large.npy", np.zeros((1001, 1000), np.float32))
    result = run("pool", "large.npy", "--global", "--explain", "0,0", "--json", status=1)
    assert result.stderr == "cnnfilter: large.npy: the window has 1,001,000 values; up to 1,000,000 are listed\n"


@pytest.mark.parametrize("words", [("pool",), ("convolve", "-k", "sharpen")], ids=" ".join)
def test_json_without_an_explanation_is_a_usage_error(run: Run, words: tuple[str, ...]) -> None:
    result = run(*words, "m.txt", "--json", status=2)
    assert "--json needs --explain Y,X" in result.stderr
    assert result.stdout == ""


@WORDS
def test_all_explains_every_value_row_after_row(run: Run, words: tuple[str, ...]) -> None:
    printed = rows(run(*words).stdout)
    shown = run(*words, "--explain", "all").stdout
    assert stated(shown) == printed.ravel().tolist()
    one = [run(*words, "--explain", f"{place[0]},{place[1]}").stdout for place in np.ndindex(printed.shape)]
    assert shown == "\n".join(one)


def test_all_explains_the_values_of_a_region(run: Run, photo: Path) -> None:
    words = ("convolve", photo, "-k", "sharpen", "-k", "sobel-x", "--channels", "gray")
    lines = read_lines(run(*words, "--explain", "all", "--region", "300:302,-3:", "--json").stdout)
    assert [line["name"] for line in lines] == ["sharpen"] * 6 + ["sobel-x"] * 6
    assert [line["at"] for line in lines[:6]] == [[row, column] for row in (300, 301) for column in (507, 508, 509)]
    for number, kernel in enumerate(("sharpen", "sobel-x")):
        printed = rows(run(*words[:2], "-k", kernel, *words[6:], "--region", "300:302,-3:").stdout)
        results = np.array([line["result"] for line in lines[6 * number : 6 * number + 6]], np.float32)
        assert np.array_equal(results, printed.reshape(-1, 1).astype(np.float32))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--explain", "all"),
            "--explain all prints up to 32x32 values, and these are 598x510; --explain Y,X prints one, and --region "
            "Y1:Y2,X1:X2 chooses some",
        ),
        (("--explain", "all", "--region", ":,0:2"), "and these are 598x2; --explain Y,X prints one"),
        (
            ("--explain", "all", "--region", "0:2,999:"),
            "the region 0:2,999: is outside the result, which has 510 columns",
        ),
    ],
)
def test_too_many_values_or_none_are_refused(run: Run, photo: Path, words: tuple[str, ...], message: str) -> None:
    assert message in run("convolve", photo, "-k", "sharpen", *words, status=1).stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--explain", "all", "--plot", "x.png"), "--explain all prints every value, and --plot draws one; give it as"),
        (("--explain", "0,0", "--region", "0:1,0:1"), "and --explain goes by the whole"),
        (("--explain", "every"), "position 'every' is not Y,X, a row and a column from 0, such as 2,31, or all"),
    ],
)
def test_what_does_not_go_with_all_is_a_usage_error(run: Run, words: tuple[str, ...], message: str) -> None:
    assert message in run("convolve", "m.txt", "-k", "sharpen", *words, status=2).stderr
