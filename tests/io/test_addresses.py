"""Objects in stores: fsspec's memory, and a server that speaks as S3 does."""

import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import cnnfilter
from cnnfilter.cli import main
from cnnfilter.io.addresses import Address, as_path, find_timeless, is_address, read_object

fsspec = pytest.importorskip("fsspec")

SHARPEN = ["-k", "sharpen", "-q"]


@pytest.fixture
def memory() -> Iterator[Any]:
    """Return the store of this process, empty before and after."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield store
    store.store.clear()


@pytest.fixture
def tree(memory: Any, samples: Path) -> Any:
    """Return the store with images at the top and below, a hidden one, and a text."""
    image = (samples / "sprite.png").read_bytes()
    for name in ("a.png", "deep/er/b.png", ".hidden/c.png", "readme.txt"):
        memory.pipe_file(f"/in/{name}", image)
    return memory


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def result_of(runner_input: Path, folder: Path) -> bytes:
    """Return what the command makes of a file on this machine."""
    target = folder / "plain.png"
    assert run("convolve", str(runner_input), *SHARPEN, "-o", str(target)).exit_code == 0
    return target.read_bytes()


def test_an_address_is_a_path_with_both_slashes() -> None:
    address = as_path("s3://bucket/photos/a.b.png")
    assert isinstance(address, Address)
    assert str(address) == "s3://bucket/photos/a.b.png"
    assert (address.name, address.stem, address.suffix) == ("a.b.png", "a.b", ".png")
    assert str(address.parent) == "s3://bucket/photos"
    assert str(address.with_suffix(".jpg")) == "s3://bucket/photos/a.b.jpg"
    assert str(as_path("memory://a.png").parent / "b.png") == "memory://b.png"
    assert not any(map(is_address, ["a.png", "C:/a.png", "s3:/a.png", "://a.png", "-"]))


def test_an_object_gives_the_bytes_that_a_file_gives(tree: Any, tmp_path: Path, samples: Path) -> None:
    assert run("convolve", "memory://in/a.png", *SHARPEN, "-o", "memory://out/a.png").exit_code == 0
    assert tree.cat_file("/out/a.png") == result_of(samples / "sprite.png", tmp_path)


def test_the_library_reads_and_writes_objects_and_file_addresses(tree: Any, tmp_path: Path, samples: Path) -> None:
    pixels = cnnfilter.read_image("memory://in/a.png")
    assert (pixels == cnnfilter.read_image(samples / "sprite.png")).all()
    for address in ("memory://out/new.png", f"file://{tmp_path}/new.png"):
        cnnfilter.write_image(address, pixels)
        assert (cnnfilter.read_image(address) == pixels).all()
    assert (tmp_path / "new.png").read_bytes() == tree.cat_file("/out/new.png")
    with pytest.raises(cnnfilter.ImageFileError, match=r"memory://in/none\.png: No such file or directory"):
        cnnfilter.read_image("memory://in/none.png")
    with pytest.raises(cnnfilter.CnnFilterError, match="Protocol not known: nostore"):
        cnnfilter.read_image("nostore://a.png")


def test_file_addresses_are_files(tmp_path: Path, samples: Path) -> None:
    target = tmp_path / "out.png"
    given = f"file://{(samples / 'sprite.png').resolve()}"
    done = run("convolve", given, *SHARPEN, "-o", f"file://{target}", "--report", "-")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["outputs"][0]["path"] == str(target)
    assert target.read_bytes() == result_of(samples / "sprite.png", tmp_path)


def test_a_prefix_is_listed_as_a_folder_is(tree: Any) -> None:
    done = run("convolve", "-r", "memory://in/", *SHARPEN, "-o", "memory://out/", "--report", "-")
    assert done.exit_code == 0, done.stderr
    assert sorted(tree.find("/out")) == ["/out/a.png", "/out/deep/er/b.png"]
    inputs = [json.loads(line)["input"] for line in done.stdout.splitlines()]
    assert inputs == ["memory://in/a.png", "memory://in/deep/er/b.png"]


@pytest.mark.usefixtures("tree")
def test_a_store_itself_is_listed() -> None:
    done = run("convolve", "-r", "memory://", *SHARPEN, "-o", "memory://out/", "--dry-run")
    assert [line.partition(" ")[0] for line in done.stdout.splitlines()] == [
        "memory://in/a.png",
        "memory://in/deep/er/b.png",
    ]


def test_nothing_is_taken_from_where_results_go(tree: Any) -> None:
    for _ in range(2):
        assert run("convolve", "-r", "memory://in/", *SHARPEN, "-o", "memory://in/out/").exit_code == 0
    assert sorted(tree.find("/in/out")) == ["/in/out/a.png", "/in/out/deep/er/b.png"]


@pytest.mark.usefixtures("tree")
def test_update_and_no_clobber_see_objects() -> None:
    command = ["pool", "-r", "memory://in", "-q", "-o", "memory://out/", "--report", "-"]
    for option in ("--update", "--update", "--no-clobber"):
        done = run(*command, option)
        skipped = [json.loads(line)["skipped"] for line in done.stdout.splitlines()]
        assert done.exit_code == 0
    assert skipped == [["memory://out/a.png"], ["memory://out/deep/er/b.png"]]


def test_update_in_a_store_without_times_is_a_usage_error(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.memory import MemoryFileSystem  # noqa: PLC0415  it may be missing

    monkeypatch.delattr(MemoryFileSystem, "modified")
    assert find_timeless(["a.png", "memory://in/a.png"]) == "memory://in/a.png"
    done = run("pool", "memory://in/a.png", "-o", "memory://out/", "--update")
    assert done.exit_code == 2
    assert "memory://out/a.png: --update compares times, and this store keeps none" in done.stderr
    assert not memory.find("/out")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["memory://in/none.png", "-o", "memory://out/"], 1, "memory://in/none.png: No such file or directory"),
        (["-r", "memory://empty/", "-o", "memory://out/"], 1, "memory://empty/: no image in this folder"),
        (["memory://in/", "-o", "memory://out/"], 2, "memory://in/: is a folder; -r reads the images in it"),
        (["memory://in/a.png", "-o", "memory://out/a"], 2, "memory://out/a: no suffix (a folder ends in /"),
        (["memory://in/a.png", "-o", "memory://in/a.png"], 2, "the output is the input memory://in/a.png"),
        (["memory://in/a.png", "-o", "nostore://out/"], 1, "nostore://out/: Protocol not known: nostore"),
        (["memory://in/a.png", "-o", "memory://o/", "--depfile", "x.d"], 2, "make knows files, not addresses"),
        (["memory://in/readme.txt", "-o", "memory://out/x.png"], 1, "memory://in/readme.txt: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.usefixtures("tree")
def test_mistakes_with_addresses_are_a_line(arguments: list[str], status: int, message: str) -> None:
    done = run("convolve", *arguments, *SHARPEN)
    assert (done.exit_code, message in done.stderr) == (status, True), done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_driver_is_named_before_any_work(tree: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(scheme: str) -> None:
        raise ImportError(f"Install {scheme}fs to access it")

    monkeypatch.setattr("fsspec.core.get_filesystem_class", find)
    done = run("convolve", "memory://in/a.png", "s3://bucket/a.png", *SHARPEN, "-o", "memory://out/")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "Install " in done.stderr
    assert not tree.find("/out")


@pytest.mark.parametrize("method", ["__init__", "cat_file"])
@pytest.mark.usefixtures("tree")
def test_what_a_driver_logs_of_a_failure_is_not_printed(
    method: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_given: Any, **_options: Any) -> None:
        logging.getLogger("driver").warning("no credentials; trying without")
        raise PermissionError("no credentials")

    monkeypatch.setattr(logging.root, "handlers", [])  # as in a command: what is logged goes to standard error
    monkeypatch.setattr(f"fsspec.implementations.memory.MemoryFileSystem.{method}", fail)
    fsspec.filesystem("memory").clear_instance_cache()
    with pytest.raises(cnnfilter.ImageFileError, match=r"^memory://in/a\.png: no credentials$"):
        read_object("memory://in/a.png")
    assert capfd.readouterr().err == ""
    assert logging.root.handlers == []


def test_dry_run_templates_and_pages_know_objects(memory: Any, tmp_path: Path) -> None:
    pages = tmp_path / "pages.tif"
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(pages, [[[page] * 8] * 8 for page in range(3)], dtype="uint8", photometric="minisblack")
    memory.pipe_file("/in/pages.tif", pages.read_bytes())
    command = ["convolve", "memory://in/pages.tif", *SHARPEN, "-o", "memory://out/{stem}-{page}.png"]
    assert run(*command, "--dry-run").stdout.count("memory://out/pages-") == 3
    assert not memory.find("/out")
    assert run(*command).exit_code == 0
    assert memory.find("/out") == [f"/out/pages-{page}.png" for page in (1, 2, 3)]


@pytest.fixture(scope="module")
def access() -> Iterator[dict[str, str]]:
    """Return what the environment says of a server that speaks as S3 does."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }
    server.stop()


