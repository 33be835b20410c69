"""Pages and frames through the commands: filtered one by one, brought into range alike, written as they came."""

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from cnnfilter.arrays import Array
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.encode import encode_pages
from cnnfilter.io.exif import add_entries, write_text
from tests.cli.conftest import Run
from tests.cli.pictures import load

HOLDS_ALL = (".gif", ".png", ".webp", ".avif", ".tif")


def pages_of(path: str) -> list[Array]:
    """Return all pages of a file."""
    image = decode_picture(Path(path).read_bytes(), path)
    return list(image.pages or [image.pixels])


@pytest.fixture
def levels(folder: Path) -> list[Array]:
    """Return three grey pages of two levels each, which lie in `folder` as `pages.tif` and `frames.png`."""
    pages = [np.full((12, 16), level, np.uint8) for level in (10, 100, 150)]
    for page in pages:
        page[:, 8:] += 50
    (folder / "pages.tif").write_bytes(bytes(encode_pages(pages, "pages.tif")))
    (folder / "frames.png").write_bytes(bytes(encode_pages(pages, "frames.png", (40, 50, 60), 3)))
    return pages


@pytest.mark.parametrize("source", ["pages.tif", "frames.png"])
@pytest.mark.parametrize("target", ["out.tif", "out.png"])
def test_every_page_is_filtered(run: Run, levels: list[Array], source: str, target: str) -> None:
    assert run("convolve", source, "-k", "2", "-o", target, "-q").stderr == ""
    for page, made in zip(levels, pages_of(target), strict=True):
        np.testing.assert_array_equal(made, np.minimum(2 * page.astype(int), 255))


@pytest.mark.parametrize("target", HOLDS_ALL)
def test_every_format_that_holds_several_gets_all(run: Run, levels: list[Array], target: str) -> None:
    run("pool", "pages.tif", "-o", f"out{target}")
    made = pages_of(f"out{target}")
    assert len(made) == 3
    for page, result in zip(levels, made, strict=True):
        assert abs(result.reshape(6, 8, -1)[:, :, 0].mean() - page.mean()) < 12


@pytest.mark.usefixtures("levels")
def test_times_go_on(run: Run) -> None:
    run("pool", "frames.png", "-o", "out.webp")
    image = decode_picture(Path("out.webp").read_bytes(), "x")
    assert image.pages is not None
    assert len(list(image.pages)) == 3
    assert (image.pages.durations, image.pages.loops) == ((40, 50, 60), 3)


@pytest.mark.parametrize("target", ["out.jpg", "out.bmp", "out.npy", "out.txt"])
def test_of_many_pages_the_first_goes_where_there_is_one(run: Run, levels: list[Array], target: str) -> None:
    result = run("pool", "pages.tif", "-o", target)
    assert "pages.tif: the first of 3 pages is used" in result.stderr
    assert "--page N" in result.stderr
    if target == "out.bmp":
        np.testing.assert_array_equal(load(target), levels[0][::2, ::2])


@pytest.mark.parametrize("source", ["pages.tif", "frames.png"])
@pytest.mark.parametrize("page", [1, 2, 3])
@pytest.mark.parametrize("target", ["out.bmp", "out.png"])
def test_page_takes_one_and_nothing_is_said(run: Run, levels: list[Array], source: str, page: int, target: str) -> None:
    assert run("pool", source, "--page", page, "-o", target).stderr == ""
    np.testing.assert_array_equal(load(target), levels[page - 1][::2, ::2])
    assert len(pages_of(target)) == 1


@pytest.mark.usefixtures("levels", "colours")
def test_a_page_that_is_not_there_fails_its_input_alone(run: Run) -> None:
    result = run("pool", "colours.png", "pages.tif", "--page", 2, "-o", "out/", status=1)
    told = "cnnfilter: colours.png: has 1 page, and --page 2 does not exist\ncnnfilter: 1 of 2 inputs failed\n"
    assert result.stderr == told
    assert Path("out/pages.tif").exists()
    Path("m.txt").write_text("1 2\n3 4\n")
    assert "m.txt: a matrix has 1 page" in run("pool", "m.txt", "--page", 2, status=1).stderr


