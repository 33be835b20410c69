"""GIFs as they are shown: disposals, transparency, palettes, times, and what decoders forgive."""

import io
from itertools import pairwise, product

import cv2
import numpy as np
import pytest
from PIL import Image

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.encode import encode_image, encode_pages
from cnnfilter.io.headers import read_header
from tests.conftest import ROOT
from tests.io.gifs import BLUE, CLEAR, FOREVER, GREEN, RED, WHITE, Palette, Part, make_gif, show

COLOURS = (RED, GREEN, BLUE, WHITE)
OTHERS = ((9, 8, 7), (60, 50, 40), (99, 98, 97), (200, 150, 100))


def row(*indices: int) -> Array:
    return np.array([indices], np.uint8)


def frames_of(data: bytes) -> list[Array]:
    """Return all frames, whose shape the head must tell."""
    image = decode_picture(data, "x.gif")
    frames = list(image.pages) if image.pages else [image.pixels]
    assert {frame.shape for frame in frames} == {read_header(data).shape}
    return frames


def with_alpha(frame: Array) -> Array:
    if frame.shape[2] == 4:
        return frame
    return np.dstack([frame, np.full(frame.shape[:2], 255, np.uint8)])


def test_each_frame_has_a_transparent_index_of_its_own() -> None:
    data = make_gif(Part(row(0, 1, 2, 0), transparent=0), Part(row(1), left=2))
    first, second = frames_of(data)
    assert first.tolist() == [[list(CLEAR), [*GREEN, 255], [*BLUE, 255], list(CLEAR)]]
    assert second.tolist() == [[list(CLEAR), [*GREEN, 255], [*GREEN, 255], list(CLEAR)]]


def test_frames_are_rgb_where_nothing_can_be_transparent() -> None:
    whole, over = Part(row(0, 1, 2, 3)), Part(row(0, 1), left=1, transparent=0)
    assert frames_of(make_gif(whole, over))[1].tolist() == [[list(RED), list(GREEN), list(GREEN), list(WHITE)]]
    assert frames_of(make_gif(whole))[0].shape == (1, 4, 3)
    assert frames_of(make_gif(whole, over._replace(disposal=2)))[0].shape == (1, 4, 3)
    assert frames_of(make_gif(whole, over._replace(disposal=2), over))[0].shape == (1, 4, 4)
    assert frames_of(make_gif(whole._replace(disposal=3), over))[1].tolist()[0][0] == list(CLEAR)


@pytest.mark.parametrize("transparent", [None, 3], ids=["opaque", "transparent"])
@pytest.mark.parametrize("disposals", list(product(range(4), repeat=2)), ids=str)
@pytest.mark.parametrize("interlaced", [False, True], ids=["rows", "interlaced"])
@pytest.mark.parametrize("local", [(), OTHERS], ids=["global", "local"])
def test_every_disposal_with_every_kind_of_frame(
    disposals: tuple[int, int], transparent: int | None, *, interlaced: bool, local: Palette
) -> None:
    rng = np.random.default_rng(sum(disposals))
    seconds = [
        Part(rng.integers(0, 4, shape, dtype=np.uint8), left, top, transparent, disposal, 5, local, interlaced)
        for shape, left, top, disposal in [
            ((9, 5), 1, 1, disposals[0]),
            ((3, 4), 3, 5, disposals[1]),
            ((2, 2), 0, 0, 0),
        ]
    ]
    parts = [Part(rng.integers(0, 4, (11, 8), dtype=np.uint8), disposal=1), *seconds]
    data = make_gif(*parts, background=2)
    for frame, expected in zip(frames_of(data), show(parts, (11, 8), COLOURS, BLUE), strict=True):
        np.testing.assert_array_equal(with_alpha(frame), expected)
    if 0 in disposals or (2 in disposals and local and transparent is None):
        return  # Pillow takes 0 for the disposal before, and a local palette for that of the background
    with Image.open(io.BytesIO(data)) as image:
        for number, expected in enumerate(show(parts, (11, 8), COLOURS, BLUE)):
            image.seek(number)
            visible = expected[:, :, 3] > 0
            np.testing.assert_array_equal(np.asarray(image.convert("RGBA"))[visible], expected[visible])


def colours(rng: np.random.Generator, count: int) -> list[tuple[int, int, int]]:
    return [(int(red), int(green), int(blue)) for red, green, blue in rng.integers(0, 256, (count, 3))]


