"""Zarr arrays: filtered chunk by chunk, here and on a cluster, to the bits of the whole."""

import json
import os
import shutil
import signal
import time
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import cnnfilter
from cnnfilter.arrays import Array
from cnnfilter.cli import main

zarr = pytest.importorskip("zarr")

pytestmark = pytest.mark.filterwarnings("ignore")  # zarr and Dask warn of what does not concern us


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def make_pixels(dtype: str, shape: tuple[int, ...]) -> Array:
    generator = np.random.default_rng(5)
    if dtype.startswith("u"):
        return generator.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    return generator.normal(size=shape).astype(dtype)


def write(path: Path | str, pixels: Array, chunks: tuple[int, int], version: int = 3) -> str:
    """Write an array, and return its name."""
    array = zarr.create_array(
        str(path), shape=pixels.shape, dtype=pixels.dtype, chunks=(*chunks, *pixels.shape[2:]), zarr_format=version
    )
    array[:] = pixels
    return str(path)


def read(path: Path | str) -> Any:
    return zarr.open_array(str(path), mode="r")[:]


def equal(left: Array, right: Array) -> bool:
    """Return whether two arrays have the same type, shape and bits."""
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()


KERNELS = {
    "direct": ("sharpen", {}, []),
    "separable": ("gaussian:31", {"border": "reflect"}, ["--border", "reflect"]),
    "boxes": ("box:9", {"border": "edge"}, ["--border", "edge"]),
    "sheared": ("line-diagonal:25", {}, []),
    "dense": ("disk:9", {"border": "wrap", "stride": 2}, ["--border", "wrap", "-s", "2"]),
    "fourier": ("disk:17", {"padding": 3}, ["-p", "3"]),
}
TYPES = {"uint8": (101, 93, 3), "uint16": (101, 93), "float32": (101, 93, 3), "float64": (101, 93)}
CHUNKS = {"chunks that do not divide": (40, 64), "chunks smaller than kernels": (24, 14)}


CASES = [
    (name, [*TYPES][(place + number) % len(TYPES)], chunks)
    for number, chunks in enumerate(CHUNKS)
    for place, name in enumerate(KERNELS)
]


@pytest.mark.parametrize(("name", "dtype", "chunks"), CASES)
def test_an_array_gets_the_bits_of_the_whole_for_every_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, dtype: str, chunks: str
) -> None:
    monkeypatch.setattr("cnnfilter.run.chunks._VALUES", 1)  # chunk by chunk, be they ever so small
    kernel, keywords, options = KERNELS[name]
    pixels = make_pixels(dtype, TYPES[dtype])
    source = write(tmp_path / "in.zarr", pixels, CHUNKS[chunks], version=2 if "smaller" in chunks else 3)
    done = run("convolve", source, "-k", kernel, *options, "-q", "-o", str(tmp_path / "out.zarr"))
    assert done.exit_code == 0, done.stderr
    assert equal(read(tmp_path / "out.zarr"), cnnfilter.convolve(pixels, kernel, **keywords))  # type: ignore[arg-type]


def test_64_megapixels_are_filtered_part_by_part(tmp_path: Path) -> None:
    pixels = np.zeros((8000, 8000), np.uint8)
    for row, column in ((0, 0), (2950, 2050), (5990, 4100), (7900, 7950)):  # at edges, and where chunks meet
        pixels[row : row + 100, column : column + 100] = make_pixels("uint8", (100, 100))[: 8000 - row, : 8000 - column]
    source = write(tmp_path / "in.zarr", pixels, (3000, 2100))
    options = ["-k", "gaussian:15:2.5", "--border", "edge", "-q", "-o", str(tmp_path / "out.zarr")]
    assert run("convolve", source, *options).exit_code == 0
    assert equal(read(tmp_path / "out.zarr"), cnnfilter.convolve(pixels, "gaussian:15:2.5", border="edge"))


def test_the_result_is_version_3_with_the_chunks_of_the_source_and_complete(tmp_path: Path) -> None:
    source = write(tmp_path / "in.zarr", make_pixels("uint8", (60, 50)), (16, 20), version=2)
    assert run("convolve", source, "-k", "sharpen", "-q", "-o", str(tmp_path / "out.zarr")).exit_code == 0
    made = zarr.open_array(str(tmp_path / "out.zarr"), mode="r")
    assert (made.shape, made.chunks, made.dtype) == ((58, 48), (16, 20), np.float32)
    assert made.metadata.zarr_format == 3
    assert made.attrs["complete"] is True


