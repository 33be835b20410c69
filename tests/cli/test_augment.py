"""`cnnfilter augment`: copies whose bytes depend on seed, name and copy alone, with their masks."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from cnnfilter.arrays import Array
from cnnfilter.learn.augment import augment, make_generator
from cnnfilter.learn.steps import parse_steps
from tests.cli.commands import files, read_lines
from tests.cli.conftest import Run
from tests.cli.pictures import load, save

STEPS = "flip rotate:-20..20,border=reflect shift:-10%..10% blur:0..1 noise:6 hue:-30..30,p=0.5"


def read_all(folder: str) -> dict[str, bytes]:
    """Return the bytes of every file in a folder."""
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@pytest.mark.usefixtures("three")
def test_bytes_depend_neither_on_order_nor_on_jobs_nor_on_other_inputs(run: Run) -> None:
    run("augment", STEPS, "a.png", "b.png", "c.png", "--copies", 3, "-j", 1, "-o", "one/")
    run("augment", STEPS, "c.png", "a.png", "b.png", "--copies", 3, "-j", 3, "-o", "two/")
    run("augment", STEPS, "b.png", "--copies", 3, "-o", "three/")
    one, three = read_all("one"), read_all("three")
    assert len(one) == 9
    assert one == read_all("two")
    assert three == {name: one[name] for name in three}
    assert len(set(one.values())) == 9


def test_a_copy_is_what_the_library_makes_of_it(run: Run, colours: Array) -> None:
    run("augment", STEPS, "colours.png", "--copies", 12, "--seed", 5, "-o", "{stem}-{copy}.png")
    expected = augment(colours, parse_steps(STEPS), make_generator(5, "colours.png", 7))
    assert (load("colours-07.png") == expected).all()


@pytest.mark.usefixtures("colours")
def test_a_seed_draws_other_numbers_and_one_copy_keeps_the_name(run: Run) -> None:
    run("augment", STEPS, "colours.png", "-o", "out/")
    run("augment", STEPS, "colours.png", "--seed", 1, "-o", "other/")
    assert files(Path("out")) == {"colours.png"}
    assert read_all("out") != read_all("other")


@pytest.mark.usefixtures("three")
def test_with_recursive_the_path_in_the_folder_is_the_name(run: Run) -> None:
    for name in ("cat", "dog"):
        Path("in", name).mkdir(parents=True)
        Path("in", name, "1.png").write_bytes(Path("a.png").read_bytes())
    run("augment", "noise:9", "in", "-r", "-o", "out/")
    Path("in").rename("elsewhere")
    run("augment", "noise:9", "elsewhere/", "-r", "-o", "again/")
    assert Path("out/cat/1.png").read_bytes() != Path("out/dog/1.png").read_bytes()
    assert Path("out/cat/1.png").read_bytes() == Path("again/cat/1.png").read_bytes()


@pytest.fixture
def mask(folder: Path) -> Array:
    """Return classes of 16 bits for `colours.png`, which lie in `masks`."""
    classes = (np.arange(21 * 26).reshape(21, 26) * 100).astype(np.uint16)
    (folder / "masks").mkdir()
    assert cv2.imwrite(str(folder / "masks" / "colours.png"), classes)
    return classes


def test_a_mask_moves_with_its_image_to_the_pixel(run: Run, folder: Path, mask: Array) -> None:
    save(folder / "colours.png", (mask // 256).astype(np.uint8))
    steps = "flip flip:v pad:3,border=edge crop:18x20 shift:-20%..20%"
    run("augment", steps, "colours.png", "--copies", 6, "--with", "masks", "-o", "out/")
    assert files(Path("out/masks")) == {f"colours-{copy}.png" for copy in range(1, 7)}
    for copy in range(1, 7):
        moved = cv2.imread(f"out/masks/colours-{copy}.png", cv2.IMREAD_UNCHANGED)
        assert moved is not None
        assert moved.dtype == np.uint16
        assert (moved // 256 == load(f"out/colours-{copy}.png")).all()


@pytest.mark.usefixtures("colours")
def test_a_mask_sees_no_colours_and_is_resized_without_new_values(run: Run, mask: Array) -> None:
    steps = "rotate:-40..40 noise:50 blur:3 brightness:0 gray erase:0.5"
    run("augment", steps, "colours.png", "--with", "masks", "--with-output", "moved", "--resize", 40, "-o", "out/")
    moved = cv2.imread("moved/colours.png", cv2.IMREAD_UNCHANGED)
    assert moved is not None
    assert load("out/colours.png").shape == (40, 40, 3)
    assert moved.shape == (40, 40)
    assert set(np.unique(moved)) <= {0, *np.unique(mask).tolist()}
    assert len(np.unique(moved)) > 200


def test_masks_of_a_tree_are_in_a_tree_and_jpeg_ones_become_png(run: Run, folder: Path, colours: Array) -> None:
    for name in ("images/a/x.png", "images/y.png", "labels/a/x.jpg", "labels/y.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        save(folder / name, colours)
    run("augment", "flip", "images", "-r", "--copies", 2, "--with", "labels", "-o", "out/")
    assert files(Path("out/masks")) == {"a/x-1.png", "a/x-2.png", "y-1.png", "y-2.png"}


def test_the_report_holds_what_was_drawn(run: Run, colours: Array) -> None:
    text = "flip,p=0.5 rotate:-15..15 crop:10x12 noise:2"
    run("augment", text, "colours.png", "--copies", 20, "--report", "r.jsonl", "-o", "out/")
    (record,) = read_lines(Path("r.jsonl").read_text())
    drawn = record["drawn"]
    assert [one["copy"] for one in drawn] == list(range(1, 21))
    assert {one["steps"][0]["step"] for one in drawn} == {"flip", "rotate"}
    assert all(-15 <= one["steps"][-3]["degrees"] <= 15 for one in drawn)
    crop = drawn[0]["steps"][-2]
    assert crop == {"step": "crop", "top": crop["top"], "left": crop["left"], "height": 10, "width": 12}
    run("convolve", "colours.png", "-k", "sharpen", "--report", "r.jsonl", "-o", "out/")
    assert "drawn" not in json.loads(Path("r.jsonl").read_text())
    assert colours.shape[0] > crop["top"] + 9


@pytest.mark.usefixtures("colours", "mask")
def test_what_is_up_to_date_is_not_made_again_until_its_mask_changes(run: Run) -> None:
    command = ("augment", "flip", "colours.png", "--copies", 2, "--with", "masks", "--update", "-o", "out/")
    run(*command, "--depfile", "out.mk")
    rule = Path("out.mk").read_text().splitlines()[0]
    assert rule.startswith("out/colours-1.png out/colours-2.png out/masks/colours-1.png out/masks/colours-2.png:")
    assert rule.endswith(": colours.png masks/colours.png")
    before = Path("out/masks/colours-1.png").stat().st_mtime_ns
    run(*command)
    assert Path("out/masks/colours-1.png").stat().st_mtime_ns == before
    Path("masks/colours.png").touch()
    run(*command)
    assert Path("out/masks/colours-1.png").stat().st_mtime_ns > before


@pytest.mark.usefixtures("colours", "mask")
def test_a_dry_run_knows_sizes_and_names(run: Run, folder: Path) -> None:
    before = files(folder)
    lines = run("augment", "pad:2 crop:9x8", "colours.png", "--copies", 2, "--with", "masks", "-o", "o/", "--dry-run")
    assert lines.stdout.splitlines()[:2] == [
        "colours.png 21x26x3 -> o/colours-1.png 9x8x3",
        "colours.png 21x26x3 -> o/masks/colours-1.png",
    ]
    assert files(folder) == before


def test_depth_alpha_and_grey_are_kept(run: Run, folder: Path, deep: Array) -> None:
    sprite = np.random.default_rng(0).integers(0, 256, (20, 30, 4)).astype(np.uint8)
    save(folder / "sprite.png", sprite)
    run("augment", "flip,p=1", "deep.png", "sprite.png", "-o", "out/")
    assert (load("out/deep.png") == deep[:, ::-1]).all()
    visible = sprite[:, ::-1, 3:] > 0
    assert (load("out/sprite.png")[:, :, 3] == sprite[:, ::-1, 3]).all()
    assert (load("out/sprite.png")[:, :, :3] * visible == sprite[:, ::-1, :3] * visible).all()
    run("augment", "rotate:45", "sprite.png", "--background", "white", "-o", "out/{stem}.jpg")
    assert load("out/sprite.jpg")[0, 0].min() > 240  # beyond the edge it is transparent


@pytest.mark.usefixtures("colours", "mask")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("flipp", "colours.png", "-o", "o/"), "unknown step 'flipp'; nearest: flip"),
        (("", "colours.png", "-o", "o/"), "no step is given"),
        (("flip", "colours.png"), "-o FOLDER/, or a template with {copy}"),
        (("flip", "-o", "o/"), "Missing argument 'INPUT...'"),
        (("flip", "colours.png", "--copies", 2, "-o", "a.png"), "use a folder, or a template with {copy}"),
        (("flip", "colours.png", "--copies", 0, "-o", "o/"), "0 is not in the range"),
        (("flip", "colours.png", "-o", "o/{kernel}.png"), "unknown field {kernel}; known are"),
        (("flip", "colours.png", "-o", "o/", "--with", "nowhere"), "--with nowhere: no such folder"),
        (("flip", "colours.png", "-o", "o/", "--with-output", "m"), "--with-output is for masks"),
        (("flip", "colours.png", "-o", "o/", "--with", "masks", "--with-output", "masks"), "would overwrite it"),
        (("flip", "colours.png", "-o", "-", "--with", "masks"), "-o FOLDER/ or a template"),
    ],
)
def test_a_mistake_is_said_before_anything_is_written(run: Run, words: tuple[object, ...], message: str) -> None:
    before = files(Path())
    assert message in " ".join(run("augment", *words, status=2).stderr.split())
    assert files(Path()) == before


@pytest.mark.usefixtures("three", "mask")
def test_an_input_that_fails_stops_no_other(run: Run, folder: Path, colours: Array) -> None:
    save(folder / "small.png", colours[:5])
    result = run("augment", "crop:10x10", "a.png", "small.png", "b.png", "-o", "o/", status=1)
    assert result.stderr.splitlines() == [
        "cnnfilter: small.png: crop:10x10 is larger than the image, 5x26; pad enlarges it",
        "cnnfilter: 1 of 3 inputs failed",
    ]
    save(folder / "masks" / "a.png", colours[:5])
    result = run("augment", "flip", "a.png", "--with", "masks", "-o", "p/", status=1)
    assert result.stderr == "cnnfilter: a.png: its mask masks/a.png is 5x26, and the image 21x26\n"
