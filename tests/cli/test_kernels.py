"""`cnnfilter kernels`: what is drawn is what is used."""

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cnnfilter.arrays import Doubles
from cnnfilter.cli import main
from cnnfilter.kernels.spec import names
from tests.cli.commands import read_json
from tests.cli.conftest import Run
from tests.cli.pictures import rows, text_of
from tests.conftest import ROOT

FIXED = sorted(path.stem for path in (ROOT / "kernels").glob("*.txt"))
MADE = [
    "box:4",
    "gaussian:5",
    "gaussian:7:1.5",
    "gaussian:sigma=0.8",
    "line-vertical:5",
    "line-horizontal:4",
    "line-diagonal:5",
    "line-antidiagonal:5",
    "frame:5",
    "disk:7",
    "motion:9:30",
    "log:9:1.4",
    "dog:9:1:2",
    "gabor:9:2:45:4",
    "usm:1:0.5",
    "identity:3",
]
EVERY_KERNEL = pytest.mark.parametrize("word", [*FIXED, *MADE])


def facts(portrait: str) -> dict[str, str]:
    """Return what stands below the matrix of a portrait, by its first word."""
    return dict(re.findall(r"^([a-z]+) {2,}(\S.*)$", portrait, re.MULTILINE))


def drawing(portrait: str) -> Doubles:
    """Return the matrix that a portrait draws, divided by its divisor."""
    drawn = "\n".join(line for line in portrait.splitlines()[1:] if line.startswith("  "))
    return rows(drawn) / float(facts(portrait)["divisor"])


def laid_on_an_impulse(run: Run, word: str, size: tuple[int, int]) -> Doubles:
    """Return the kernel that `convolve` uses: what it makes of a single 1, turned back."""
    height, width = size
    impulse = np.zeros((2 * height - 1, 2 * width - 1))
    impulse[height - 1, width - 1] = 1
    np.save("impulse.npy", impulse)
    run("convolve", "impulse.npy", "-k", word, "-o", "response.npy")
    return np.asarray(np.load("response.npy")[::-1, ::-1])


def test_the_list_has_a_line_for_each_kernel_with_what_it_does(run: Run) -> None:
    lines = run("kernels").stdout.splitlines()
    listed = [re.split(r" {2,}", line, maxsplit=1) for line in lines]
    assert [usage.split(":")[0] for usage, _ in listed] == list(names())
    assert {stem for stem, _ in listed if ":" not in stem} == set(FIXED)
    assert all(len(does) > 10 for _, does in listed)


def test_every_made_kernel_of_the_list_is_looked_at_here(run: Run) -> None:
    listed = {line.split(":")[0] for line in run("kernels").stdout.splitlines() if ":" in line.split("  ")[0]}
    assert listed == {word.split(":")[0] for word in MADE}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("words", [("kernels",), ("kernels", "frame:3"), ("kernels", "--help")])
def test_a_terminal_without_the_signs_of_the_drawings_still_shows_the_words(words: tuple[str, ...]) -> None:
    result = CliRunner(charset="latin-1").invoke(main, list(words), catch_exceptions=False)
    assert result.exit_code == 0
    assert "kernel" in result.stdout or "bright squares" in result.stdout


@EVERY_KERNEL
def test_the_matrix_that_is_drawn_is_the_one_used_divisor_included(run: Run, word: str) -> None:
    portrait = run("kernels", word).stdout
    drawn = drawing(portrait)
    used = laid_on_an_impulse(run, word, (drawn.shape[0], drawn.shape[1]))
    assert portrait.splitlines()[0] == f"{word}  {drawn.shape[0]}x{drawn.shape[1]}"
    assert np.allclose(drawn, used, rtol=1e-5, atol=1e-12)
    assert np.abs(used).max() > 0


@EVERY_KERNEL
def test_the_facts_below_a_drawing_are_right(run: Run, word: str) -> None:
    shown = facts(run("kernels", word).stdout)
    used = rows(run("kernels", "--matrix", word).stdout)
    assert float(shown["sum"]) == pytest.approx(used.sum(), rel=1e-5, abs=1e-9)
    assert int(shown["rank"].split()[0]) == np.linalg.matrix_rank(used)
    assert ("(separable" in shown["rank"]) == (np.linalg.matrix_rank(used) == 1)
    assert len(shown["does"]) > 10
    assert len(shown["source"]) > 10


