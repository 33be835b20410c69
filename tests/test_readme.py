"""The README: what it says is what happens."""

import itertools
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from cnnfilter.cli import main
from cnnfilter.io.formats import FORMATS
from cnnfilter.kernels.spec import names
from cnnfilter.network_files import load_document
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def pairs() -> Iterator[tuple[str, str]]:
    """Yield each command that is followed by its output."""
    for (language, command), (following, output) in itertools.pairwise(BLOCKS):
        if (language, following) == ("bash", "text"):
            yield command.strip(), output


def shown_commands() -> list[str]:
    """Return the commands of the blocks after the set-up that no output follows."""
    lines = [line for language, block in BLOCKS[2:] if language == "bash" for line in block.splitlines()]
    followed = [command for command, _ in pairs()]
    return [line for line in lines if line.startswith("cnnfilter ") and line not in followed]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the samples, which is the current one."""
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: str) -> tuple[int, str]:
    """Run a line of a shell, redirections and stars included, and return its status and its output."""
    words = shlex.split(command)[1:]
    source = words.pop(words.index("<") + 1) if "<" in words else None
    target = words.pop(words.index(">") + 1) if ">" in words else None
    arguments = [path for word in words if word not in "<>" for path in expand(word)]
    result = CliRunner().invoke(main, arguments, input=Path(source).read_bytes() if source else None)
    if target:
        Path(target).write_bytes(result.stdout_bytes)
    return result.exit_code, result.stdout if not target else ""


def expand(word: str) -> list[str]:
    """Return the files that a word with a star stands for, or the word."""
    return sorted(str(path) for path in Path().glob(word)) if "*" in word else [word]


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize(("command", "output"), list(pairs()), ids=[command.split()[1] for command, _ in pairs()])
def test_each_command_prints_what_stands_below_it(command: str, output: str) -> None:
    status, printed = run(command)
    assert status == 0
    assert rounded(printed) == rounded(output)


def rounded(text: str) -> str:
    """Return a text whose small numbers have three digits: the last ones of a float32 hang on the processor."""
    return re.sub(r"[\d.]+e-\d+", lambda number: f"{float(number[0]):.2e}", text)


def test_every_command_has_a_pair_of_command_and_output() -> None:
    assert {command.split()[1] for command, _ in pairs()} == {"convolve", "pool", "pipeline", "shape", "kernels"}


@pytest.mark.parametrize("command", shown_commands())
def test_every_command_shown_runs_and_writes_what_it_names(checkout: Path, command: str) -> None:
    before = set(checkout.rglob("*"))
    status, output = run(command)
    assert status == 0
    assert output or set(checkout.rglob("*")) - before


@pytest.mark.usefixtures("checkout")
def test_the_library_example_runs() -> None:
    (example,) = [block for language, block in BLOCKS if language == "python"]
    names_after: dict[str, np.ndarray] = {}
    exec(example, names_after)
    assert names_after["image"].shape == (480, 640, 3)
    assert names_after["small"].shape == (120, 160, 3)
    assert names_after["edges"].shape == (478, 638)
    assert Path("small.png").stat().st_size > 1000


def test_the_network_file_is_one(checkout: Path) -> None:
    (example,) = [block for language, block in BLOCKS if language == "toml"]
    (checkout / "net.toml").write_text(example)
    status, output = run("cnnfilter shape net.toml")
    assert status == 0
    assert [line.split()[1] for line in output.splitlines()[2:-4]][-3:] == ["flatten1", "linear1", "softmax1"]
    document = load_document("net.toml")
    assert document.input == (32, 32, 3)
    assert (str(document.weights), str(document.labels)) == ("lenet.npz", "classes.txt")
    assert document.preparation.scale == 1 / 255


@pytest.mark.usefixtures("checkout")
def test_the_picture_on_top_is_made_by_the_command_beside_it() -> None:
    (command,) = re.findall(r"`(cnnfilter convolve samples/city.png [^`]*)`", README.partition("## Set up")[0])
    shown = cv2.imread("samples/city-edges.webp")
    Path("samples/city-edges.webp").unlink()
    assert run(command) == (0, "")
    made = cv2.imread("samples/city-edges.webp")
    assert shown is not None
    assert made is not None
    assert np.abs(made.astype(int) - shown).mean() < 1


PICTURES = re.findall(r"^\| `(cnnfilter [^`]*)` \| !\[[^\]]*\]\((samples/[^)]*)\) \|$", README, flags=re.MULTILINE)
"""Commands, and the pictures beside them."""


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize(("command", "picture"), PICTURES)
def test_a_picture_is_made_by_the_command_beside_it(command: str, picture: str) -> None:
    before = Path(picture).read_bytes()
    assert len(before) < 150_000
    Path(picture).unlink()
    assert run(command)[0] == 0
    shown, made = (cv2.imdecode(np.frombuffer(data, np.uint8), 1) for data in (before, Path(picture).read_bytes()))
    assert shown is not None
    assert made is not None
    assert abs(shown.shape[0] - made.shape[0]) <= 2  # another version of matplotlib may set text a pixel wider
    assert abs(shown.shape[1] - made.shape[1]) <= 2


def test_make_makes_the_pictures_by_the_same_commands() -> None:
    makefile = (ROOT / "samples" / "Makefile").read_text(encoding="utf-8")
    rules = re.findall(r"^([\w./-]+):(?: ([\w.-]+))?\n\t\$\(CNNFILTER\) (.*)$", makefile, flags=re.MULTILINE)
    recipes = {
        target: recipe.replace("$<", f"samples/{source}").replace("$@", f"samples/{target}")
        for target, source, recipe in rules
    }
    assert len(PICTURES) == 5
    for command, picture in PICTURES:
        assert command == f"cnnfilter {recipes[picture.removeprefix('samples/')]}"


def test_the_set_up_is_two_blocks_ahead_of_any_other_and_calls_by_path() -> None:
    set_up = README.partition("## Set up")[2].partition("\n## ")[0]
    assert README.partition("## Set up")[0].count("```") == 0
    assert set_up.count("```bash") == 2
    first, second = BLOCKS[0][1], BLOCKS[1][1]
    assert ".venv/bin/cnnfilter convolve samples/" in first
    assert ".venv/bin/pytest" in second
    assert "$ " not in first + second


def test_the_test_command_is_the_one_that_ci_runs() -> None:
    (command,) = (line.removeprefix(".venv/bin/") for line in BLOCKS[1][1].splitlines() if "/pytest" in line)
    assert command.split()[0] == "pytest"
    assert f"/bin/{command} -q\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_rules_for_make_are_those_of_the_samples() -> None:
    (shown,) = [block for language, block in BLOCKS if language == "make"]
    makefile = (ROOT / "samples" / "Makefile").read_text(encoding="utf-8")
    for paragraph in shown.strip("\n").split("\n\n"):
        assert f"\n{paragraph}\n" in makefile


def test_every_kernel_and_every_format_is_listed() -> None:
    table = README.partition("## Kernels")[2].partition("## Networks")[0]
    words = set(re.findall(r"[a-z0-9-]+", table))
    assert set(names()) <= words
    for format_ in FORMATS.values():
        assert format_.name in README or f".{format_.name.lower()}" in README or format_.name == "text"