@pytest.mark.usefixtures("levels")
@pytest.mark.parametrize(("how", "least", "most"), [("scale", 0, 255), ("max", 13, 255)])
def test_all_pages_are_brought_into_range_by_the_extremes_of_all(run: Run, how: str, least: int, most: int) -> None:
    run("pool", "pages.tif", "--range", how, "-o", "out.tif")
    made = pages_of("out.tif")
    assert (min(page.min() for page in made), max(page.max() for page in made)) == (least, most)
    assert made[1].max() < most


def test_each_page_of_a_tiff_keeps_its_depth(run: Run, folder: Path) -> None:
    pages: list[Array] = [
        np.full((6, 6), 40_000, np.uint16),
        np.full((4, 8, 3), 9, np.uint8),
        np.full((4, 4), 0.25, np.float32),
    ]
    (folder / "mixed.tif").write_bytes(bytes(encode_pages(pages, "mixed.tif")))
    run("pool", "mixed.tif", "-o", "out.tif")
    for page, made in zip(pages, pages_of("out.tif"), strict=True):
        assert made.dtype == page.dtype
        np.testing.assert_array_equal(made, page[::2, ::2])
    result = run("pool", "mixed.tif", "-o", "out.gif", status=1)
    assert "frames have one size, and the pages have 3x3, 2x4, 2x2" in result.stderr


def test_frames_of_sixteen_bits_become_eight_with_a_warning(run: Run, folder: Path) -> None:
    pages = [np.full((6, 6), level, np.uint16) for level in (257 * 9, 257 * 200)]
    (folder / "deep.tif").write_bytes(bytes(encode_pages(pages, "deep.tif")))
    result = run("pool", "deep.tif", "-o", "out.png")
    assert "frames of PNG have 8 bits" in result.stderr
    assert [page[0, 0] for page in pages_of("out.png")] == [9, 200]
    assert run("pool", "deep.tif", "-o", "out.png", "--depth", "8").stderr == ""


@pytest.mark.parametrize("types", [(np.uint8, np.uint16), (np.uint16, np.uint8), (np.uint8, np.float32)])
def test_the_depth_of_each_page_counts_for_the_warning(run: Run, folder: Path, types: tuple[type, type]) -> None:
    pages: list[Array] = [np.full((6, 6), 9, type_) for type_ in types]
    (folder / "deep.tif").write_bytes(bytes(encode_pages(pages, "deep.tif")))
    assert "frames of PNG have 8 bits" in run("pool", "deep.tif", "-o", "out.png").stderr


@pytest.mark.parametrize(
    ("target", "times", "loops", "said"),
    [
        ("out.png", (40, 65_535, 65_535), 3, "a PNG shows a frame for 65.535 s at most"),
        ("out.gif", (40, 70_000, 655_350), 3, "a GIF shows a frame for 655.35 s at most"),
        ("out.webp", (40, 70_000, 10_000_000), 3, ""),
        ("out.avif", (40, 70_000, 10_000_000), 0, "the number of loops, 3, dropped"),
        ("out.tif", (), 0, "the times of the frames dropped"),
    ],
)
def test_times_that_a_format_does_not_hold_are_named(
    run: Run, folder: Path, target: str, times: tuple[int, ...], loops: int, said: str
) -> None:
    frames = [np.full((40, 40, 3), level, np.uint8) for level in (10, 20, 30)]
    data = bytes(encode_pages(frames, "long.webp", (40, 70_000, 10_000_000), 3))
    (folder / "long.webp").write_bytes(data)
    told = run("convolve", "long.webp", "-k", "1", "-o", target).stderr
    assert said in told if said else told == ""
    image = decode_picture(Path(target).read_bytes(), "x")
    assert image.pages is not None
    assert len(list(image.pages)) == 3
    assert (tuple(image.pages.durations), image.pages.loops) == (times, loops)