@pytest.fixture
def bucket(access: dict[str, str], monkeypatch: pytest.MonkeyPatch, samples: Path) -> Iterator[Any]:
    """Return the store with a bucket of four images, of which one is damaged."""
    for name, value in access.items():
        monkeypatch.setenv(name, value)
    store = fsspec.filesystem("s3")
    store.mkdir("bucket")
    for name in ("a", "b/c", "d"):
        store.pipe_file(f"bucket/in/{name}.png", (samples / "sprite.png").read_bytes())
    store.pipe_file("bucket/in/e.png", b"damaged")
    yield store
    store.invalidate_cache()
    store.rm("bucket", recursive=True)
    store.clear_instance_cache()


@pytest.fixture(params=["processes", "cluster"])
def workers(request: pytest.FixtureRequest, access: dict[str, str]) -> list[str]:
    """Return the options for several processes, and for a cluster whose workers know the store."""
    if request.param == "processes":
        return ["-j", "2"]
    cluster = request.getfixturevalue("cluster")
    with pytest.importorskip("distributed").Client(cluster, set_as_default=False) as client:
        client.run(lambda: os.environ.update(access))
    return ["--cluster", cluster.scheduler_address]


@pytest.mark.filterwarnings("ignore")
def test_a_bucket_of_s3_is_filtered(bucket: Any, workers: list[str], tmp_path: Path, samples: Path) -> None:
    command = ["convolve", "-r", "s3://bucket/in/", *SHARPEN, "-o", "s3://bucket/out/", *workers]
    done = run(*command)
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        "cnnfilter: s3://bucket/in/e.png: a text, not an image",
        "cnnfilter: 1 of 4 inputs failed",
    ]
    bucket.invalidate_cache()
    made = [f"bucket/out/{name}.png" for name in ("a", "b/c", "d")]
    assert bucket.find("bucket/out") == made
    assert bucket.cat_file("bucket/out/b/c.png") == result_of(samples / "sprite.png", tmp_path)
    time.sleep(1)  # S3 counts whole seconds
    for option in ("--update", "--no-clobber"):
        again = run(*command, option, "--report", "-")
        skipped = [name for line in again.stdout.splitlines() for name in json.loads(line)["skipped"]]
        assert skipped == [f"s3://{name}" for name in made]
    missing = run("convolve", "s3://bucket/in/none.png", *SHARPEN, "-o", "s3://bucket/out/", *workers)
    assert missing.stderr == "cnnfilter: s3://bucket/in/none.png: No such file or directory\n"