@EVERY_KERNEL
def test_matrix_prints_a_kernel_file_of_every_digit(run: Run, folder: Path, word: str) -> None:
    text = run("kernels", "--matrix", word).stdout
    assert text.startswith(f"# {word}\n")
    (folder / "printed.txt").write_text(text)
    size = rows(text).shape
    printed = laid_on_an_impulse(run, "printed.txt", (size[0], size[1]))
    assert np.array_equal(printed, laid_on_an_impulse(run, word, (size[0], size[1])))


def test_a_portrait_in_full(run: Run) -> None:
    assert run("kernels", "gaussian-3").stdout == (
        "gaussian-3  3x3\n"
        "  1  2  1\n"
        "  2  4  2\n"
        "  1  2  1\n"
        "divisor  16\n"
        "sum      1\n"
        "rank     1 (separable: a column times a row)\n"
        f"does     {_comment('gaussian-3', 0)}\n"
        f"source   {_comment('gaussian-3', 1).removeprefix('source: ')}\n"
    )


def _comment(name: str, place: int) -> str:
    """Return a comment above a fixed kernel."""
    lines = (ROOT / "kernels" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("# ") for line in lines if line.startswith("#")][place]


@pytest.mark.parametrize(
    ("word", "divisor", "total"), [("sobel-x", "1", "0"), ("high-pass", "9", "0"), ("1/2 1/3", "6", "0.833333")]
)
def test_the_divisor_is_the_smallest_that_makes_all_weights_whole(
    run: Run, word: str, divisor: str, total: str
) -> None:
    shown = facts(run("kernels", word).stdout)
    assert (shown["divisor"], shown["sum"]) == (divisor, total)


def test_several_kernels_are_shown_one_after_the_other(run: Run) -> None:
    both = run("kernels", "sharpen", "0 1; 2 3").stdout
    assert both == "\n".join([run("kernels", "sharpen").stdout, run("kernels", "0 1; 2 3").stdout])


def test_a_list_is_each_of_its_kernels_as_for_k(run: Run, folder: Path) -> None:
    (folder / "k.txt").write_text("1 2\n")
    assert run("kernels", "sobel-x,sharpen").stdout == run("kernels", "sobel-x", "sharpen").stdout
    assert [record["name"] for record in read_json(run("kernels", "Sobel-X,./k.txt", "--json").stdout)] == [
        "sobel-x",
        "./k.txt",
    ]


def test_a_file_is_shown_with_its_own_comments(run: Run, folder: Path) -> None:
    (folder / "mine.txt").write_text("# what it does\n# source: my head\n1/4 1/2\n")
    portrait = run("kernels", "mine.txt").stdout
    assert drawing(portrait).tolist() == [[0.25, 0.5]]
    assert facts(portrait)["does"] == "what it does"
    assert facts(portrait)["source"] == "my head"


def test_the_slices_of_a_volume_are_shown_one_below_the_other(run: Run, folder: Path) -> None:
    volume = np.arange(12.0).reshape(2, 2, 3)
    (folder / "volume.txt").write_text(text_of(volume))
    portrait = run("kernels", "volume.txt").stdout
    assert portrait.startswith("volume.txt  2x2x3\n")
    drawn = "\n".join(portrait.splitlines()[1:9]).replace("\n\n", "\n")
    assert rows(drawn).tolist() == np.moveaxis(volume, -1, 0).reshape(6, 2).tolist()
    (folder / "again.txt").write_text(run("kernels", "--matrix", "volume.txt").stdout)
    assert run("kernels", "again.txt").stdout.splitlines()[1:9] == portrait.splitlines()[1:9]


def test_a_bank_of_several_maps_has_no_text(run: Run, folder: Path) -> None:
    np.save(folder / "bank.npy", np.ones((2, 2, 1, 3)))
    assert "4 dimensions" in run("kernels", "--matrix", "bank.npy", status=2).stderr
    assert run("kernels", "bank.npy").stdout.startswith("bank.npy  2x2x1x3\n  1  1\n  1  1\n\n")


def test_the_offset_of_a_kernel_of_libvips_is_shown(run: Run, folder: Path) -> None:
    (folder / "k.mat").write_text("2 1 4 128\n1 3\n")
    shown = facts(run("kernels", "k.mat").stdout)
    assert (shown["offset"], shown["divisor"], shown["sum"]) == ("128", "4", "1")


KEYS = ["name", "shape", "weights", "divisor", "sum", "rank", "offset", "does", "source"]