@pytest.mark.parametrize(
    ("target", "times", "loops", "said"),
    [
        ("out.webp", (40, 16_777_215), 65_535, "a WebP shows a frame for 16777.215 s at most, and longer times become"),
        ("out.webp", (40, 16_777_215), 65_535, "a WebP is shown 65535 times at most, and more loops become that"),
        ("out.gif", (40, 655_350), 65_536, "a GIF is shown 65536 times at most, and more loops become that"),
    ],
)
def test_times_and_loops_of_a_png_that_a_format_does_not_hold_are_named(
    run: Run, folder: Path, target: str, times: tuple[int, ...], loops: int, said: str
) -> None:
    frames = [np.full((40, 40), level, np.uint8) for level in (10, 20)]
    data = bytearray(bytes(encode_pages(frames, "a.png", (40, 50), 9)))
    for chunk, length, place, value in ((b"acTL", 8, 4, 70_000), (b"fcTL", 26, 20, 60_000 << 16 | 1)):
        start = data.rindex(chunk) + 4
        struct.pack_into(">I", data, start + place, value)
        struct.pack_into(">I", data, start + length, zlib.crc32(data[start - 4 : start + length]))
    (folder / "a.png").write_bytes(data)
    assert said in run("convolve", "a.png", "-k", "1", "-o", target).stderr
    image = decode_picture(Path(target).read_bytes(), "x")
    assert image.pages is not None
    assert len(list(image.pages)) == 2
    assert (tuple(image.pages.durations), image.pages.loops) == (times, loops)


@pytest.mark.usefixtures("levels")
def test_saved_layers_are_those_of_one_page(run: Run) -> None:
    result = run("pipeline", "relu@a", "pages.tif", "--save", "a", "-o", "out/")
    assert "the first of 3 pages is used" in result.stderr
    assert len(pages_of("out/pages-a.tif")) == 1


@pytest.mark.usefixtures("levels")
def test_max_pixels_counts_all_pages_and_page_takes_one(run: Run) -> None:
    result = run("pool", "pages.tif", "--max-pixels", 200, "-o", "out.tif", status=1)
    assert "3 pages, the first of 12x16 pixels, 576 in all, are more than the limit of 200" in result.stderr
    run("pool", "pages.tif", "--max-pixels", 200, "--page", 3, "-o", "out.tif")