def test_pools_and_networks_take_arrays(tmp_path: Path) -> None:
    pixels = make_pixels("uint8", (64, 48, 3))
    source = write(tmp_path / "in.zarr", pixels, (16, 16))
    network = "gray conv:gaussian:5,same,border=edge relu conv:sobel-x abs maxpool:2"
    commands = {
        "pool": (["pool", source, "-m", "avg", "--size", "3"], cnnfilter.pool(pixels, 3, mode="avg")),
        "median": (
            ["pool", source, "-m", "median", "--size", "3", "-s", "1"],
            cnnfilter.pool(pixels, 3, mode="median", stride=1),
        ),
        "network": (["pipeline", network, source], cnnfilter.network(network).run(pixels)),
        "whole": (["pipeline", "gray equalize", source], cnnfilter.network("gray equalize").run(pixels)),
    }
    for name, (command, expected) in commands.items():
        done = run(*command, "-q", "-o", str(tmp_path / f"{name}.zarr"))
        assert done.exit_code == 0, done.stderr
        made = read(tmp_path / f"{name}.zarr")
        assert equal(made, expected.astype(made.dtype)), name
        assert made.dtype == np.float32


def test_levels_ranges_and_their_warnings_are_those_of_images(tmp_path: Path, samples: Path) -> None:
    pixels = cnnfilter.read_image(samples / "city.png")
    cnnfilter.write_image(tmp_path / "in.png", pixels)
    source = write(tmp_path / "in.zarr", pixels, (100, 130))
    for number, options in enumerate((["--range", "scale"], ["--range", "abs"], ["--range", "offset"], [])):
        command = ["-k", "laplacian-8", "--depth", "8", *options]
        of_array = run("convolve", source, *command, "-o", str(tmp_path / f"{number}.zarr"))
        of_image = run("convolve", str(tmp_path / "in.png"), *command, "-o", str(tmp_path / f"{number}.png"))
        assert of_array.exit_code == of_image.exit_code == 0, of_array.stderr
        assert equal(read(tmp_path / f"{number}.zarr"), cnnfilter.read_image(tmp_path / f"{number}.png"))
        assert of_array.stderr == of_image.stderr.replace("in.png", "in.zarr")