def test_json_lists_every_kernel_with_the_same_keys(run: Run) -> None:
    records = read_json(run("kernels", "--json").stdout)
    listed = [line.split("  ")[0] for line in run("kernels").stdout.splitlines()]
    assert [record["name"] for record in records] == listed
    assert all(list(record) == KEYS for record in records)
    assert {record["name"] for record in records if record["weights"]} == set(FIXED)
    for record in records:
        if record["name"] in FIXED:
            stored = read_json(run("kernels", record["name"], "--json").stdout)
            assert stored == [record]


@EVERY_KERNEL
def test_json_holds_every_digit_of_a_kernel(run: Run, word: str) -> None:
    (record,) = read_json(run("kernels", word, "--json").stdout)
    used = rows(run("kernels", word, "--matrix").stdout)
    assert record["name"] == word
    assert np.array_equal(record["weights"], used)
    assert record["shape"] == list(used.shape)
    assert record["sum"] == pytest.approx(used.sum(), abs=1e-15)
    assert record["rank"] == np.linalg.matrix_rank(used)
    shown = facts(run("kernels", word).stdout)
    assert (str(record["divisor"]), record["does"], record["source"]) == (
        shown["divisor"],
        shown["does"],
        shown["source"],
    )


def test_json_of_a_matrix_itself_a_volume_and_a_bank_from_files(run: Run, folder: Path) -> None:
    volume, bank = np.arange(12.0).reshape(2, 2, 3), np.ones((2, 2, 1, 3))
    (folder / "volume.txt").write_text(text_of(volume))
    np.save(folder / "bank.npy", bank)
    (folder / "k.mat").write_text("2 1 4 128\n1 3\n")
    words = ("1/2 1/3", "volume.txt", "bank.npy", "k.mat")
    inline, held, maps, vips = read_json(run("kernels", *words, "--json").stdout)
    assert (inline["weights"], inline["divisor"], inline["does"], inline["source"]) == ([[1 / 2, 1 / 3]], 6, None, None)
    assert (held["weights"], held["rank"], held["sum"]) == (volume.tolist(), 2, 66)
    assert (maps["weights"], maps["shape"], maps["rank"]) == (bank.tolist(), [2, 2, 1, 3], 1)
    assert (vips["weights"], vips["offset"]) == ([[0.25, 0.75]], 128)


def test_json_and_a_matrix_are_two_forms(run: Run) -> None:
    result = run("kernels", "sobel-x", "--json", "--matrix", status=2)
    assert "--matrix and --json" in result.stderr
    assert result.stdout == ""


def test_json_is_printed_beside_a_figure(run: Run, folder: Path) -> None:
    assert read_json(run("kernels", "sobel-x", "--json", "--plot", "k.svg").stdout)[0]["name"] == "sobel-x"
    assert (folder / "k.svg").exists()


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("sobelx", ["'sobelx'", "nearest: sobel-x"]),
        ("sharpem", ["nearest: sharpen"]),
        ("xyzzy", ["'xyzzy'", "`cnnfilter kernels` lists all"]),
        ("x" * 300, ["unknown kernel"]),
        ("box", ["box:N", "N is missing"]),
        ("box:0", ["N is 0"]),
        ("box:2.5", ["2.5", "whole number"]),
        ("gaussian:5:-1", ["sigma is -1", "above 0"]),
        ("gaussian:5:sigm=1", ["sigm", "nearest: sigma"]),
        ("gaussian:5:1:2", ["one argument too many"]),
        ("gaussian:5:n=3", ["given twice"]),
        ("sharpen:3", ["sharpen is fixed"]),
        ("1 2; 3", ["row 2 has 1 number", "row 1 has 2"]),
        ("1/0", ["divides by zero"]),
        ("./none.txt", ["none.txt", "No such file"]),
        ("picture.png", ["picture.png", ".npy"]),
        ("ragged.txt", ["ragged.txt", "line 2"]),
        ("word.txt", ["word.txt", "line 2, column 5", "'x'"]),
        ("nan.txt", ["nan.txt", "line 1, column 3", "'nan'"]),
        ("empty.txt", ["empty.txt", "no row"]),
    ],
)
def test_a_mistake_is_a_usage_error_that_names_the_place_and_a_remedy(
    run: Run, folder: Path, word: str, named: list[str]
) -> None:
    for name, text in {"ragged": "1 2\n3\n", "word": "1 2\n3   x\n", "nan": "1 nan\n", "empty": "# none\n"}.items():
        (folder / f"{name}.txt").write_text(text)
    for words in (("kernels", word), ("convolve", "ragged.txt", "-k", word)):
        result = run(*words, status=2)
        message = result.stderr.partition("Error: ")[2]
        assert message.count("\n") == 1
        assert [part for part in named if part not in message] == []
        assert result.stdout == ""
