"""GIFs as they are shown: disposals, transparency, palettes, times, and what decoders forgive."""

import io
from itertools import product

import numpy as np
import pytest
from PIL import Image

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.headers import read_header
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