def test_an_address_holds_arrays_too(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    pixels = make_pixels("float32", (40, 30))
    write("memory://arrays/in.zarr", pixels, (16, 16))
    done = run("convolve", "memory://arrays/in.zarr", "-k", "sharpen", "-q", "-o", "memory://arrays/out.zarr")
    assert done.exit_code == 0, done.stderr
    assert equal(read("memory://arrays/out.zarr"), cnnfilter.convolve(pixels, "sharpen"))
    fsspec.filesystem("memory").store.clear()
    assert not list(tmp_path.iterdir())


def test_several_kernels_reports_and_dry_runs(tmp_path: Path) -> None:
    source = write(tmp_path / "in.zarr", make_pixels("uint8", (40, 30)), (16, 16))
    command = ["convolve", source, "-k", "sharpen,emboss", "-o", str(tmp_path / "out") + "/"]
    lines = run(*command, "--dry-run").stdout.splitlines()
    assert lines == [f"{source} 40x30 -> {tmp_path}/out/in-{name}.zarr 38x28" for name in ("sharpen", "emboss")]
    assert not (tmp_path / "out").exists()
    record = json.loads(run(*command, "--report", "-").stdout)
    assert [output["size"] for output in record["outputs"]] == [[38, 28], [38, 28]]
    assert record["engines"] == ["direct in float32"]
    skipped = json.loads(run(*command, "--report", "-", "--no-clobber").stdout)["skipped"]
    assert len(skipped) == 2


def test_an_array_that_was_not_finished_is_not_read(tmp_path: Path) -> None:
    source = write(tmp_path / "in.zarr", make_pixels("uint8", (40, 30)), (16, 16))
    zarr.open_array(source, mode="r+").attrs["complete"] = False
    done = run("pool", source, "-o", str(tmp_path / "out.zarr"))
    assert done.stderr == f"cnnfilter: {source}: is not complete: the command that wrote it was interrupted\n"
    assert done.exit_code == 1


def test_a_damaged_chunk_fails_its_array_which_stays_incomplete(tmp_path: Path) -> None:
    source = write(tmp_path / "in.zarr", make_pixels("uint8", (40, 30)), (16, 16))
    (tmp_path / "in.zarr" / "c" / "1" / "1").write_bytes(b"damaged")
    done = run("pool", source, "-o", str(tmp_path / "out.zarr"))
    assert done.exit_code == 1
    assert done.stderr.startswith(f"cnnfilter: {source}: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["in.zarr"], 2, "in.zarr: an array needs an output: -o FILE.zarr or -o FOLDER/"),
        (["in.zarr", "-o", "out.png"], 2, "out.png: the result of a .zarr goes into a .zarr"),
        (["in.zarr", "in.png", "-o", "out/"], 2, "in.png: is not a .zarr, and in.zarr is one"),
        (["in.png", "-o", "out.zarr"], 2, "out.zarr: a .zarr is made of a .zarr"),
        (["in.zarr", "-o", "out.zarr", "--update"], 2, "--update compares times, and a .zarr keeps none"),
        (["in.zarr", "-o", "out.zarr", "--region", "0:5,0:5"], 2, "--region takes images"),
        (["in.zarr", "-o", "in.zarr"], 2, "in.zarr: the output is the input in.zarr"),
        (["in.zarr", "-o", "folder.zarr"], 2, "folder.zarr: is a folder"),
        (["in.zarr", "-o", "in.zarr/"], 2, "in.zarr/in.zarr: the output is inside the input in.zarr"),
        (["in.zarr", "-o", "in.zarr/out.zarr"], 2, "in.zarr/out.zarr: the output is inside the input in.zarr"),
        (["in.zarr", "-o", "group.zarr"], 1, "group.zarr: is a group of arrays, which would be lost"),
        (["group.zarr", "-o", "out.zarr"], 1, "group.zarr: is a group of arrays; name one of them: group.zarr/0"),
        (["group.zarr/0", "-o", "group.zarr"], 2, "group.zarr: the output holds the input group.zarr/0"),
        (["none.zarr", "-o", "out.zarr"], 1, "none.zarr: No such file or directory"),
        (["folder.zarr", "-o", "out.zarr"], 1, "folder.zarr: holds no Zarr array"),
        (["cube.zarr", "-o", "out.zarr"], 1, "cube.zarr: uint8 of shape (3, 4, 5, 6); arrays are (H, W) or (H, W, C)"),
        (["complex.zarr", "-o", "out.zarr"], 1, "complex.zarr: complex64 of shape (4, 4); arrays hold real numbers"),
        (["tiny.zarr", "-o", "out.zarr"], 1, "tiny.zarr: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_with_arrays_are_a_line(
    tmp_path: Path, samples: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], status: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write("in.zarr", make_pixels("uint8", (40, 30)), (16, 16))
    write("tiny.zarr", make_pixels("uint8", (2, 2)), (2, 2))
    zarr.create_array("cube.zarr", shape=(3, 4, 5, 6), dtype="uint8")
    zarr.create_array("complex.zarr", shape=(4, 4), dtype="complex64")
    zarr.open_group("group.zarr", mode="w").create_array("0", shape=(9, 8), dtype="uint8")
    Path("folder.zarr").mkdir()
    Path("folder.zarr/precious.txt").write_text("not an array")
    shutil.copy(samples / "sprite.png", "in.png")
    done = run("convolve", *arguments, "-k", "sharpen", "-q")
    assert (done.exit_code, message in done.stderr) == (status, True), done.stderr
    assert Path("folder.zarr/precious.txt").exists()
    assert not Path("out.zarr").exists()
    assert Path("group.zarr/0").exists()


def test_an_array_in_a_group_is_named_by_its_path(tmp_path: Path) -> None:
    pixels = make_pixels("uint8", (20, 30))
    group = zarr.open_group(str(tmp_path / "slide.zarr"), mode="w")
    group.create_array("0", data=pixels, chunks=(16, 16))
    for output, made in (("half.zarr", "half.zarr"), ("out/", "out/0.zarr"), ("slide.zarr/1", "slide.zarr/1")):
        done = run("pool", str(tmp_path / "slide.zarr" / "0"), "-m", "avg", "-q", "-o", f"{tmp_path}/{output}")
        assert done.exit_code == 0, done.stderr
        assert equal(read(tmp_path / made), cnnfilter.pool(pixels, 2, mode="avg").astype(np.float32))


@pytest.mark.parametrize(
    ("stored", "options"),
    [
        ("<u2", {"zarr_format": 2, "order": "F", "chunks": (9, 5)}),
        (">u2", {"zarr_format": 2, "chunks": (1, 30)}),
        (">f4", {"chunks": (20, 1)}),
        ("u1", {"chunks": (4, 4), "shards": (8, 16)}),
        ("i8", {"chunks": (7, 7)}),
        ("?", {"chunks": (7, 7)}),
        ("f2", {"chunks": (7, 7), "compressors": None}),
    ],
)
def test_what_is_stored_in_other_ways_has_the_same_values(tmp_path: Path, stored: str, options: dict[str, Any]) -> None:
    pixels = make_pixels("uint8", (20, 30)).astype(stored)
    array = zarr.create_array(
        str(tmp_path / "in.zarr"), shape=(29, 30), dtype=pixels.dtype, fill_value=1, **options
    )  # of which nine rows are not written
    array[:20] = pixels
    whole = np.vstack([pixels, np.ones((9, 30), stored)])
    done = run("convolve", str(tmp_path / "in.zarr"), "-k", "gaussian:5", "-q", "-o", str(tmp_path / "out.zarr"))
    assert done.exit_code == 0, done.stderr
    native = whole.dtype.newbyteorder("=")
    kept = native if native.str[1:] in {"u1", "u2", "f4"} else np.float64
    expected = cnnfilter.convolve(whole.astype(kept), "gaussian:5")
    assert read(tmp_path / "out.zarr").tobytes() == expected.astype(read(tmp_path / "out.zarr").dtype).tobytes()


def test_other_commands_and_the_library_say_that_an_array_is_a_folder(tmp_path: Path) -> None:
    source = write(tmp_path / "in.zarr", make_pixels("uint8", (40, 30)), (16, 16))
    with pytest.raises(cnnfilter.ImageFileError, match="Is a directory"):
        cnnfilter.read_image(source)
    with pytest.raises(cnnfilter.CnnFilterError, match="Zarr is not an image format"):
        cnnfilter.write_image(tmp_path / "out.zarr", make_pixels("uint8", (4, 3)))


@pytest.mark.parametrize("dtype", TYPES)
def test_a_cluster_gives_the_bits_of_one_machine(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    monkeypatch.setattr("cnnfilter.run.chunks._VALUES", 1)
    monkeypatch.chdir(tmp_path)
    pixels = make_pixels(dtype, TYPES[dtype])
    write("in.zarr", pixels, (40, 64))
    kernels = [kernel for kernel, _, _ in KERNELS.values()]
    command = ["convolve", "in.zarr", "-k", ",".join(kernels), "--border", "reflect", "-q", "-o", "out/"]
    done = run(*command, "--cluster", cluster.scheduler_address)
    assert done.exit_code == 0, done.stderr
    for kernel in kernels:
        name = kernel.replace(":", "_")
        assert equal(read(f"out/in-{name}.zarr"), cnnfilter.convolve(pixels, kernel, border="reflect")), kernel


def test_a_worker_that_is_killed_costs_no_chunk(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnfilter.run.chunks._VALUES", 1)
    pixels = make_pixels("uint8", (1200, 1200))
    source, target = write(tmp_path / "in.zarr", pixels, (100, 100)), tmp_path / "out.zarr"

    def kill_a_worker() -> None:
        while len(list(target.glob("c/*/*"))) < 10:
            time.sleep(0.005)
        os.kill(next(iter(cluster.workers.values())).process.pid, signal.SIGKILL)

    killer = Thread(target=kill_a_worker)
    killer.start()
    done = run("convolve", source, "-k", "gaussian:9", "-q", "-o", str(target), "--cluster", cluster.scheduler_address)
    killer.join()
    assert (done.exit_code, done.stderr) == (0, "")
    assert equal(read(target), cnnfilter.convolve(pixels, "gaussian:9"))