def test_random_animations_are_shown_frame_by_frame() -> None:
    rng = np.random.default_rng(7)
    for _ in range(250):
        size = (int(rng.integers(1, 10)), int(rng.integers(1, 10)))
        palette = colours(rng, int(rng.integers(2, 9)))
        parts = []
        for _ in range(rng.integers(1, 6)):
            top, left = int(rng.integers(0, size[0])), int(rng.integers(0, size[1]))
            shape = int(rng.integers(1, size[0] - top + 1)), int(rng.integers(1, size[1] - left + 1))
            own = colours(rng, 5) if rng.random() < 0.3 else []
            indices = rng.integers(0, len(own or palette), shape, dtype=np.uint8)
            clear = int(rng.integers(0, 4)) if rng.random() < 0.5 else None
            part = Part(indices, left, top, clear, int(rng.integers(0, 4)), 7, own, bool(rng.random() < 0.3))
            parts.append(part)
        background = int(rng.integers(0, len(palette)))
        data = make_gif(*parts, size=size, palette=palette, background=background)
        expected = show(parts, size, palette, palette[background])
        frames = frames_of(data)
        for frame, right in zip(frames, expected, strict=True):
            np.testing.assert_array_equal(with_alpha(frame), right)
        assert frames[0].shape[2] == 4 or (expected[..., 3] == 255).all()
        last = decode_picture(data, "x.gif", page=len(parts)).pixels
        np.testing.assert_array_equal(last, frames[-1])


@pytest.mark.parametrize(("delays", "times"), [((None, 5, 5), (0, 50, 50)), ((0, 7, None), (0, 70, 0))])
def test_times_are_those_of_the_file_and_none_where_it_names_none(
    delays: tuple[int | None, ...], times: tuple[int, ...]
) -> None:
    pages = decode_picture(make_gif(*(Part(row(0, 1), delay=delay) for delay in delays)), "x.gif").pages
    assert pages is not None
    assert pages.durations == times


LOOPS = {
    "none": (b"", 1),
    "for ever": (FOREVER, 0),
    "once more": (b"\x21\xff\x0bNETSCAPE2.0\3\1\1\0\0", 2),
    "ANIMEXTS": (b"\x21\xff\x0bANIMEXTS1.0\3\1\4\1\0", 261),
    "another application": (b"\x21\xff\x0bXMP DataXMP\3\1\4\1\0", 1),
    "a buffer's size first": (b"\x21\xff\x0bNETSCAPE2.0\5\2\0\0\0\0\3\1\3\0\0", 4),
}


@pytest.mark.parametrize("name", LOOPS)
def test_loops_are_counted(name: str) -> None:
    extension, loops = LOOPS[name]
    pages = decode_picture(make_gif(Part(row(0, 1)), Part(row(1, 0)), loop=extension), "x.gif").pages
    assert pages is not None
    assert pages.loops == loops


FORGIVEN = {
    "a background past the palette": make_gif(Part(row(0, 1, 2, 3)), background=255),
    "data behind the last code": make_gif(Part(row(0, 1, 2, 3), behind=b"\xff\x00\xff")),
    "an empty block": make_gif(b"\0", Part(row(0, 1, 2, 3)), b"\0\0"),
    "a control block that is cut short": make_gif(b"\x21\xf9\x00", Part(row(0, 1, 2, 3), delay=None)),
    "words, a comment, and an unknown extension": make_gif(
        b"\x21\x01\x0c" + bytes(12) + b"\2hi\0", b"\x21\xfe\2hi\0", b"\x21\x77\0", Part(row(0, 1, 2, 3))
    ),
    "the older version": make_gif(Part(row(0, 1, 2, 3), delay=None), loop=b"", head=b"GIF87a"),
    "no palette but its own": make_gif(Part(row(0, 1, 2, 3), palette=COLOURS), palette=()),
    "something behind the end": make_gif(Part(row(0, 1, 2, 3))) + b"words",
    "a screen of no size": make_gif(Part(row(0, 1, 2, 3)), size=(0, 0)),
}


@pytest.mark.parametrize("name", FORGIVEN)
def test_what_loses_no_pixel_is_read(name: str) -> None:
    assert frames_of(FORGIVEN[name])[0].tolist() == [[list(colour) for colour in COLOURS]]


def test_more_pixels_than_a_frame_has_are_forgiven() -> None:
    wide = make_gif(Part(row(0, 1, 2, 3, 0, 1)), size=(1, 4))
    narrow = wide.replace(b"\x2c\0\0\0\0\6\0", b"\x2c\0\0\0\0\4\0")
    assert frames_of(narrow)[0].tolist() == [[list(colour) for colour in COLOURS]]