def test_a_profile_goes_on_and_what_is_dropped_is_told(run: Run, photo: Path, folder: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with Image.open(photo) as image:
        image.resize((40, 30)).save(folder / "small.jpg", icc_profile=profile)
    assert run("pool", "small.jpg", "-o", "out.png").stderr == ""
    with Image.open("out.png") as image:
        assert image.info["icc_profile"] == profile
    told = run("pool", "small.jpg", "-o", "out.bmp").stderr
    assert told == "cnnfilter: warning: small.jpg: the colour profile and the comment dropped: not written into BMP\n"
    assert run("pool", "small.jpg", "-o", "out.bmp", "-q").stderr == ""


def is_done(folder: Path, names: list[str]) -> bool:
    return sorted(path.name for path in folder.iterdir()) == names


@pytest.fixture
def ten(folder: Path) -> list[Array]:
    """Return ten pages of 16 bits and different sizes, which lie in `folder` as `deep.tif`."""
    pages = [np.full((6, 4 + number), 1000 * number + 7, np.uint16) for number in range(10)]
    (folder / "deep.tif").write_bytes(bytes(encode_pages(pages, "deep.tif")))
    return pages


def test_page_in_a_template_gives_a_file_for_each_page_at_its_depth(run: Run, ten: list[Array]) -> None:
    names = [f"deep_{number:02}.png" for number in range(1, 11)]
    lines = run("convolve", "deep.tif", "-k", "1", "-o", "out/{stem}_{page}.png", "--dry-run").stdout.splitlines()
    assert lines == [f"deep.tif 6x{4 + index} -> out/{name} 6x{4 + index}" for index, name in enumerate(names)]
    assert not Path("out").exists()
    assert run("convolve", "deep.tif", "-k", "1", "-o", "out/{stem}_{page}.png", "--report", "r.json").stderr == ""
    assert is_done(Path("out"), names)
    for name, page in zip(names, ten, strict=True):
        np.testing.assert_array_equal(load(f"out/{name}"), page)
    assert [output["path"] for output in json.loads(Path("r.json").read_text())["outputs"]] == [
        f"out/{name}" for name in names
    ]


def test_page_in_a_template_is_the_number_of_one_that_is_chosen(run: Run, ten: list[Array]) -> None:
    run("convolve", "deep.tif", "-k", "1", "-o", "{page}.png", "--page", 3)
    assert [path.name for path in Path().glob("*.png")] == ["03.png"]
    np.testing.assert_array_equal(load("03.png"), ten[2])


@pytest.mark.usefixtures("colours")
def test_frames_of_animations_and_standard_input_have_pages_too(run: Run, levels: list[Array]) -> None:
    data = Path("frames.png").read_bytes()
    run("convolve", "-", "-k", "1", "-o", "{stem}-{page}.png", given=data)
    for number, level in enumerate(levels, 1):
        np.testing.assert_array_equal(load(f"stdin-{number}.png"), level)
    (page,) = run("convolve", "colours.png", "-k", "1", "-o", "{stem}-{page}.png", "--dry-run").stdout.splitlines()
    assert page.split()[3] == "colours-1.png"


@pytest.mark.usefixtures("ten")
def test_what_is_written_of_pages_is_made_anew_where_it_is_missing_or_old(run: Run) -> None:
    words = ("convolve", "deep.tif", "-k", "1", "-o", "out/{page}.png", "--update", "--report", "r.json")
    run(*words)
    Path("out/03.png").unlink()
    run(*words)
    record = json.loads(Path("r.json").read_text())
    assert [output["path"] for output in record["outputs"]] == ["out/03.png"]


@pytest.mark.usefixtures("levels", "ten")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("pages.tif", "copy.tif", "-o", "{page}.png", "--page", "2"), "2.png: the outputs of pages.tif and copy.tif"),
        (("deep.tif", "-k", "blur", "-o", "{page}.tif"), "the results of two kernels would be written to it"),
        (("pages.tif", "copy.tif", "-o", "{page}.png"), "1.png: the outputs of pages.tif and copy.tif would be"),
        (("pages.tif", "-o", "pages.ti{page}f"), "unknown suffix"),
    ],
)
def test_pages_that_would_share_a_file_are_refused(run: Run, words: tuple[str, ...], told: str) -> None:
    Path("copy.tif").write_bytes(Path("pages.tif").read_bytes())
    result = run("convolve", *words, "-k", "1", status=2)
    assert told in result.stderr


def test_several_kernels_and_layers_have_files_for_each_page(run: Run, levels: list[Array]) -> None:
    run("convolve", "pages.tif", "-k", "blur", "-k", "2", "-o", "out/{page}-{kernel}.png", "-q")
    run("pipeline", "relu@a", "pages.tif", "--save", "a", "-o", "out/{layer}{page}.png", "-q")
    results = [f"{page}-{kernel}.png" for page in "123" for kernel in ("blur", "kernel2")]
    assert is_done(Path("out"), [*results, "a1.png", "a2.png", "a3.png"])
    np.testing.assert_array_equal(load("out/a3.png"), levels[2])


def test_an_animation_says_what_it_lacks_of_later_pages(run: Run, folder: Path) -> None:
    first, second = Image.new("RGB", (20, 10), "red"), Image.new("RGB", (20, 10), "blue")
    first.save("pages.tif", save_all=True, append_images=[second])
    Path("same.tif").write_bytes(with_description(Path("pages.tif").read_bytes(), [b"one", b""]))
    Path("other.tif").write_bytes(with_description(Path("pages.tif").read_bytes(), [b"one", b"two"]))
    assert run("convolve", "same.tif", "-k", "1", "-o", "out.png").stderr == ""
    with Image.open("out.png") as image:
        assert image.getexif()[270] == "one"
    told = run("convolve", "other.tif", "-k", "1", "-o", "out.png").stderr
    assert "the metadata of pages after the first dropped: an animation has one for all" in told
    assert run("convolve", "other.tif", "-k", "1", "-o", "out.tif").stderr == ""
    with Image.open("out.tif") as pages:
        pages.seek(1)
        assert pages.getexif()[270] == "two"


def with_description(data: bytes, texts: list[bytes]) -> bytes:
    """Return a TIFF whose pages have descriptions, where they are not empty."""
    return bytes(add_entries(data, [{270: write_text(text)} if text else {} for text in texts]))
