"""Transparent images into files without alpha: refused before any work, or laid on a background."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from click.shell_completion import BashComplete
from PIL.ImageColor import colormap, getrgb

from cnnfilter.arrays import Array
from cnnfilter.cli import main
from cnnfilter.cli.options import parse_colour
from cnnfilter.io.background import flatten
from tests.cli.commands import COMMANDS, EVERY_COMMAND, files
from tests.cli.conftest import Run
from tests.cli.pictures import GRAY, correlated, load, save

GENERATOR = np.random.default_rng(14)
WHITES = {np.uint8: 255.0, np.uint16: 65535.0, np.float32: 1.0}
TOMATO = np.array([255, 99, 71]) / 255
LOSSLESS = {"ppm": 1.0, "pnm": 1.0, "pfm": 1.0, "hdr": 1.0}
REFUSAL = "holds no alpha; PNG, WebP, TIFF and AVIF do, and --background COLOUR flattens it"


def transparent(kind: type[np.generic] = np.uint8) -> Array:
    """Return a picture of 9x11 RGBA pixels: some invisible, some opaque, most between."""
    white = WHITES[kind]
    pixels = GENERATOR.random((9, 11, 4)) * white
    pixels[:2, :, 3], pixels[-2:, :, 3] = 0, white
    return pixels.astype(kind)


def laid(pixels: Array, colour: Array) -> Array:
    """Return what is seen of RGBA pixels on a colour whose numbers are from 0 to 1, unrounded."""
    white = WHITES[pixels.dtype.type]
    alpha = pixels[:, :, 3:].astype(np.float64) / white
    return np.asarray(pixels[:, :, :3] * alpha + white * colour * (1 - alpha))


@pytest.fixture
def clear(folder: Path) -> Array:
    """Return a picture with alpha, which lies in `folder` as `clear.png`."""
    pixels = transparent()
    save(folder / "clear.png", pixels)
    return pixels


# Colours


def test_every_name_of_css_is_a_colour() -> None:
    for name in colormap:
        assert tuple(round(255 * part) for part in parse_colour(name.upper())) == getrgb(name)


@pytest.mark.usefixtures("clear")
@pytest.mark.parametrize("text", ["", "#", "#12", "#12345", "#ffffff00", "#ggg", "whit", "rgb(1,2,3)", "transparent"])
def test_what_is_no_colour_is_a_usage_error(run: Run, text: str) -> None:
    assert "colour" in run("pool", "clear.png", "-o", "out.jpg", "--background", text, status=2).stderr


def test_names_of_colours_are_completed() -> None:
    completion = BashComplete(main, {}, "cnnfilter", "_CNNFILTER_COMPLETE")
    found = {item.value for item in completion.get_completions(["pool", "--background"], "light")}
    assert {"lightblue", "lightgrey"} <= found


# Refused


@pytest.mark.usefixtures("clear")
@pytest.mark.parametrize("suffix", ["jpg", "ppm", "pgm", "pnm", "pfm", "hdr"])
@pytest.mark.parametrize("command", ["convolve", "pool"])
def test_without_a_background_it_is_refused_and_a_dry_run_says_the_same(run: Run, suffix: str, command: str) -> None:
    words = (*COMMANDS[command], "clear.png", "-o", f"out.{suffix}")
    done, rehearsed = run(*words, status=1), run(*words, "--dry-run", status=1)
    reason = "PGM holds grey images only" if suffix == "pgm" else REFUSAL  # a background would not help
    assert reason in done.stderr
    assert done.stderr.startswith(f"cnnfilter: out.{suffix}: ")
    assert (rehearsed.stderr, rehearsed.stdout) == (done.stderr, "")
    assert files(Path()) == {"clear.png"}


@pytest.mark.usefixtures("clear")
def test_it_is_refused_before_the_work(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnfilter.run.inputs.lay_out", lambda *_: pytest.fail("the network runs"))
    run("pool", "clear.png", "-o", "out.jpg", status=1)


@pytest.mark.usefixtures("clear")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_other_inputs_of_a_batch_are_done(run: Run, three: dict[str, Array], jobs: str) -> None:
    words = (
        "convolve",
        *three,
        "clear.png",
        "-k",
        "box:3",
        "-k",
        "sharpen",
        "-o",
        "out/",
        "--format",
        "jpg",
        "-j",
        jobs,
    )
    done = run(*words, "-q", status=1)
    lines = done.stderr.splitlines()
    assert [line.partition(": ")[2].partition(":")[0] for line in lines[:-1]] == [
        "out/clear-box_3.jpg",
        "out/clear-sharpen.jpg",
    ]
    assert lines[-1] == "cnnfilter: 1 of 4 inputs failed"
    assert files(Path("out")) == {f"{name[0]}-{kernel}.jpg" for name in three for kernel in ("box_3", "sharpen")}
    rehearsed = run(*words, "-q", "--dry-run", status=1)
    assert rehearsed.stderr == done.stderr
    assert rehearsed.stdout.count(" -> ") == 6


@pytest.mark.parametrize("kernel", ["box:3", "sharpen", "sobel-x"])
@pytest.mark.parametrize("border", ["zero", "edge"])
def test_an_opaque_alpha_is_left_out_without_a_word(run: Run, colours: Array, kernel: str, border: str) -> None:
    save(Path("opaque.png"), np.dstack([colours, np.full(colours.shape[:2], 255, np.uint8)]))
    words = ("-k", kernel, "-p", "same", "--border", border, "--range", "abs")
    for name in ("colours", "opaque"):
        said = run("convolve", f"{name}.png", *words, "-o", f"{name}.ppm").stderr
        assert "alpha" not in said
    assert Path("colours.ppm").read_bytes() == Path("opaque.ppm").read_bytes()
    listed = run("convolve", "opaque.png", *words, "-o", "opaque.ppm", "--dry-run")
    assert listed.stdout == "opaque.png 21x26x4 -> opaque.ppm 21x26x3\n"


# Flattened


@pytest.mark.parametrize("kind", WHITES)
@pytest.mark.parametrize("suffix", LOSSLESS)
def test_it_lies_on_the_background_at_the_depth_of_the_file(
    run: Run, folder: Path, kind: type[np.generic], suffix: str
) -> None:
    pixels = transparent(kind)
    save(folder / "clear.tif", pixels)
    words = ("convolve", "clear.tif", "-k", "identity:1", "-o", f"out.{suffix}", "--background", "tomato")
    assert run(*words, "--dry-run").stdout == f"clear.tif 9x11x4 -> out.{suffix} 9x11x3\n"
    run(*words, "-q")
    stored, expected = load(f"out.{suffix}"), laid(pixels, TOMATO)
    given = WHITES[kind]
    unit = WHITES[stored.dtype.type] / given
    if suffix == "hdr":  # a byte for each colour, and an exponent in common
        assert np.abs(stored - expected).max() <= expected.max() / 128
    elif suffix == "pfm":
        assert np.allclose(stored, expected, rtol=1e-6, atol=1e-6 * given)
    else:
        assert np.abs(stored - expected * unit).max() <= 0.5 + 1e-2 * (stored.dtype == np.uint16)


@EVERY_COMMAND
def test_every_command_lays_it_on_a_background(run: Run, clear: Array, command: tuple[str, ...]) -> None:
    printed = run(*command, "clear.png", "-o", "-", "--format", "ppm", "--background", "#ff6347")
    run(*command, "clear.png", "-o", "out.ppm", "--background", "Tomato")
    assert printed.stdout_bytes == Path("out.ppm").read_bytes()
    assert printed.stderr == ""
    assert np.array_equal(load("out.ppm"), np.rint(laid(clear, TOMATO)))


def test_colours_are_brought_into_range_first(run: Run, clear: Array) -> None:
    kernel = np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]])
    clear[:, :, 3] = 128
    save(Path("clear.png"), clear)
    colours = np.stack([correlated(clear[:, :, channel], kernel) for channel in range(3)], axis=2)
    low, high = colours.min(), colours.max()
    ways = {
        "clip": np.clip(colours, 0, 255),
        "abs": np.clip(np.abs(colours), 0, 255),
        "scale": (colours - low) * 255 / (high - low),
        "offset": np.clip(colours + 128, 0, 255),
    }
    for way, levels in ways.items():
        run("convolve", "clear.png", "-k", "sharpen", "--range", way, "--background", "#0f0", "-o", "out.ppm", "-q")
        expected = levels * 128 / 255 + np.array([0, 255, 0]) * 127 / 255
        assert np.abs(load("out.ppm") - expected).max() <= 0.51


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        (("convolve", "-k", "1", "--channels", "gray"), lambda colours: colours @ np.array(GRAY)),
        (("pool", "--over", "channels"), lambda colours: colours.max(axis=2)),
    ],
    ids=["gray", "over channels"],
)
@pytest.mark.parametrize("suffix", ["pgm", "png"])
def test_one_map_lies_on_the_luma_of_the_background(
    run: Run, clear: Array, words: tuple[str, ...], seen: object, suffix: str
) -> None:
    assert callable(seen)
    result = run(*words, "clear.png", "-o", f"out.{suffix}", "--background", "tomato")
    assert result.stderr == ""
    alpha = clear[:, :, 3] / 255
    expected = seen(clear[:, :, :3].astype(float)) * alpha + 255 * (TOMATO @ np.array(GRAY)) * (1 - alpha)
    assert np.abs(load(f"out.{suffix}") - expected).max() <= 0.51


@pytest.mark.parametrize("suffix", ["png", "jpg", "npy"])
def test_a_network_sees_the_flattened_image_whatever_the_file_holds(run: Run, clear: Array, suffix: str) -> None:
    save(Path("flat.png"), np.rint(laid(clear, TOMATO)).astype(np.uint8))
    network = ("pipeline", "res(maxpool:3,s1,same | dwconv:sharpen,same)@r avgpool:2")
    expected = run(*network, "flat.png", "-o", f"a.{suffix}")
    given = run(*network, "clear.png", "-o", f"b.{suffix}", "--background", "tomato")
    assert given.stderr.replace("clear.png", "flat.png") == expected.stderr
    assert Path(f"a.{suffix}").read_bytes() == Path(f"b.{suffix}").read_bytes()
    for name, options in (("flat", ()), ("clear", ("--background", "tomato"))):
        run(*network, f"{name}.png", "--save", "all", "-o", f"{name}/{{layer}}.npy", *options)
    assert files(Path("flat")) == files(Path("clear")) != set()
    assert all(path.read_bytes() == Path("clear", path.name).read_bytes() for path in Path("flat").iterdir())


def test_a_bank_that_takes_no_alpha_sees_the_flattened_image(run: Run, clear: Array) -> None:
    np.save("bank.npy", GENERATOR.random((2, 2, 3, 3)))
    save(Path("flat.png"), np.rint(laid(clear, TOMATO)).astype(np.uint8))
    run("convolve", "flat.png", "-k", "bank.npy", "-o", "a.npy")
    run("convolve", "clear.png", "-k", "bank.npy", "-o", "b.npy", "--background", "tomato")
    assert Path("a.npy").read_bytes() == Path("b.npy").read_bytes()


def test_where_a_file_holds_alpha_a_background_changes_nothing_and_that_is_said(run: Run, clear: Array) -> None:
    result = run("pool", "clear.png", "--size", "1", "-o", "out.png", "--background", "red")
    clear[clear[:, :, 3] == 0] = 0  # nothing is seen there
    assert np.array_equal(load("out.png"), clear)
    assert "--background changes nothing in PNG, which holds alpha" in result.stderr


def test_a_gif_lies_on_the_background_whole_for_its_alpha_is_all_or_nothing(run: Run, clear: Array) -> None:
    said = run("pool", "clear.png", "--size", "1", "-o", "out.gif").stderr
    assert "no partial transparency" in said
    assert "--background flattens it" in said
    words = ("pool", "clear.png", "--size", "1", "-o", "out.gif", "--background", "tomato")
    assert run(*words, "--dry-run").stdout == "clear.png 9x11x4 -> out.gif 9x11x3\n"
    assert run(*words).stderr == ""
    assert np.array_equal(load("out.gif"), np.rint(laid(clear, TOMATO)))


@pytest.mark.usefixtures("clear")
def test_four_maps_are_no_alpha(run: Run) -> None:
    words = ("pipeline", "conv:1x1,4", "clear.png", "--init", "he", "--background", "red", "-o", "out.npy")
    assert run(*words, "--dry-run").stdout == "clear.png 9x11x4 -> out.npy 9x11x4\n"
    run(*words)
    assert np.load("out.npy").shape == (9, 11, 4)


def test_a_figure_shows_the_flattened_image_that_the_network_sees(run: Run, clear: Array) -> None:
    Path("flat").mkdir()
    save(Path("flat/clear.png"), np.rint(laid(clear, TOMATO)).astype(np.uint8))
    for name, words in {
        "given": ("clear.png", "--background", "tomato"),
        "flat": ("flat/clear.png",),
        "plain": ("clear.png", "-q"),
    }.items():
        run("pipeline", "gray@g relu", *words, "--plot", f"{name}.png", "-o", f"{name}.jpg")
    given, flat, plain = (load(f"{name}.png") for name in ("given", "flat", "plain"))
    panel = given.shape[1] // 3
    assert np.array_equal(given, flat)
    assert not np.array_equal(given[:, :panel], plain[:, :panel])
    assert not np.array_equal(given[:, panel:], plain[:, panel:])


@pytest.mark.usefixtures("clear")
def test_a_figure_of_a_filter_has_alpha_for_it_is_flattened_as_it_is_written(run: Run) -> None:
    run("convolve", "clear.png", "-k", "box:3", "--background", "tomato", "--plot", "a.png", "-o", "a.jpg")
    run("convolve", "clear.png", "-k", "box:3", "--plot", "b.png", "-o", "b.webp")
    assert np.array_equal(load("a.png"), load("b.png"))


def test_pages_lie_on_the_background_one_by_one(run: Run, folder: Path) -> None:
    pages = [transparent() for _ in range(3)]
    cv2.imwritemulti(str(folder / "pages.tif"), [np.ascontiguousarray(page[:, :, [2, 1, 0, 3]]) for page in pages])
    run("pipeline", "relu", "pages.tif", "--background", "tomato", "-o", "out.tif")
    _, stored = cv2.imreadmulti("out.tif", flags=cv2.IMREAD_UNCHANGED)
    for page, flat in zip(pages, stored, strict=True):
        assert np.array_equal(flat[:, :, ::-1], np.rint(laid(page, TOMATO)))
    run("pool", "pages.tif", "--size", "1", "--background", "tomato", "-o", "{stem}-{page}.ppm")
    for number, page in enumerate(pages, 1):
        assert np.array_equal(load(f"pages-{number}.ppm"), np.rint(laid(page, TOMATO)))
    run("pool", "pages.tif", "--page", "2", "--size", "1", "--background", "tomato", "-o", "out.ppm")
    assert np.array_equal(load("out.ppm"), np.rint(laid(pages[1], TOMATO)))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_flattening_rounds_exactly(kind: type[np.generic]) -> None:
    """Every pair of a level and an alpha of 8 bits, random ones of 16, against whole numbers."""
    white = int(WHITES[kind])
    if kind is np.uint8:
        level, alpha = np.meshgrid(np.arange(256), np.arange(256))
    else:
        level, alpha = GENERATOR.integers(0, white + 1, (2, 300, 300))
    pixels = np.stack([level, level, level, alpha], axis=2).astype(kind)
    colour = np.array([0, 13, white])
    flat = flatten(pixels, tuple(float(part) for part in colour / white), float(white))  # type: ignore[arg-type]
    exact = level[:, :, None] * alpha[:, :, None].astype(object) + colour * (white - alpha[:, :, None].astype(object))
    assert np.array_equal(flat, ((2 * exact + white) // (2 * white)).astype(kind))  # an odd white: no ties
