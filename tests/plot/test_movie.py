"""Moving pictures, read back: frames, times, colors."""

import io
import re
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from cnnfilter.arrays import Array
from cnnfilter.compute.forward import run_program
from cnnfilter.errors import ShapeError
from cnnfilter.plot.animation import Movie, animate
from cnnfilter.plot.movie import PAUSE, encode_movie, make_palette
from tests.explain.test_traces import NUMBERS, program
from tests.plot.conftest import blank


def reel(words: str, volume: Array) -> Movie:
    """Return the moving picture of a network at work."""
    return animate(program(words), volume, None, "input.txt, kernel", 0.0, blank(dpi=60))


def drawn_by(movie: Movie) -> list[Array]:
    """Return all frames of a moving picture, (H, W, 4)."""
    return [frame.copy() for frame in movie.frames]


def sharpened() -> Movie:
    """Return the moving picture of a kernel on a 5x5 matrix, without padding: 9 windows."""
    return reel("conv:sharpen", np.array([[105.0, 102, 100, 97, 96]] * 5)[:, :, None])


@pytest.fixture(scope="module")
def frames() -> list[Array]:
    """Return the frames of `sharpened` as they are drawn."""
    return drawn_by(sharpened())


@pytest.fixture(scope="module")
def gif() -> bytes:
    """Return the GIF of `sharpened` with four frames a second."""
    return encode_movie(sharpened(), "a.gif", 4)


def gif_frames(data: bytes) -> tuple[list[Array], list[int]]:
    """Return the frames of a GIF, and how many milliseconds each stays."""
    image = Image.open(io.BytesIO(data))
    frames, times = [], []
    for number in range(image.n_frames):  # type: ignore[attr-defined]
        image.seek(number)
        frames.append(np.asarray(image.convert("RGB")).astype(int))
        times.append(int(image.info["duration"]))
    return frames, times


def test_a_gif_has_a_frame_for_each_window_and_rests_on_the_last(gif: bytes) -> None:
    shown, times = gif_frames(gif)
    assert len(shown) == sharpened().length == 9
    assert times == [250] * 8 + [PAUSE]


def test_the_frames_of_a_gif_are_those_that_were_drawn(gif: bytes, frames: list[Array]) -> None:
    shown, _ = gif_frames(gif)
    for frame, drawn in zip(shown, frames, strict=True):
        apart = np.abs(frame - drawn[:, :, :3].astype(int)).max(axis=2)
        assert (apart == 0).mean() > 0.97  # the areas are exact; the rims of letters may differ a little
        assert apart.max() < 60
        assert (frame[(drawn == 255).all(axis=2)] == 255).all()


def test_all_frames_of_a_gif_have_one_palette(gif: bytes) -> None:
    shown, _ = gif_frames(gif)
    assert len(np.unique(np.concatenate(shown).reshape(-1, 3), axis=0)) <= 256


def test_nothing_flickers_outside_of_what_moves(gif: bytes) -> None:
    shown, _ = gif_frames(gif)
    still = (np.stack(shown) == shown[0]).all(axis=(0, 3))
    assert still[:20].all()  # the title
    assert still.mean() > 0.6


@pytest.mark.parametrize("suffix", [".webp", ".png"])
def test_webp_and_apng_hold_the_frames_without_loss(frames: list[Array], suffix: str) -> None:
    data = encode_movie(sharpened(), f"a{suffix}", 5)
    read, animation = cv2.imdecodeanimation(np.frombuffer(data, np.uint8))
    assert read
    assert len(animation.frames) == 9
    assert list(np.ravel(animation.durations)) == [200] * 8 + [PAUSE]
    for frame, drawn in zip(animation.frames, frames, strict=True):
        assert np.array_equal(frame[:, :, 2::-1], drawn[:, :, :3])


def test_two_runs_give_the_same_bytes(samples: Path) -> None:
    volume = np.loadtxt(samples / "pool-4x4.txt")[:, :, None]
    first, second = (encode_movie(reel("maxpool:2", volume), "a.gif", 3) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("words", "length"),
    [("conv:sobel-x,s2", 12), ("conv:sobel-x,d2,p2", 72), ("maxpool:2,p1,ceil", 25), ("gap", 1), ("channelmax", 72)],
)
def test_there_is_a_frame_for_each_value_of_a_map(words: str, length: int) -> None:
    assert reel(words, NUMBERS).length == length


def test_the_window_moves_and_the_output_fills() -> None:
    frames = [frame.astype(int) for frame in drawn_by(reel("conv:[1 0; 0 1]", NUMBERS[:3, :3, :1]))]
    white = [(frame == 255).all(axis=2).sum() for frame in frames]
    assert all(later != earlier for earlier, later in pairwise(white))
    changed = [np.argwhere((a != b).any(axis=2)) for a, b in pairwise(frames)]
    assert all(len(places) > 50 for places in changed)


def test_too_many_channels_and_too_much_padding_are_errors() -> None:
    with pytest.raises(ShapeError, match="6 channels and maps are too many to animate"):
        reel("dwconv:sobel-x,sobel-y", NUMBERS)
    with pytest.raises(ShapeError, match="69x68 with its padding is too large to animate"):
        reel("conv:sobel-x,p30", NUMBERS)