def test_a_frame_that_reaches_beyond_the_canvas_makes_it_grow() -> None:
    data = make_gif(Part(row(0, 1, 2, 3)), Part(np.array([[3], [3]], np.uint8), left=5))
    first, second = frames_of(data)
    assert first.shape == (2, 6, 4)
    assert first[:, :, 3].tolist() == [[255] * 4 + [0] * 2, [0] * 6]
    assert second[:, 5].tolist() == [[255] * 4] * 2


def test_pixels_past_the_palette_are_black() -> None:
    assert frames_of(make_gif(Part(row(0, 1, 2, 3)), palette=(RED, GREEN)))[0].tolist() == [
        [list(RED), list(GREEN), [0, 0, 0], [0, 0, 0]]
    ]


def test_a_gif_that_is_cut_is_refused_with_the_frame_in_which_it_is() -> None:
    parts = [Part(np.full((6, 9), number, np.uint8)) for number in range(3)]
    data = make_gif(*parts)
    found = []
    for length in range(20, len(data)):
        with pytest.raises(ImageFileError, match=r"^x\.gif: the GIF is cut off \((in|after) frame \d\)$") as caught:
            decode_picture(data[:length], "x.gif")
        found.append(str(caught.value).partition("(")[2][:-1])
    assert list(dict.fromkeys(found)) == [
        *("after frame 0", "in frame 1", "after frame 1", "in frame 2", "after frame 2", "in frame 3", "after frame 3")
    ]


