"""What `--help` and `help` show: options in sections, examples that run, pages."""

import itertools
import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from PIL import Image, ImageDraw, ImageFilter

from cnnfilter import __version__
from cnnfilter.cli import COMMANDS, main
from cnnfilter.cli.options import OWN_SECTIONS, SECTIONS
from cnnfilter.errors import MissingLibraryError
from tests.cli.conftest import Run
from tests.cli.pictures import load
from tests.conftest import ROOT

PAGES_FOLDER = ROOT / "cnnfilter" / "help"
PAGES = ((), *((command,) for command in COMMANDS))


def page(words: tuple[str, ...]) -> str:
    """Return what `--help` of a command prints."""
    result = CliRunner().invoke(main, [*words, "--help"], prog_name="cnnfilter", catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def examples(words: tuple[str, ...]) -> list[str]:
    """Return the lines that stand below `Examples:` in the help of a command."""
    return [line.strip() for line in page(words).partition("Examples:\n")[2].splitlines()]


EXAMPLES = [example for words in PAGES for example in examples(words)]


def outputs(words: list[str]) -> list[str]:
    """Return what follows each option that names a file to be written."""
    return [following for word, following in itertools.pairwise(words) if word in {"-o", "--plot", "--animate"}]


@pytest.fixture
def album(folder: Path, photo: Path) -> Path:
    """Return a folder with `photo.jpg`, others of the scene, a part, a mask, and shapes: the current one."""
    with Image.open(photo) as large:
        large.reduce(2).save(folder / "photo.jpg")
        large.reduce(2).crop((9, 5, 240, 290)).save(folder / "second.jpg")
        large.reduce(2).crop((100, 70, 140, 130)).save(folder / "patch.png")
        large.reduce(2).filter(ImageFilter.SHARPEN).save(folder / "sharp.png")
        (folder / "masks").mkdir()
        large.reduce(2).convert("L").point(lambda level: 255 * (level > 128)).save(folder / "masks" / "photo.png")
    for number, name in enumerate(("round", "square") * 10):
        (folder / "shapes" / name).mkdir(parents=True, exist_ok=True)
        shape = Image.new("L", (12, 12))
        draw = ImageDraw.Draw(shape)
        (draw.ellipse if name == "round" else draw.rectangle)((2, 2, 6 + number // 4, 6 + number // 4), fill=255)
        shape.save(folder / "shapes" / name / f"{number}.png")
    return folder


@pytest.mark.parametrize("words", PAGES, ids=lambda words: " ".join(words) or "cnnfilter")
def test_the_help_of_every_command_ends_with_examples(words: tuple[str, ...]) -> None:
    shown = examples(words)
    assert len(shown) >= 3
    assert all(line.startswith(" ".join(["cnnfilter", *words])) for line in shown)


@pytest.mark.parametrize("words", PAGES, ids=lambda words: " ".join(words) or "cnnfilter")
def test_no_example_is_left_out_or_broken_in_two(words: tuple[str, ...]) -> None:
    command = main.get_command(click.Context(main), words[0]) if words else main
    assert command is not None
    written = (command.epilog or "").partition("Examples:\n")[2]
    assert examples(words) == [line.strip() for line in written.splitlines()]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_runs_and_writes_what_it_names(run: Run, album: Path, example: str) -> None:
    before = {path: path.read_bytes() for path in album.rglob("*") if path.is_file()}
    program, *words = shlex.split(example)
    assert program == "cnnfilter"
    result = run(*words)
    made = {path for path in album.rglob("*") if path.is_file()} - set(before)
    targets = outputs(words)
    below = [{path, *path.rglob("*")} & made for path in (album / target for target in targets)]
    assert all(below)
    assert set().union(*below) == made
    images = [path for path in made if path.suffix not in {".svg", ".npz", ".txt", ".onnx", ".py"}]
    assert all(load(path).std() > 1 for path in images)  # an image of one colour shows nothing
    assert bool(made) == bool(targets)
    assert bool(result.stdout) != bool(targets) or words[0] == "train"  # a line for each epoch
    assert {path: path.read_bytes() for path in before} == before


def sections(words: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the words at the start of each entry, by the titles under which `--help` of a command has them."""
    _, *parts = re.split(r"^([A-Z][a-z ]+):$", page(words), flags=re.MULTILINE)
    entry = re.compile(r"^  (-[^\s,]+(?:, --[a-z-]+)?|[a-z]+)", re.MULTILINE)
    return dict(zip(parts[::2], map(entry.findall, parts[1::2]), strict=True))


def test_the_commands_are_listed_in_groups() -> None:
    groups = sections(())
    assert groups.pop("Options") == ["--version", "-h, --help"]
    assert groups == {
        "Filter": ["convolve", "pool", "pipeline"],
        "Understand": ["shape", "kernels", "activations", "correlate"],
        "Learn": ["fit", "train", "augment"],
        "Exchange": ["export"],
        "More": ["help"],
    }


@pytest.mark.parametrize("words", PAGES[1:], ids=lambda words: words[0])
def test_every_option_has_its_section_in_the_help(words: tuple[str, ...]) -> None:
    command = main.get_command(click.Context(main), words[0])
    assert command is not None
    shown = sections(words)
    titles = [*OWN_SECTIONS.get(words[0], ()), *SECTIONS]
    assert list(shown) == [title for title in titles if title in shown]
    options = [", ".join(option.opts) for option in command.params if isinstance(option, click.Option)]
    assert sorted(itertools.chain(*shown.values())) == sorted([*options, "-h, --help"])


@pytest.mark.parametrize("command", ["convolve", "pool", "pipeline"])
def test_the_output_is_among_the_first_ten_options(command: str) -> None:
    assert "-o, --output" in list(itertools.chain(*sections((command,)).values()))[:10]


def test_no_option_is_in_two_sections() -> None:
    names = list(itertools.chain(*SECTIONS.values()))
    assert len(names) == len(set(names))


@pytest.mark.parametrize("words", PAGES, ids=lambda words: " ".join(words) or "cnnfilter")
def test_defaults_are_written_in_one_style(words: tuple[str, ...]) -> None:
    text = " ".join(page(words).split())
    assert not re.search(r"\[default|\[required|<=x|x>=|by default: ", text)
    if words == ("convolve",):
        assert "Pixels between windows. Default: 1." in text
        assert "Default: the number of cores." in text


def test_help_lists_the_pages_with_a_sentence_each(run: Run) -> None:
    listed = dict(line.split(maxsplit=1) for line in run("help").stdout.splitlines())
    pages = {path.stem: path.read_text(encoding="utf-8") for path in PAGES_FOLDER.glob("*.md")}
    assert listed == {name: text.splitlines()[2] for name, text in sorted(pages.items())}


@pytest.mark.parametrize("path", sorted(PAGES_FOLDER.glob("*.md")), ids=lambda path: path.stem)
def test_help_prints_a_page_as_it_is(run: Run, path: Path) -> None:
    assert run("help", path.stem).stdout == path.read_text(encoding="utf-8")


def test_help_shows_a_page_through_the_pager_of_a_terminal(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    paged: list[str] = []
    monkeypatch.setattr("click.echo_via_pager", paged.append)
    assert run("help", "formats").stdout == ""
    assert paged == [(PAGES_FOLDER / "formats.md").read_text(encoding="utf-8").rstrip("\n")]


@pytest.mark.parametrize(
    ("topic", "answer"),
    [
        ("convolve", "`cnnfilter convolve --help` explains this command"),
        ("formts", "nearest: formats; `cnnfilter help` lists the pages"),
        ("kernel", "nearest: kernels; `cnnfilter help` lists the pages"),
        ("photos", "no page is called 'photos'; `cnnfilter help` lists the pages"),
    ],
)
def test_help_on_an_unknown_topic_says_where_to_look(run: Run, topic: str, answer: str) -> None:
    assert answer in run("help", topic, status=2).stderr


def test_the_help_of_convolve_says_what_convolution_means() -> None:
    text = " ".join(page(("convolve",)).split())
    assert "The kernel is not turned" in text
    assert "cross-correlation" in text
    assert "--flip" in text


@pytest.mark.parametrize("words", PAGES[1:], ids=lambda words: words[0])
def test_every_option_is_explained(words: tuple[str, ...]) -> None:
    command = main.get_command(click.Context(main), words[0])
    assert command is not None
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
            assert parameter.opts[-1] in page(words)


def test_h_is_short_for_help(run: Run) -> None:
    for words in PAGES:
        assert run(*words, "-h").stdout == page(words)


def test_the_version_is_that_of_the_package(run: Run) -> None:
    assert run("--version").stdout == f"cnnfilter {__version__}\n"
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", __version__)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("conv", "; nearest: convolve"),
        ("kernel sobel-x", "; nearest: kernels"),
        ("sharpn photo.jpg", "; nearest kernels: sharpen, sharpen-8, unsharp"),
        ("zzzzz", ""),
        ("sharpen", ". It is a kernel: cnnfilter convolve INPUT -k sharpen -o OUTPUT"),
        ("median a.jpg b.jpg", ". It is a mode of pool: cnnfilter pool a.jpg b.jpg -m median -o OUTPUT/"),
        ("alexnet", ". It is a network: cnnfilter shape alexnet"),
        ("224x224x3 gap", ". It is a size: cnnfilter shape 224x224x3 gap"),
        ("formats", ". It is a page: cnnfilter help formats"),
        ("x.png", ". It is a file, and a command comes first: cnnfilter convolve x.png -k KERNEL -o OUTPUT"),
        ("net.toml x.png", ". It is a file, and a command comes first: cnnfilter pipeline net.toml x.png"),
    ],
)
def test_an_unknown_command_is_answered_with_what_was_probably_meant(run: Run, line: str, answer: str) -> None:
    word, *rest = line.split()
    result = run(word, *rest, status=2)
    assert result.stderr.splitlines()[-1] == f"Error: No such command {word!r}{answer}"


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (("sharpen", "photo.jpg"), "photo-sharpen.jpg"),
        (("gaussian:15:2.5", "photo.jpg"), "photo-gaussian_15_2.5.jpg"),
        (("median", "photo.jpg", "--size", "3"), "photo-median.jpg"),
        (("gray conv:line-vertical:15 relu", "photo.jpg", "--range", "scale"), "photo-gray.jpg"),
        (("photo.jpg", "-k", "blur", "-o", "soft.png"), "soft.png"),
        (("edge", "photo.jpg", "--plot", "edge.png"), "edge.png"),
    ],
)
def test_the_command_that_is_offered_instead_runs(run: Run, album: Path, words: tuple[str, ...], output: str) -> None:
    *_, offered = run(*words, status=2).stderr.splitlines()[-1].partition(": cnnfilter ")
    assert not (album / output).exists()
    run(*shlex.split(offered))
    assert (album / output).stat().st_size > 0


def test_no_command_at_all_shows_the_help(run: Run) -> None:
    assert run(status=2).stderr == page(())


def test_an_unknown_option_is_answered_with_the_nearest(run: Run) -> None:
    assert "No such option '--strides'. Did you mean '--stride'?" in run("convolve", "--strides", "2", status=2).stderr
    assert "'--normalize'" in run("convolve", "--normalise", "sum", status=2).stderr


def test_a_library_that_is_missing_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MissingLibraryError("OpenCV cannot be loaded: libGL.so.1 is missing")

    monkeypatch.setattr("cnnfilter.cli.pool.filter_files", fail)
    assert run("pool", "m.txt", status=1).stderr == "cnnfilter: OpenCV cannot be loaded: libGL.so.1 is missing\n"
