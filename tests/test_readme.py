"""The README and the help pages: what they say is what happens."""

import importlib.util
import itertools
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

import cnnfilter
from cnnfilter.cli import main
from cnnfilter.io.formats import FORMATS
from cnnfilter.kernels.spec import names
from cnnfilter.network_files import load_document
from tests.conftest import ROOT

PAGES = sorted((ROOT / "cnnfilter" / "help").glob("*.md"))
DOCUMENTS = [ROOT / "README.md", *PAGES]
README = DOCUMENTS[0].read_text(encoding="utf-8")

MOST_BYTES = 10_000
"""Of the README."""

WORDS_TO_A_SHARP_PHOTO = 150
"""A reader has sharpened a photo after as many words."""

WIDTH = 100
"""Columns of a terminal in which a page is read."""


class Block(NamedTuple):
    """A block of code: its language, its text, and the figure that follows it."""

    language: str
    text: str
    figure: str

    @property
    def commands(self) -> list[str]:
        """Its lines, those that end with a backslash joined with the next."""
        return self.text.replace("\\\n", " ").splitlines()


def blocks_of(document: str) -> list[Block]:
    """Return the blocks of code of a document."""
    found = re.findall(r"^```(\w+)\n(.*?)^```(?:\n\n!\[[^\]]*\]\(([^)]*)\))?", document, re.DOTALL | re.MULTILINE)
    return [Block(*parts) for parts in found]


BLOCKS = blocks_of(README)


def with_outputs(blocks: list[Block]) -> Iterator[tuple[Block, str]]:
    """Yield each block with the output that is shown below it, or an empty text."""
    for block, following in itertools.pairwise([*blocks, Block("", "", "")]):
        yield block, following.text if following.language == "text" else ""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photo: Path) -> Path:
    """Return a folder with the samples, a photo, a folder of photos and a kernel, which is the current one."""
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    shutil.copy(ROOT / "kernels" / "emboss.txt", tmp_path)
    image = cnnfilter.read_image(photo)
    crops = {"photo": image[:96, 200:328], "photos/a": image[:40, :56], "photos/b/c": image[-40:, :56]}
    for name, pixels in crops.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        cnnfilter.write_image(tmp_path / f"{name}.jpg", pixels)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: str) -> str:
    """Run a line of a shell, and return what it prints."""
    words = shlex.split(command)
    if words[0] != "cnnfilter" or "|" in words:
        script = f'cnnfilter() {{ {shlex.quote(sys.executable)} -m cnnfilter "$@"; }}\n{command}'
        return subprocess.run(["bash", "-ec", script], capture_output=True, text=True, check=True).stdout
    source = words.pop(words.index("<") + 1) if "<" in words else None
    target = words.pop(words.index(">") + 1) if ">" in words else None
    arguments = [path for word in words[1:] if word not in "<>" for path in expand(word)]
    result = CliRunner().invoke(main, arguments, input=Path(source).read_bytes() if source else None)
    assert result.exit_code == 0, f"{command}\n{result.stderr}"
    if target:
        Path(target).write_bytes(result.stdout_bytes)
    return "" if target else result.stdout


def expand(word: str) -> list[str]:
    """Return the files that a word with a star stands for, or the word."""
    return sorted(str(path) for path in Path().glob(word)) if "*" in word else [word]


def run_python(text: str) -> dict[str, object]:
    """Run a block of Python, and return its names; without PyTorch, leave the file of weights that it would leave."""
    names_after: dict[str, object] = {}
    if "import torch" in text and not importlib.util.find_spec("torch"):
        (outputs,) = re.findall(r"Conv2d\(3, (\d+), 3", text)
        tensors: dict[str, Any] = {"0.weight": np.ones((int(outputs), 3, 3, 3)), "0.bias": np.zeros(int(outputs))}
        np.savez("net.npz", **tensors)
    else:
        exec(text, names_after)
    return names_after


