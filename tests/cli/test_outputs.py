"""Where results go: files, folders, templates, and the options about what is written."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnfilter.arrays import Array
from tests.cli.commands import EVERY_COMMAND, files
from tests.cli.conftest import Run
from tests.cli.pictures import correlated, levels, load

SHARPEN = np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]])
MATRIX = "1 2 3\n4 5 6\n7 8 9\n"


@EVERY_COMMAND
@pytest.mark.parametrize("output", ["out/", "out/deep/er/"])
def test_a_folder_is_made_and_keeps_the_names(
    run: Run, three: dict[str, Array], command: tuple[str, ...], output: str
) -> None:
    result = run(*command, *three, "-o", output)
    assert files(Path(output)) == set(three)
    for name, pixels in three.items():
        assert np.array_equal(load(Path(output) / name), pixels)
    assert result.output == ""


def test_a_folder_that_exists_needs_no_slash(run: Run, folder: Path, three: dict[str, Array]) -> None:
    (folder / "out").mkdir()
    run("pool", "a.png", "-o", "out")
    assert files(folder / "out") == {"a.png"}
    assert load("out/a.png").shape == (three["a.png"].shape[0] // 2, three["a.png"].shape[1] // 2, 3)


@EVERY_COMMAND
def test_a_template_names_each_output(
    run: Run, folder: Path, three: dict[str, Array], command: tuple[str, ...]
) -> None:
    run(*command, *three, "-o", "{index}-{stem}-of-{name}{ext}")
    made = files(folder) - set(three)
    assert made == {"1-a-of-a.png.png", "2-b-of-b.png.png", "3-c-of-c.png.png"}
    assert np.array_equal(load("2-b-of-b.png.png"), three["b.png"])


def test_the_index_has_as_many_digits_as_the_number_of_inputs(run: Run, folder: Path) -> None:
    names = [f"{letter}.txt" for letter in "abcdefghijk"]
    for name in names:
        (folder / name).write_text("1\n")
    run("convolve", *names, "-k", "2", "-o", "out-{index}.csv")
    assert files(folder) - set(names) == {f"out-{number:02}.csv" for number in range(1, 12)}


def test_a_template_can_give_the_folder_to_be_written_into(run: Run, folder: Path, three: dict[str, Array]) -> None:
    (folder / "b").mkdir()
    run("pool", "b.png", "-o", "{stem}/half{ext}", "--size", "1")
    assert np.array_equal(load("b/half.png"), three["b.png"])


def test_several_kernels_give_a_file_each_named_by_input_and_kernel(run: Run, folder: Path, colours: Array) -> None:
    (folder / "my kernel_1.txt").write_text("3\n")
    kernels = ["sharpen", "gaussian:5:1.5", "gaussian:sigma=1", "0 -1 0; -1 5 -1; 0 -1 0", "./my kernel_1.txt"]
    run("convolve", "colours.png", *[word for kernel in kernels for word in ("-k", kernel)], "-o", "out/", "-q")
    assert files(Path("out")) == {
        "colours-sharpen.png",
        "colours-gaussian_5_1.5.png",
        "colours-gaussian_sigma_1.png",
        "colours-kernel4.png",
        "colours-._my_kernel_1.txt.png",
    }
    expected = levels(correlated(colours, SHARPEN))
    assert np.array_equal(load("out/colours-sharpen.png"), expected)
    assert np.array_equal(load("out/colours-kernel4.png"), expected)
    assert np.array_equal(load("out/colours-._my_kernel_1.txt.png"), levels(colours * 3.0))


def test_several_kernels_and_inputs_fill_a_template(run: Run, folder: Path, three: dict[str, Array]) -> None:
    run("convolve", *three, "-k", "sharpen", "-k", "1", "-o", "{kernel}-{index}{ext}", "-q")
    made = files(folder) - set(three)
    assert made == {f"{kernel}-{index}.png" for kernel in ("sharpen", "kernel2") for index in (1, 2, 3)}
    assert np.array_equal(load("kernel2-3.png"), three["c.png"])
    assert np.array_equal(load("sharpen-2.png"), levels(correlated(three["b.png"], SHARPEN)))


def test_one_kernel_fills_a_template_too(run: Run, folder: Path, three: dict[str, Array]) -> None:
    run("convolve", "a.png", "-k", "box:3", "-o", "{stem}-{kernel}.png")
    assert files(folder) - set(three) == {"a-box_3.png"}


@pytest.mark.parametrize(
    ("kernels", "label"), [(["sobel-x", "sobel-y"], "sobel-x_sobel-y"), (["1", "2"], "kernel1_kernel2")]
)
def test_combined_kernels_fill_a_template_together(run: Run, colours: Array, kernels: list[str], label: str) -> None:
    words = [word for kernel in kernels for word in ("-k", kernel)]
    run("convolve", "colours.png", *words, "--combine", "max", "-o", "{kernel}.png", "-q")
    assert load(f"{label}.png").shape[2] == colours.shape[2]


def test_format_gives_files_in_a_folder_their_suffix(run: Run, three: dict[str, Array]) -> None:
    run("pool", "--size", "1", *three, "-o", "out/", "--format", "npy")
    assert files(Path("out")) == {"a.npy", "b.npy", "c.npy"}
    assert np.array_equal(np.load("out/b.npy"), three["b.png"])
    run("pool", "--size", "1", "a.png", "-o", "out/{stem}{ext}", "--format", "bmp")
    assert np.array_equal(load("out/a.bmp"), three["a.png"])


@EVERY_COMMAND
def test_dry_run_lists_inputs_and_outputs_and_does_nothing(
    run: Run, folder: Path, three: dict[str, Array], command: tuple[str, ...]
) -> None:
    result = run(*command, *three, "-o", "out/", "--dry-run")
    assert result.stdout.splitlines() == [f"{name} 21x26x3 -> out/{name} 21x26x3" for name in three]
    assert files(folder) == set(three)
    assert not Path("out").exists()


@EVERY_COMMAND
def test_no_clobber_passes_over_what_exists(run: Run, three: dict[str, Array], command: tuple[str, ...]) -> None:
    Path("out").mkdir()
    Path("out/b.png").write_text("precious")
    result = run(*command, *three, "-o", "out/", "--no-clobber")
    assert Path("out/b.png").read_text() == "precious"
    assert files(Path("out")) == set(three)
    assert np.array_equal(load("out/c.png"), three["c.png"])
    assert result.output == ""
    assert "b.png: skipped" in run(*command, *three, "-o", "out/", "--no-clobber", "-v").stderr
    run(*command, *three, "-o", "out/")
    assert np.array_equal(load("out/b.png"), three["b.png"])


@EVERY_COMMAND
def test_fail_fast_stops_at_the_first_failure(run: Run, three: dict[str, Array], command: tuple[str, ...]) -> None:
    Path("b.png").write_text("no picture")
    result = run(*command, *three, "-o", "out/", "--fail-fast", "-j", "1", status=1)
    assert files(Path("out")) == {"a.png"}
    failure, counts = result.stderr.splitlines()
    assert failure.startswith("cnnfilter: b.png: a text, not an image")
    assert counts == "cnnfilter: 1 of 3 inputs failed; 1 was not started"


@EVERY_COMMAND
@pytest.mark.parametrize("output", [(), ("-o", "."), ("-o", "{name}")])
def test_in_place_replaces_each_input_by_its_result(
    run: Run, folder: Path, three: dict[str, Array], command: tuple[str, ...], output: tuple[str, ...]
) -> None:
    extra = {"convolve": ("--bias", "1"), "pool": (), "pipeline": ()}[command[0]]
    Path("a.png").chmod(0o640)
    run(*command, *extra, *three, "--in-place", *output, "-q")
    assert files(folder) == set(three)
    assert Path("a.png").stat().st_mode & 0o777 == 0o640
    for name, pixels in three.items():
        assert np.array_equal(load(name), np.minimum(pixels.astype(int) + bool(extra), 255))


def test_in_place_replaces_matrices_too(run: Run, folder: Path) -> None:
    (folder / "m.txt").write_text(MATRIX)
    result = run("pool", "m.txt", "--in-place", "--size", "3")
    assert (folder / "m.txt").read_text() == "9\n"
    assert result.output == ""


def test_the_quality_is_that_of_jpeg_and_webp(run: Run, photo: Path) -> None:
    for suffix in ("jpg", "webp"):
        sizes = []
        for quality in (10, 60, 95):
            run("pool", photo, "-o", f"q{quality}.{suffix}", "--quality", quality)
            sizes.append(Path(f"q{quality}.{suffix}").stat().st_size)
        assert sizes == sorted(set(sizes))
        run("pool", photo, "-o", f"usual.{suffix}")
        assert Path(f"usual.{suffix}").read_bytes() == Path(f"q95.{suffix}").read_bytes()


def test_the_compression_of_png_changes_its_size_and_no_pixel(run: Run, samples: Path) -> None:
    for level in (0, 9):
        run("pool", samples / "city.png", "-o", f"{level}.png", "--compression", level)
    assert Path("9.png").stat().st_size < Path("0.png").stat().st_size / 2
    assert np.array_equal(load("9.png"), load("0.png"))


def test_allow_truncated_takes_the_part_of_a_jpeg_that_is_there(run: Run, folder: Path, photo: Path) -> None:
    whole = photo.read_bytes()
    (folder / "half.jpg").write_bytes(whole[: len(whole) // 2])
    result = run("pool", "half.jpg", "--size", 1, "-o", "out.png", status=1)
    assert "--allow-truncated" in result.stderr
    assert not Path("out.png").exists()
    run("pool", "half.jpg", "--size", 1, "-o", "out.png", "--allow-truncated")
    stored = load("out.png")
    assert stored.shape == (600, 512, 3)
    assert np.array_equal(stored[:200], load(photo)[:200])
    assert not np.array_equal(stored[-100:], load(photo)[-100:])


NAMES = ["a space.txt", "-.txt", "größe.txt", "#1.txt", "50%.txt", os.fsdecode(b"caf\xe9.txt")]


@pytest.mark.parametrize("name", NAMES, ids=["space", "minus", "umlaut", "hash", "percent", "latin-1"])
def test_the_names_of_inputs_are_any_that_the_system_allows(run: Run, folder: Path, name: str) -> None:
    (folder / name).write_text(MATRIX)
    source = f"./{name}"
    assert run("pool", source, "--size", "1").stdout == MATRIX
    run("pool", source, "--size", "1", "-o", "out/", "-v")
    assert (folder / "out" / name).read_text() == MATRIX
    titled = run("pool", source, source, "--size", "1").stdout_bytes
    assert titled.count(MATRIX.encode()) == 2
    assert titled.count(b"# ./" + os.fsencode(name)) == 2


def test_a_quality_that_no_output_takes_is_said_once(run: Run, three: dict[str, Array]) -> None:
    result = run("pool", *three, "-o", "out/", "--quality", "30")
    assert result.stderr.count("--quality is for JPEG, WebP, AVIF, and changes nothing in PNG") == 1
    assert run("pool", "a.png", "-o", "all/x.jpg", "--quality", "30", status=2).stderr.count("no such folder") == 1
    assert "--compression is for PNG" in run("pool", "a.png", "-o", "x.jpg", "--compression", "3").stderr
    assert run("pool", "a.png", "-o", "x.webp", "--quality", "3").stderr == ""


def test_what_was_taken_of_a_damaged_jpeg_brings_a_warning(run: Run, folder: Path, photo: Path) -> None:
    (folder / "half.jpg").write_bytes(photo.read_bytes()[:20_000])
    result = run("pool", "half.jpg", "-o", "out.png", "--allow-truncated")
    assert result.stderr == (
        "cnnfilter: warning: half.jpg: the JPEG is cut off or damaged, and what is left was used\n"
    )


@pytest.mark.usefixtures("colours")
def test_a_name_cannot_lead_out_of_the_folder_of_a_template(run: Run, folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "colours.png").rename("...png")
    result = run("pool", "...png", "-o", "out/{stem}/x.png", status=2)
    assert "leads out of the folder" in result.stderr
    assert not (folder / "x.png").exists()
    run("pool", "...png", "-o", "out/../{index}.png")
    assert (folder / "1.png").exists()


@pytest.mark.usefixtures("colours")
def test_a_pipe_is_not_replaced_and_a_link_to_a_device_neither(run: Run, folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    (folder / "device.png").symlink_to("/dev/null")
    for name in ("pipe.png", "device.png"):
        assert "is not a regular file" in run("pool", "colours.png", "-o", name, status=2).stderr
    assert (folder / "pipe.png").is_fifo()
    assert (folder / "device.png").is_symlink()


@pytest.mark.usefixtures("colours")
def test_a_map_of_a_layer_replaces_no_device_either(run: Run, folder: Path) -> None:
    (folder / "colours-c-01.png").symlink_to("/dev/null")
    network = "conv:sobel-x,sobel-y@c"
    result = run("pipeline", network, "colours.png", "--save", "c", "-o", "./", "-q", status=1)
    assert "colours-c-01.png: is not a regular file" in result.stderr


def test_a_link_is_replaced_and_what_it_leads_to_is_not(run: Run, folder: Path, colours: Array) -> None:
    run("pool", "colours.png", "-o", "other.png")
    before = (folder / "other.png").read_bytes()
    (folder / "link.png").symlink_to("other.png")
    run("pool", "colours.png", "--size", "5", "-o", "link.png")
    assert (folder / "other.png").read_bytes() == before
    assert not (folder / "link.png").is_symlink()
    assert load("link.png").shape == (colours.shape[0] // 5, colours.shape[1] // 5, 3)


@EVERY_COMMAND
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_folders_of_a_template_are_made_and_a_dry_run_makes_none(
    run: Run, three: dict[str, Array], command: tuple[str, ...], jobs: str
) -> None:
    words = (*command, *three, "-o", "new/{parent}/deep/{stem}-x.png", "-j", jobs)
    run(*words, "--dry-run")
    assert not Path("new").exists()
    run(*words)
    assert files(Path("new")) == {f"deep/{name[0]}-x.png" for name in three}


def test_a_folder_that_cannot_be_made_is_a_usage_error_before_any_work(run: Run, three: dict[str, Array]) -> None:
    (Path("link")).symlink_to("nowhere")
    result = run("pool", *three, "-o", "{parent}/link/{stem}.png", status=2)
    assert "link: " in result.stderr
    assert files(Path()) == set(three)


def test_results_lie_beside_their_inputs(run: Run, three: dict[str, Array]) -> None:
    Path("sub").mkdir()
    Path("a.png").rename("sub/a.png")
    run("pool", "sub/a.png", "b.png", "--size", "1", "-o", "{parent}/{stem}-x.png")
    assert np.array_equal(load("sub/a-x.png"), three["a.png"])
    assert np.array_equal(load("b-x.png"), three["b.png"])


@pytest.mark.parametrize(
    ("kernel", "target"), [("identity:1", "out.pgm"), ("identity:3", "out.jp2"), ("bank.npy", "out.png")]
)
def test_a_dry_run_refuses_the_shapes_that_the_run_refuses(run: Run, folder: Path, kernel: str, target: str) -> None:
    np.save(folder / "bank.npy", np.ones((1, 1, 3, 5)))
    Image.new("RGB", (40, 33), "red").save(folder / "red.png")
    words = "convolve", "red.png", "-k", kernel, "-o", target
    done, rehearsed = run(*words, status=1), run(*words, "--dry-run", status=1)
    assert done.stderr == rehearsed.stderr != ""
    assert rehearsed.stdout == ""


@pytest.mark.parametrize(("target", "most"), [("out.gif", 65535), ("out.webp", 16383)])
def test_a_dry_run_refuses_the_sides_that_are_too_long(run: Run, folder: Path, target: str, most: int) -> None:
    Image.new("L", (65_540, 3)).save(folder / "wide.png")
    words = "convolve", "wide.png", "-k", "1", "-o", target
    done, rehearsed = run(*words, status=1), run(*words, "--dry-run", status=1)
    assert done.stderr == rehearsed.stderr
    assert f"holds {most} pixels on each side at most, and the result is 3x65540" in done.stderr
