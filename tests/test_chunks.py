"""Zarr arrays: filtered chunk by chunk, here and on a cluster, to the bits of the whole; from files and into files."""

import json
import os
import shlex
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
from cnnfilter.io import zarr_arrays
from cnnfilter.learn.augment import augment, make_generator
from cnnfilter.learn.steps import parse_steps
from tests.conftest import ROOT

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


NETWORKS = {
    "bank": ("uint8", "conv:sobel-x,laplacian-8,box:3,same conv:3x3,4 relu conv:3x3,2"),
    "block": ("float32", "res(dwconv:gaussian:9,border=reflect|abs) maxpool:3,s2"),
    "strides": ("uint16", "gray conv:sobel-x,sobel-y magnitude avgpool:2 dwconv:line-diagonal:7,s2,same"),
    "pools": ("float64", "medianpool:3,s1,p1 l2pool:2 minpool:2"),
    "small": ("uint8", "avgpool:9 dwconv:box:3"),
    "single": ("float32", "maxpool:50,s43"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_an_array_gets_the_bits_of_the_whole_for_networks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("cnnfilter.run.chunks._VALUES", 1)
    monkeypatch.setattr("cnnfilter.run.chunks._MOST_READ", 1500)
    dtype, network = NETWORKS[name]
    pixels = make_pixels(dtype, TYPES[dtype])
    source, weights = write(tmp_path / "in.zarr", pixels, (40, 31)), str(tmp_path / "weights.npz")
    learned = ["--weights", weights] if name == "bank" else []
    if learned:
        assert run("export", network, "--init", "he", "--input", "101x93x3", "-o", weights).exit_code == 0
    done = run("pipeline", network, source, *learned, "-q", "-o", str(tmp_path / "out.zarr"))
    assert done.exit_code == 0, done.stderr
    made = read(tmp_path / "out.zarr")
    assert equal(made, cnnfilter.network(network).run(pixels, weights if learned else None).astype(made.dtype))


REGIONS = {
    "direct": (["convolve", "-k", "sharpen"], "3:70,41:-2"),
    "separable": (["convolve", "-k", "gaussian:31", "--border", "reflect"], "0:2,:"),
    "boxes": (["convolve", "-k", "box:9", "--border", "wrap", "-s", "2"], "17:18,30:31"),
    "fourier": (["convolve", "-k", "disk:17", "--range", "scale", "--depth", "8"], "20:70,11:50"),
    "pool": (["pool", "-m", "median", "--size", "3"], "-1:,:5"),
    "whole": (["pipeline", "gray equalize"], "4:9,20:90"),
}


@pytest.mark.parametrize("name", REGIONS)
def test_a_region_of_an_array_is_the_slice_of_the_whole(tmp_path: Path, name: str) -> None:
    words, region = REGIONS[name]
    pixels = make_pixels("uint16", (101, 93, 3))
    source = write(tmp_path / "in.zarr", pixels, (24, 14))
    run(*words, source, "-q", "-o", str(tmp_path / "whole.zarr"))
    whole = read(tmp_path / "whole.zarr")
    rows, columns = (slice(*(int(end) if end else None for end in ends.split(":"))) for ends in region.split(","))
    for suffix in ("zarr", "npy", "tif"):
        done = run(*words, source, "-q", "--region", region, "-o", str(tmp_path / f"part.{suffix}"))
        assert done.exit_code == 0, done.stderr
    assert equal(read(tmp_path / "part.zarr"), whole[rows, columns])
    assert equal(np.load(tmp_path / "part.npy"), whole[rows, columns])
    levels = whole if whole.dtype == np.uint8 else np.clip(np.rint(whole), 0, 65535).astype(np.uint16)
    assert equal(cnnfilter.read_image(tmp_path / "part.tif"), levels[rows, columns])


def test_a_region_reads_the_chunks_that_it_needs_and_no_others(tmp_path: Path) -> None:
    pixels = make_pixels("uint8", (90, 90))
    source = write(tmp_path / "in.zarr", pixels, (30, 30))
    for damaged in ("0/0", "2/0", "2/1", "2/2", "0/2", "1/2"):
        (tmp_path / "in.zarr" / "c" / damaged).write_bytes(b"damaged")
    done = run("convolve", source, "-k", "box:5", "-p", "2", "--region", "28:58,2:58")
    assert done.exit_code == 1  # its window needs rows of the chunk at 0, 0
    done = run("convolve", source, "-k", "box:5", "-p", "2", "--region", "32:58,2:58")
    assert done.exit_code == 0, done.stderr
    printed = np.array([line.split() for line in done.stdout.splitlines()], float)
    np.testing.assert_allclose(printed, cnnfilter.convolve(pixels, "box:5", padding=2)[32:58, 2:58], rtol=1e-6)


PICTURES = {
    "photo": ("city.png", ["convolve", "-k", "sharpen"]),
    "alpha": ("sprite.png", ["convolve", "-k", "gaussian:5", "--border", "edge"]),
    "pool": ("city.png", ["pool", "-m", "avg", "--size", "3"]),
    "network": ("city.png", ["pipeline", "gray conv:sobel-x,sobel-y magnitude"]),
    "matrix": ("pool-4x4.txt", ["convolve", "-k", "1 2; 3 4"]),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_file_goes_into_an_array_as_into_npy_and_back_as_npy_does(tmp_path: Path, samples: Path, name: str) -> None:
    file, words = PICTURES[name]
    for suffix in ("zarr", "npy"):
        done = run(*words, str(samples / file), "-q", "-o", str(tmp_path / f"a.{suffix}"))
        assert done.exit_code == 0, done.stderr
        back = str(tmp_path / f"a.{suffix}")
        run("convolve", back, "-k", "identity:1", "-q", "-o", str(tmp_path / f"{suffix}.png"), "--depth", "16")
        run("convolve", back, "-k", "identity:1", "-q", "-o", str(tmp_path / f"{suffix}.tif"), "--range", "none")
    assert equal(read(tmp_path / "a.zarr"), np.load(tmp_path / "a.npy"))
    assert zarr.open_array(str(tmp_path / "a.zarr"), mode="r").attrs["complete"] is True
    for suffix in ("png", "tif"):
        there, here = (cnnfilter.read_image(tmp_path / f"{kind}.{suffix}") for kind in ("zarr", "npy"))
        np.testing.assert_array_equal(there, here)


def test_levels_that_went_through_an_array_are_those_that_did_not(tmp_path: Path, samples: Path) -> None:
    photo, array, deep = str(samples / "city.png"), str(tmp_path / "a.zarr"), str(tmp_path / "deep.tif")
    cnnfilter.write_image(deep, make_pixels("uint16", (40, 30, 3)))
    for source, depth in ((photo, "8"), (deep, "16")):
        for kind in (["--depth", depth], []):  # as levels, and as floats
            run("convolve", source, "-k", "emboss", *kind, "-q", "-o", array)
            words = ["-k", "identity:1", "-q", "-o", str(tmp_path / "there.png"), "--depth", depth]
            assert run("convolve", array, *words).exit_code == 0
            run("convolve", source, "-k", "emboss", "-q", "-o", str(tmp_path / "here.png"))
            pair = [cnnfilter.read_image(tmp_path / f"{name}.png") for name in ("there", "here")]
            assert equal(*pair)


def test_a_new_array_has_chunks_of_1024_pixels_and_all_channels(tmp_path: Path) -> None:
    cnnfilter.write_image(tmp_path / "in.png", np.zeros((1100, 30, 3), np.uint8))
    folder = str(tmp_path / "out") + "/"
    assert run("pool", str(tmp_path / "in.png"), "--size", "1", "--format", "zarr", "-o", folder).exit_code == 0
    made = zarr.open_array(str(tmp_path / "out" / "in.zarr"), mode="r")
    assert (made.shape, made.chunks, made.dtype) == ((1100, 30, 3), (1024, 30, 3), np.float32)


def test_an_array_whose_channels_seem_to_come_first_brings_a_warning(tmp_path: Path) -> None:
    source = write(tmp_path / "in.zarr", np.zeros((3, 40, 50), np.uint8), (3, 40))
    for command in (["convolve", source, "-k", "sharpen"], ["augment", "flip", source]):
        done = run(*command, "-o", str(tmp_path / command[0]) + "/")
        assert "shape (3, 40, 50) is read as 3 rows and 40 columns of 50 channels" in done.stderr


@pytest.mark.parametrize("target", ["out.zarr", "out.npy"])
def test_a_pool_reads_a_little_of_a_large_array_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    source = write(tmp_path / "in.zarr", np.zeros((6000, 5000), np.uint8), (1000, 1000))
    read_sizes: list[int] = []

    def read_part(*given: Any) -> Any:
        part = zarr_arrays.read_part(*given)
        read_sizes.append(part.size)
        return part

    monkeypatch.setattr("cnnfilter.run.chunks.read_part", read_part)
    monkeypatch.setattr("cnnfilter.run.chunks._MOST_READ", 1 << 21)
    assert run("pool", source, "--size", "10", "-o", str(tmp_path / target)).exit_code == 0
    assert sum(read_sizes) - 6000 * 5000 in {0, 10 * 10}  # of several areas a corner gives the type of the result
    assert max(read_sizes) <= (1 << 21 if target == "out.zarr" else 1 << 22)


def test_floats_from_0_to_1_are_said_to_become_black(tmp_path: Path) -> None:
    fractions = np.linspace(0, 1, 900).reshape(30, 30)
    for number, (pixels, said) in enumerate(((fractions, True), (fractions * 255, False), (fractions - 0.5, False))):
        source = write(tmp_path / f"{number}.zarr", pixels, (16, 16))
        done = run("convolve", source, "-k", "identity:1", "--range", "clip", "-o", str(tmp_path / "out.png"))
        assert ("nearly black" in done.stderr) == said


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
    assert done.stderr.startswith(f"cnnfilter: {source}: the chunk 16:32,16:30 cannot be read: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out.zarr").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["in.zarr"], 2, "in.zarr: an array needs an output: -o FILE or -o FOLDER/"),
        (["in.zarr", "-o", "-"], 2, "standard output holds no .zarr"),
        (["in.zarr", "-o", "out.tmp", "--format", "zarr"], 2, "out.tmp: the name of a Zarr array ends in .zarr"),
        (["in.zarr", "in.png", "-o", "out/"], 2, "in.png: is not a .zarr, and in.zarr is one"),
        (["in.zarr", "-o", "out.zarr", "--update"], 2, "--update goes by times, and a .zarr keeps none"),
        (["in.png", "-o", "out.zarr", "--update"], 2, "--update goes by times, and a .zarr keeps none"),
        (["in.png", "-o", "out.zarr", "--depfile", "out.d"], 2, "--depfile goes by times"),
        (["in.zarr", "--in-place"], 2, "--in-place replaces files"),
        (["in.zarr", "-o", "out.png", "--plot", "figure.png"], 2, "--plot takes images; --region Y1:Y2,X1:X2"),
        (["in.zarr", "-o", "out.zarr", "--resize", "9x9"], 2, "in.zarr: --resize takes images"),
        (["in.zarr", "-o", "out.zarr", "--linear"], 2, "in.zarr: --linear takes images"),
        (["in.zarr", "-o", "out.png", "--region", "0:5,0:31"], 1, "the region 0:5,0:31 is outside the result"),
        (["in.zarr", "-o", "small.jp2", "--region", "0:5,0:5"], 1, "JPEG 2000 needs 32 pixels on each side"),
        (["wide.zarr", "-o", "out.jpg"], 1, "JPEG holds 65500 pixels on each side at most, and the result is 2x65600"),
        (["bands.zarr", "-o", "out.jpg"], 1, "out.jpg: JPEG holds no alpha"),
        (["five.zarr", "-o", "out.png"], 1, "an image file holds 1, 3 or 4 channels, and the result has 5"),
        (["rows.zarr", "-o", "group.zarr/0/1"], 1, "group.zarr/0/1: group.zarr/0 is an array, and holds no others"),
        (["in.zarr", "-o", "text.zarr"], 1, "text.zarr: is a file, and a .zarr is a folder; use another name"),
        (["in.zarr", "-o", "out.zar"], 2, "out.zar: unknown suffix '.zar'; nearest: .zarr"),
        (["line.zarr", "-o", "out.zarr"], 1, "line.zarr: uint8 of shape (9,); arrays are (H, W) or (H, W, C)"),
        (["pairs.zarr", "-o", "out.zarr"], 1, "of shape (4, 4); arrays hold real numbers"),
        (["in.png/0.zarr", "-o", "out.zarr"], 1, "in.png/0.zarr: "),
        (["in.png", "-o", "in.png/out.zarr"], 2, "in.png/out.zarr: no such folder: in.png"),
        (["in.zarr", "-o", "in.zarr"], 2, "in.zarr: the output is the input in.zarr; an array is read while"),
        (["in.zarr", "-o", "folder.zarr"], 2, "folder.zarr: is a folder"),
        (["in.zarr", "-o", "in.zarr/"], 2, "in.zarr: the output is the input in.zarr"),
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
    zarr.create_array("rows.zarr", shape=(3, 40, 50), dtype="uint8")
    zarr.create_array("line.zarr", shape=(9,), dtype="uint8")
    zarr.create_array("pairs.zarr", shape=(4, 4), dtype=[("a", "f4"), ("b", "i4")], zarr_format=2)
    zarr.create_array("wide.zarr", shape=(4, 65602), dtype="uint8")
    zarr.create_array("bands.zarr", shape=(4, 4, 4), dtype="uint8")
    zarr.create_array("five.zarr", shape=(4, 4, 5), dtype="uint8")
    zarr.open_group("group.zarr", mode="w").create_array("0", shape=(9, 8), dtype="uint8")
    Path("text.zarr").write_text("not an array")
    Path("folder.zarr").mkdir()
    Path("folder.zarr/precious.txt").write_text("not an array")
    shutil.copy(samples / "sprite.png", "in.png")
    done = run("convolve", *arguments, "-k", "sharpen", "-q")
    assert (done.exit_code, message in done.stderr) == (status, True), done.stderr
    assert Path("folder.zarr/precious.txt").exists()
    assert not [*Path().glob("out.*")]
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


STEPS = "crop:60x70 rotate:-15..15 noise:5 flip"


@pytest.mark.parametrize("options", [["-j", "1"], ["-j", "2"], ["--cluster"]], ids=" ".join)
def test_copies_of_arrays_are_those_of_images_in_the_type_of_the_array(
    cluster: Any, tmp_path: Path, options: list[str]
) -> None:
    images = {"a": make_pixels("uint8", (90, 80, 3)), "b": make_pixels("float64", (90, 80))}
    sources = [write(tmp_path / f"{name}.zarr", pixels, (32, 32)) for name, pixels in images.items()]
    options = [*options, cluster.scheduler_address] if "--cluster" in options else options
    done = run("augment", STEPS, *sources, "--copies", "2", "-q", "-o", str(tmp_path / "out") + "/", *options)
    assert done.exit_code == 0, done.stderr
    for name, pixels in images.items():
        for copy in (1, 2):
            generator = make_generator(0, f"{name}.zarr", copy)
            expected = augment(pixels, parse_steps(STEPS), generator, white=255.0)
            assert equal(read(tmp_path / "out" / f"{name}-{copy}.zarr"), expected)


def test_a_crop_that_comes_first_reads_no_other_part_of_an_array_and_of_its_mask(tmp_path: Path) -> None:
    pixels = make_pixels("uint8", (90, 90))
    (tmp_path / "masks").mkdir()
    for source in (tmp_path / "in.zarr", tmp_path / "masks" / "in.zarr"):
        write(source, pixels, (10, 10))
    words = ["augment", "crop:20x20 flip", str(tmp_path / "in.zarr"), "--copies", "3", "--report", "-"]
    words += ["--with", str(tmp_path / "masks"), "-o", f"{tmp_path}/out/{{stem}}-{{copy}}.png"]
    steps = [copy["steps"] for copy in json.loads(run(*words).stdout)["drawn"]]
    read_chunks = {
        f"{row // 10}/{column // 10}"
        for crop, *_ in steps
        for row in range(crop["top"], crop["top"] + 20)
        for column in range(crop["left"], crop["left"] + 20)
    }
    for chunk in tmp_path.glob("**/in.zarr/c/*/*"):
        if f"{chunk.parent.name}/{chunk.name}" not in read_chunks:
            chunk.write_bytes(b"damaged")
    shutil.rmtree(tmp_path / "out")
    assert run(*words).exit_code == 0
    for copy, (crop, *flips) in enumerate(steps, 1):
        expected = pixels[crop["top"] :, crop["left"] :][:20, :20][:, :: -1 if flips else 1]
        np.testing.assert_array_equal(cnnfilter.read_image(tmp_path / "out" / f"in-{copy}.png"), expected)
        assert equal(read(tmp_path / "out" / "masks" / f"in-{copy}.zarr"), expected)


def test_an_array_that_memory_does_not_hold_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zarr.create_array(str(tmp_path / "in.zarr"), shape=(300_000, 300_000), dtype="uint8", chunks=(5000, 5000))
    monkeypatch.chdir(tmp_path)
    for command, words in {
        "augment flip,p=1+crop:20x20 in.zarr -o out/": "its values need 772476 MB of memory, and 1 MB are free; steps",
        "convolve in.zarr -k sharpen -o out.tif": "a result of 299998x299998 values would need 171659 MB of memory",
        "pipeline equalize in.zarr -o out.zarr": "the network needs the whole array, which would need 2059936 MB",
    }.items():
        with monkeypatch.context() as little:
            little.setattr("cnnfilter.io.paths.free_memory", lambda: 1 << 20)
            done = run(*(word.replace("+", " ") for word in command.split()))
        assert done.exit_code == 1
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
    assert run("pool", "in.zarr", "--size", "2", "--region", "9:10,7:9").stdout == "0 0\n"


def test_the_page_on_scaling_shows_commands_with_arrays_that_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write("slide.zarr", np.zeros((5100, 3600), np.uint8), (2048, 2048))
    cnnfilter.write_image("scan.tif", make_pixels("uint8", (40, 30)))
    text = (ROOT / "cnnfilter" / "help" / "scaling.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("cnnfilter ") and ".zarr" in line]
    commands = [shlex.split(line) for line in lines if "tcp://" not in line]
    assert len(commands) == 5
    for command in commands:
        done = run(*command[1:])
        assert (done.exit_code, done.stderr) == (0, ""), command
    assert sorted(path.name for path in Path().iterdir()) == [
        *("crops", "overview.png", "part.png", "scan.tif", "scan.zarr", "slide.zarr", "soft.zarr")
    ]
    assert len([*Path("crops").iterdir()]) == 8


def test_other_commands_and_the_library_say_what_reads_arrays(tmp_path: Path) -> None:
    source = write(tmp_path / "in.zarr", make_pixels("uint8", (40, 30)), (16, 16))
    with pytest.raises(cnnfilter.ImageFileError, match="is an array; convolve, pool, pipeline and augment read it"):
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


def test_a_cluster_makes_files_of_arrays_and_arrays_of_files(
    cluster: Any, tmp_path: Path, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnfilter.run.chunks._VALUES", 1)
    monkeypatch.chdir(tmp_path)
    shutil.copy(samples / "city.png", "city.png")
    pixels = cnnfilter.read_image("city.png")
    write("city.zarr", pixels, (100, 130))
    words = ["convolve", "-k", "laplacian-8", "-q", "--cluster", cluster.scheduler_address]
    for options in (
        ["city.png", "-o", "made.zarr"],
        ["city.zarr", "-o", "made.png", "--range", "scale"],
        ["city.zarr", "-o", "part.zarr", "--region", "30:180,20:170"],
    ):
        done = run(*words, *options)
        assert done.exit_code == 0, done.stderr
    whole = cnnfilter.convolve(pixels, "laplacian-8")
    assert equal(read("made.zarr"), whole)
    assert equal(read("part.zarr"), whole[30:180, 20:170])
    run("convolve", "-k", "laplacian-8", "-q", "city.png", "-o", "here.png", "--range", "scale")
    assert equal(cnnfilter.read_image("made.png"), cnnfilter.read_image("here.png"))


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