def state(folder: Path) -> dict[Path, int]:
    """Return the files in a folder, and when each was written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_every_command_runs_prints_what_is_below_it_and_writes_what_it_names(desk: Path, path: Path) -> None:
    blocks = blocks_of(path.read_text(encoding="utf-8"))[2 if path.stem == "README" else 0 :]  # after the set-up
    for block, output in with_outputs(blocks):
        if block.language == "python":
            run_python(block.text)
        elif block.language == "bash" and not block.figure:  # figures have a test of their own
            before = state(desk)
            printed = [run(command) for command in block.commands]
            assert any(printed) or state(desk) != before, block.text
            assert not output or "".join(printed) == output, block.text


def test_the_readme_is_short_and_soon_sharpens_a_photo() -> None:
    assert len(README.encode()) <= MOST_BYTES
    before, found, _ = README.partition("-o sharp.png")
    assert found
    prose = re.sub(r"\]\([^)]*\)", "]", before)
    assert len(re.findall(r"\w[\w'-]*", prose)) <= WORDS_TO_A_SHARP_PHOTO


def test_the_readme_sharpens_a_photo_without_a_frame_in_its_first_block(desk: Path) -> None:
    command = BLOCKS[0].commands[-1].removeprefix(".venv/bin/")
    run(command)
    before, after = (cnnfilter.read_image(desk / name) for name in ("samples/city.png", "sharp.png"))
    assert before.shape == after.shape
    assert np.abs(after[0].astype(int) - before[0]).mean() < 10  # the sky at the top has no dark rim


def test_contents_and_links_lead_somewhere() -> None:
    heads = [re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in re.findall(r"^## (.*)", README, re.M)]
    assert re.findall(r"\(#([\w-]+)\)", README) == heads
    links = re.findall(r"\]\(([\w/.-]+)\)", README)
    assert all((ROOT / link).exists() for link in links)
    assert {Path(link).stem for link in links if link.endswith(".md")} == {page.stem for page in PAGES}


def test_every_page_begins_with_what_it_holds_which_the_readme_repeats() -> None:
    for page in PAGES:
        title, empty, summary = page.read_text(encoding="utf-8").splitlines()[:3]
        assert title.startswith("# ")
        assert not empty
        assert f"| [{page.stem}](cnnfilter/help/{page.name}) | {summary} |" in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_read_in_a_terminal(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"<\w+>|^!\[", text, re.MULTILINE)  # neither HTML nor images
    assert [line for line in text.splitlines() if len(line) > WIDTH and not line.startswith("cnnfilter ")] == []


def test_the_commands_are_shown() -> None:
    shown = {command.split()[1] for block in BLOCKS for command in block.commands if command.startswith("cnnfilter ")}
    assert shown >= {"convolve", "pool", "pipeline", "shape"}
    assert "`cnnfilter kernels`" in README


@pytest.mark.usefixtures("desk")
def test_the_library_example_runs() -> None:
    (example,) = [block.text for block in BLOCKS if block.language == "python" and "import cnnfilter" in block.text]
    names_after = run_python(example)
    assert getattr(names_after["image"], "shape", ()) == (480, 640, 3)
    assert getattr(names_after["small"], "shape", ()) == (120, 160, 3)
    assert getattr(names_after["edges"], "shape", ()) == (478, 638)
    assert Path("small.png").stat().st_size > 1000


def test_the_network_file_is_one(desk: Path) -> None:
    page = (ROOT / "cnnfilter" / "help" / "language.md").read_text(encoding="utf-8")
    (example,) = [block.text for block in blocks_of(page) if block.language == "toml"]
    (desk / "net.toml").write_text(example)
    rows = re.findall(r"^\d+  (\w+)", run("cnnfilter shape net.toml"), re.MULTILINE)
    assert rows[-3:] == ["flatten1", "linear1", "softmax1"]
    document = load_document("net.toml")
    assert document.input == (32, 32, 3)
    assert (str(document.weights), str(document.labels)) == ("lenet.npz", "classes.txt")
    assert document.preparation.scale == 1 / 255


@pytest.mark.usefixtures("desk")
def test_the_image_on_top_shows_what_the_command_for_edges_makes() -> None:
    run("cnnfilter convolve samples/city.png -k sobel-x -k sobel-y --combine magnitude --border edge -q -o edges.png")
    shown = cnnfilter.read_image("samples/figures/edges.webp").astype(int)
    assert np.abs(shown[:, 640:] - cnnfilter.read_image("edges.png")).mean() < 8  # a lossy WebP of hard edges
    assert np.abs(shown[:, :640] - cnnfilter.read_image("samples/city.png")).mean() < 6


FIGURES = [block for block in BLOCKS if block.figure]


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize("block", FIGURES, ids=lambda block: Path(block.figure).stem)
def test_a_figure_is_made_by_the_command_above_it(block: Block) -> None:
    before = Path(block.figure).read_bytes()
    assert len(before) < 150_000
    Path(block.figure).unlink()
    run(block.text)
    shown, made = (cv2.imdecode(np.frombuffer(data, np.uint8), 1) for data in (before, Path(block.figure).read_bytes()))
    assert shown is not None
    assert made is not None
    assert abs(shown.shape[0] - made.shape[0]) <= 2  # another version of matplotlib may set text a pixel wider
    assert abs(shown.shape[1] - made.shape[1]) <= 2


def test_make_draws_the_figures_by_the_same_commands() -> None:
    makefile = (ROOT / "samples" / "Makefile").read_text(encoding="utf-8")
    rules = re.findall(r"^([\w./-]+):(?: ([\w.-]+))?\n\t\$\(CNNFILTER\) (.*)$", makefile, flags=re.MULTILINE)
    recipes = {
        target: recipe.replace("$<", f"samples/{source}").replace("$@", f"samples/{target}")
        for target, source, recipe in rules
    }
    assert len(FIGURES) == 3
    for block in FIGURES:
        assert block.text == f"cnnfilter {recipes[block.figure.removeprefix('samples/')]}\n"


def test_the_set_up_is_two_blocks_ahead_of_any_other_and_calls_by_path() -> None:
    set_up = README.partition("## Set up")[2].partition("\n## ")[0]
    assert README.partition("## Set up")[0].count("```") == 0
    assert set_up.count("```bash") == 2
    first, second = BLOCKS[0].text, BLOCKS[1].text
    assert ".venv/bin/cnnfilter convolve samples/" in first
    assert ".venv/bin/pytest" in second
    assert "$ " not in first + second


def test_the_test_command_is_the_one_that_ci_runs() -> None:
    (command,) = (line.removeprefix(".venv/bin/") for line in BLOCKS[1].commands if "/pytest" in line)
    assert command.split()[0] == "pytest"
    assert f"/bin/{command} -q\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize(("path", "targets"), [("README.md", ["all"]), ("cnnfilter/help/batches.md", ["all", "small"])])
def test_the_rules_for_make_work(desk: Path, path: str, targets: list[str]) -> None:
    blocks = blocks_of((ROOT / path).read_text(encoding="utf-8"))
    rules = "\n".join(block.text for block in blocks if block.language == "make")
    (desk / "Makefile").write_text(rules.replace("\tcnnfilter ", f"\t{shlex.quote(sys.executable)} -m cnnfilter "))
    done = subprocess.run(["make", "-j2", *targets], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert cnnfilter.read_image("sharp/a.jpg").shape == cnnfilter.read_image("photos/a.jpg").shape
    assert "photos/a.jpg" in Path("sharp/a.jpg.d").read_text()
    assert {path.name for path in Path("small").rglob("*.jpg")} == ({"a.jpg", "c.jpg"} if "small" in targets else set())
    again = subprocess.run(["make", "-q", "all"], check=False)
    assert again.returncode == 0


def test_every_kernel_and_every_format_is_listed() -> None:
    kernels, formats = ((ROOT / "cnnfilter" / "help" / f"{name}.md").read_text() for name in ("kernels", "formats"))
    assert set(names()) <= set(re.findall(r"[a-z0-9-]+", kernels))
    assert all(format_.name in formats for format_ in FORMATS.values() if not format_.is_matrix)