def test_the_frame_of_the_window_keeps_its_color_beside_many_others() -> None:
    many = np.random.default_rng(0).random((12, 12, 1)) * 100
    movie = reel("conv:sobel-x", many)
    palette = make_palette(movie.samples).tolist()
    assert [0xE6, 0x61, 0x00] in palette
    assert [255, 255, 255] in palette
    assert len(palette) == 255


def test_a_palette_holds_all_colors_where_they_fit() -> None:
    colors = np.random.default_rng(0).integers(0, 256, (255, 1, 4), np.uint8)
    colors[:, :, 3] = 255
    palette = make_palette(colors)
    assert sorted(palette.tolist()) == sorted(colors[:, 0, :3].tolist())


def test_a_gray_stays_gray_in_a_gif() -> None:
    volume = np.arange(0, 252, 7, dtype=np.float64).reshape(6, 6, 1)
    movie = animate(program("conv:sobel-x"), volume, None, "input.txt", 255.0, blank(dpi=60))
    drawn = drawn_by(movie)
    again = animate(program("conv:sobel-x"), volume, None, "input.txt", 255.0, blank(dpi=60))
    frames, _ = gif_frames(encode_movie(again, "a.gif", 4))
    for frame, pixels in zip(frames, drawn, strict=True):
        gray = (pixels[:, :, :3] == pixels[:, :, :1]).all(axis=2)
        found = frame[gray]
        assert (found == found[:, :1]).all()
        assert np.abs(found - pixels[gray][:, :3].astype(int)).max() <= 3


def test_a_palette_holds_the_colors_of_areas_nearly_as_they_are() -> None:
    movie = reel("conv:sobel-x,same", np.random.default_rng(0).random((13, 13, 1)) * 100)
    palette = make_palette(movie.samples).astype(int)
    colors, counts = np.unique(movie.samples[:, :, :3].reshape(-1, 3), axis=0, return_counts=True)
    areas = colors[counts > 40].astype(int)
    assert len(areas) > 100
    apart = np.abs(areas[:, None] - palette[None]).max(axis=2).min(axis=1)
    assert apart.max() <= 12


def test_a_part_of_a_photo_has_the_values_of_the_whole() -> None:
    """Windows lie where those of a run do: the middle of a photo has no padding."""
    photo = np.random.default_rng(2).integers(0, 256, (60, 50, 3)).astype(np.uint8)
    network, paper = program("gray conv:sobel-x,s2,same,border=reflect"), blank(dpi=60)
    results = np.asarray(run_program(network, photo))
    movie = animate(network, photo, (31, 20), "photo.png, sobel-x", 255.0, paper)
    texts = []
    for _ in movie.frames:
        texts += [text.get_text() for text in paper.figure.texts if text.get_text().startswith("o[")]
    assert len(texts) == movie.length == 25
    for text in texts:
        match = re.match(r"o\[(\d+),(\d+)\] = .* = (\S+)$", text, re.DOTALL)
        assert match
        assert np.isclose(float(match[3]), results[int(match[1]), int(match[2])], atol=1e-3)
    assert "photo.png, sobel-x: rows " in paper.figure.texts[0].get_text()


def test_the_formula_adds_the_bias_of_each_map() -> None:
    paper = blank(dpi=60)
    network = program("conv:[1 2],[0 1],bias=[5 0]")
    movie = animate(network, np.array([[[3.0], [4.0]]]), None, "input", 0.0, paper)
    assert len(list(movie.frames)) == 1
    shown = [text.get_text() for text in paper.figure.texts if text.get_text().startswith("o[")]
    assert shown == ["o[0,0,0] = 3*1 + 4*2 + 5 = 16\no[0,0,1] = 3*0 + 4*1 + 0 = 4"]


def test_fractions_have_numbers_in_input_kernel_and_output() -> None:
    paper = blank()
    animate(
        program("conv:gaussian:5,same,bias=0.5 sigmoid"),
        np.random.default_rng(1).random((8, 8, 1)),
        None,
        "f",
        0,
        paper,
    )
    numbers = [len(axes.texts) for axes in paper.figure.axes]
    assert numbers[:2] == [144, 25]


def test_cells_without_a_value_are_hatched() -> None:
    paper = blank()
    animate(program("maxpool:2"), np.full((4, 4, 1), 255.0), None, "f", 255.0, paper)
    output = paper.figure.axes[-1]
    assert [patch.get_hatch() for patch in output.patches] == ["\\\\\\"]
    assert "hatched: still empty" in output.get_title(loc="left")


def test_numbers_of_32x32_can_be_read() -> None:
    paper = blank()
    volume = np.random.default_rng(0).integers(0, 256, (32, 32, 1)).astype(np.float64)
    animate(program("conv:sobel-x,same"), volume, None, "f", 255.0, paper)
    shown = paper.figure.axes[0].texts
    assert len(shown) == 34 * 34
    assert min(float(text.get_fontsize()) for text in shown) > 7