DAMAGED = {
    "too few pixels": (
        make_gif(Part(row(0, 1)), Part(row(0, 1))).replace(b"\x2c\0\0\0\0\2", b"\x2c\0\0\0\0\3"),
        "in frame 1",
    ),
    "a block of no kind": (make_gif(Part(row(0, 1)), b"\x99"), "after frame 1"),
    "no image": (b"GIF89a\1\0\1\0\0\0\0;", "no image is in it"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_gif_that_is_damaged_is_refused_with_the_frame_in_which_it_is(name: str) -> None:
    data, where = DAMAGED[name]
    with pytest.raises(ImageFileError, match=rf"^x\.gif: the GIF is damaged \({where}\)$"):
        decode_picture(data, "x.gif")


# What we write


def noise(colours: int, shape: tuple[int, ...] = (40, 50), seed: int = 0) -> Array:
    """Return pixels of so many colours by chance."""
    rng = np.random.default_rng(seed)
    palette = rng.choice(1 << 24, colours, replace=False).astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3]
    indices = np.resize(np.arange(colours), shape)
    return np.asarray(palette[rng.permutation(indices.ravel()).reshape(shape)])


def read_by_pillow(data: bytes) -> tuple[list[Array], list[int], int]:
    """Return all frames (H, W, 4), their times, and how often they are repeated."""
    with Image.open(io.BytesIO(data)) as image:
        frames, times = [], []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            frames.append(np.asarray(image.convert("RGBA")))
            times.append(int(image.info.get("duration", -1)))
        return frames, times, int(image.info.get("loop", -1))


@pytest.mark.parametrize("colours", [1, 2, 3, 16, 17, 255, 256])
def test_up_to_256_colours_are_written_as_they_are(colours: int) -> None:
    pixels, notes = noise(colours), list[str]()
    data = bytes(encode_image(pixels, "x.gif", notes=notes))
    np.testing.assert_array_equal(frames_of(data)[0], pixels)
    np.testing.assert_array_equal(read_by_pillow(data)[0][0][:, :, :3], pixels)
    assert notes == []


def test_every_grey_is_written_as_it_is() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(frames_of(bytes(encode_image(grey, "x.gif")))[0], np.repeat(grey[..., None], 3, 2))


def test_more_colours_get_a_palette_made_for_them_and_a_note() -> None:
    y, x = np.mgrid[:90, :120]
    pixels = np.stack([2 * x, 2 * y, 255 - x - y], axis=-1).astype(np.uint8)
    pixels[:20] = (1, 2, 3)  # an area stays as it is
    notes: list[str] = []
    read = frames_of(bytes(encode_image(pixels, "x.gif", notes=notes)))[0]
    assert len(np.unique(read.reshape(-1, 3), axis=0)) <= 256
    assert np.abs(read.astype(int) - pixels).mean() < 4
    np.testing.assert_array_equal(read[:20], pixels[:20])
    smooth, expected = (cv2.blur(image.astype(np.float32), (5, 5)) for image in (read, pixels))
    assert np.abs(smooth - expected)[25:-5, 5:-5].mean() < 1.2
    assert notes == ["a GIF has 256 colours a frame, and the image 8401; PNG and WebP keep them"]


def test_alpha_below_half_becomes_transparent_and_partial_alpha_is_noted() -> None:
    alpha = np.array([[0, 1, 127, 128, 254, 255]], np.uint8)
    pixels, notes = np.dstack([noise(6, (1, 6)), alpha]), list[str]()
    read = frames_of(bytes(encode_image(pixels, "x.gif", notes=notes)))[0]
    assert read[0, :, 3].tolist() == [0, 0, 0, 255, 255, 255]
    np.testing.assert_array_equal(read[0, 3:, :3], pixels[0, 3:, :3])
    assert len(notes) == 1
    assert "no partial transparency" in notes[0]
    pixels[0, :, 3] = (0, 0, 0, 255, 255, 255)
    notes.clear()
    encode_image(pixels, "x.gif", notes=notes)
    assert notes == []


@pytest.mark.parametrize("seed", range(40))
def test_random_animations_are_written_as_they_are(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width, count = (int(number) for number in rng.integers(1, 12, 3))
    palette = rng.integers(0, 256, (int(rng.choice([2, 40, 300, 500])), 4), np.uint8)
    palette[:, 3] = rng.choice([0, 255], len(palette), p=(0.3, 0.7)) if seed % 2 else 255
    frames = [
        palette[rng.integers(0, len(palette), (height, width))][..., : 4 if seed % 3 else 3] for _ in range(count)
    ]
    for before, frame in pairwise(frames):
        kept = rng.random((height, width)) < rng.choice([0, 0.6, 1])
        frame[kept] = before[kept]
    durations, loops = [10 * int(time) for time in rng.integers(0, 9, count)], int(rng.integers(0, 5))
    data = bytes(encode_pages(frames, "x.gif", durations, loops))
    pillow, times, repeats = read_by_pillow(data)
    assert (times, repeats) == (durations, {0: 0, 1: -1}.get(loops, loops - 1))
    for frame, read, other in zip(frames, frames_of(data), pillow, strict=True):
        expected = with_alpha(frame)
        visible = expected[:, :, 3] > 0
        for result in (with_alpha(read), other):
            np.testing.assert_array_equal(result[:, :, 3], expected[:, :, 3])
            np.testing.assert_array_equal(result[visible], expected[visible])


def test_frames_have_one_palette_where_all_colours_fit_and_do_not_flicker_where_not() -> None:
    few = [noise(100, seed=1), noise(100, seed=1)[::-1]]
    screen = read_header(bytes(encode_pages(few, "x.gif", (50, 50), 0))).screen
    assert screen is not None
    assert len({(frame.palette.start, frame.palette.stop) for frame in screen.frames}) == 1
    first, second = noise(2000, seed=2), noise(2000, seed=2)
    second[:20] = noise(1000, (20, 50), seed=3)
    shown, after = frames_of(bytes(encode_pages([first, second], "x.gif", (50, 50), 0)))
    np.testing.assert_array_equal(shown[20:], after[20:])


def test_dithered_pixels_are_closer_than_by_the_diffusion_of_errors_to_the_same_palette() -> None:
    with Image.open(ROOT / "samples" / "city.png") as city:
        image = city.convert("RGB").crop((200, 100, 400, 300))
    with Image.open(io.BytesIO(bytes(encode_image(np.asarray(image), "x.gif")))) as gif:
        gif.load()
        diffused = image.quantize(palette=gif, dither=Image.Dither.FLOYDSTEINBERG).convert("RGB")
        wanted = np.asarray(image, np.float64)
        errors = [np.square(np.asarray(one) - wanted).mean() for one in (gif.convert("RGB"), diffused)]
    assert 0 < errors[0] < 0.9 * errors[1]


def test_times_are_rounded_to_hundredths_with_a_note() -> None:
    notes: list[str] = []
    data = bytes(encode_pages([noise(3)] * 3, "x.gif", (33, 0, 40), 1, notes=notes))
    assert read_by_pillow(data)[1:] == ([30, 0, 40], -1)
    assert notes == ["a GIF counts times in hundredths of a second, to which those of the frames are rounded"]
