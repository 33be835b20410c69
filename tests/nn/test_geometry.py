"""Windows on an image: how sizes and paddings are read, and how many windows fit."""

import re
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfilter.errors import CnnFilterError, LanguageError, ShapeError
from cnnfilter.nn.geometry import (
    LARGEST,
    Padding,
    PaddingWord,
    Pair,
    Sides,
    Window,
    as_padding,
    as_pair,
    output_size,
    same_padding,
    show_pair,
)

SIZES = st.integers(1, 40)
EXTENTS = st.integers(1, 12)
STRIDES = st.integers(1, 9)
PIXELS = st.integers(0, 12)

ENDLESS = "9" * 5000
"""More digits than Python turns into a number."""


@pytest.mark.parametrize(
    ("value", "pair"),
    [
        (3, (3, 3)),
        ("3", (3, 3)),
        ("3x2", (3, 2)),
        ("1x100000", (1, LARGEST)),
        ((3, 2), (3, 2)),
        ([3, 2], (3, 2)),
        ((4,), (4, 4)),
    ],
    ids=str,
)
def test_one_number_is_both_axes_and_two_are_height_and_width(value: int | str | tuple[int, ...], pair: Pair) -> None:
    assert as_pair(value, "stride") == pair


@pytest.mark.parametrize("text", ["", "x", "3x", "x3", "3x2x1", "3,2", "3 x 2", "2.5", "+3", "3X2", "٣", "three"])
def test_a_text_that_is_no_pair_is_named_with_its_subject(text: str) -> None:
    with pytest.raises(LanguageError, match="is neither a number nor HxW, such as 3 or 3x2") as caught:
        as_pair(text, "stride")
    assert str(caught.value).startswith(f"stride {text!r}")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0, "stride 0 is below 1, the least that is allowed"),
        ("0", "stride 0 is below 1, the least that is allowed"),
        ("-2", "stride -2 is below 1, the least that is allowed"),
        ("3x0", "stride 0 is below 1, the least that is allowed"),
        ("3x-1", "stride -1 is below 1, the least that is allowed"),
        ((3, -1), "stride -1 is below 1, the least that is allowed"),
        (LARGEST + 1, "stride 100001 is above 100000, the most that is allowed"),
        ("1x100001", "stride 100001 is above 100000, the most that is allowed"),
        ((), r"stride [] has 0 numbers; give one, or two (height, width)"),
        ((1, 2, 3), r"stride [1, 2, 3] has 3 numbers; give one, or two (height, width)"),
    ],
    ids=str,
)
def test_numbers_out_of_range_are_named_with_what_is_allowed(value: int | str | tuple[int, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        as_pair(value, "stride")


def test_the_least_number_is_the_callers_to_set() -> None:
    assert as_pair("0x2", "padding", least=0) == (0, 2)


@pytest.mark.parametrize(
    ("value", "padding"),
    [
        (0, (0, 0, 0, 0)),
        (2, (2, 2, 2, 2)),
        ("2", (2, 2, 2, 2)),
        ("1x0", (1, 0, 1, 0)),
        ((1, 0), (1, 0, 1, 0)),
        ((3,), (3, 3, 3, 3)),
        ("0/1/2/3", (0, 1, 2, 3)),
        ((0, 1, 2, 3), (0, 1, 2, 3)),
        ([0, 1, 2, 3], (0, 1, 2, 3)),
        ("valid", (0, 0, 0, 0)),
        ("same", PaddingWord.SAME),
        ("same-lower", PaddingWord.SAME_LOWER),
        ("half", PaddingWord.HALF),
        ("full", PaddingWord.FULL),
    ],
    ids=str,
)
def test_padding_is_a_number_a_pair_four_sides_or_a_word(value: int | str | tuple[int, ...], padding: Padding) -> None:
    assert as_padding(value) == padding


@pytest.mark.parametrize(
    ("text", "nearest"),
    [("smae", "same"), ("samelower", "same-lower"), ("vaild", "valid"), ("hal", "half"), ("ful", "full")],
)
def test_an_unknown_padding_is_named_with_the_nearest_word(text: str, nearest: str) -> None:
    with pytest.raises(LanguageError) as caught:
        as_padding(text)
    message, nearest_words = str(caught.value).split("; nearest: ")
    assert message == f"padding {text!r} is unknown: a number, HxW, T/L/B/R, or valid, same, same-lower, half, full"
    assert nearest_words.split(", ")[0] == nearest


@pytest.mark.parametrize("text", ["", "1/2", "1/2/3", "1/2/3/4/5", "1x2x3", "1.5", "+1", "/1/1/1", "١"])
def test_a_text_that_is_no_padding_is_refused(text: str) -> None:
    with pytest.raises(LanguageError, match=re.escape(f"padding {text!r} is unknown")):
        as_padding(text)


@pytest.mark.parametrize("value", [-1, "-1", "1x-1", (1, -1), "0/0/-1/0", (0, 0, -1, 0)], ids=str)
def test_no_padding_is_negative(value: int | str | tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="padding -1 is below 0, the least that is allowed"):
        as_padding(value)


@pytest.mark.parametrize("value", [(1, 2, 3), (1, 2, 3, 4, 5), ()], ids=str)
def test_padding_has_one_two_or_four_numbers(value: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=f"padding .* has {len(value)} numbers"):
        as_padding(value)


@pytest.mark.parametrize("value", ["100001", "0/0/0/100001", (0, 100_001)], ids=str)
def test_no_padding_is_absurdly_large(value: str | tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="padding 100001 is above 100000"):
        as_padding(value)


@pytest.mark.parametrize("text", [ENDLESS, f"{ENDLESS}x1", f"1x{ENDLESS}", f"-{ENDLESS}"], ids=lambda text: text[:4])
def test_a_size_of_thousands_of_digits_is_refused_like_any_other(text: str) -> None:
    with pytest.raises(CnnFilterError):
        as_pair(text, "stride")


@pytest.mark.parametrize("text", [ENDLESS, f"1x{ENDLESS}", f"1/1/1/{ENDLESS}"], ids=lambda text: text[:4])
def test_a_padding_of_thousands_of_digits_is_refused_like_any_other(text: str) -> None:
    with pytest.raises(CnnFilterError):
        as_padding(text)


def test_a_pair_is_shown_as_height_x_width() -> None:
    assert show_pair((3, 20)) == "3x20"


def count_windows(size: int, before: int, after: int, extent: int, stride: int) -> int:
    """Count the windows that lie within the padded image, by trying every place."""
    places = range(-before, size + after)
    return sum((place + before) % stride == 0 and place + extent <= size + after for place in places)


def count_windows_with_ceil(size: int, before: int, after: int, extent: int, stride: int) -> int:
    """Lay windows until one reaches the padded end, then take the last away if it starts beyond the image."""
    starts = [-before]
    while starts[-1] + extent < size + after:
        starts.append(starts[-1] + stride)
    return len(starts) - (starts[-1] >= size)


@given(SIZES, PIXELS, PIXELS, EXTENTS, STRIDES)
def test_the_formula_counts_the_windows_that_fit(size: int, before: int, after: int, extent: int, stride: int) -> None:
    fitting = count_windows(size, before, after, extent, stride)
    if fitting:
        assert output_size(size, before, after, extent, stride) == fitting
    else:
        with pytest.raises(
            ShapeError, match=f"spans {extent} pixels is larger than the padded input of {size + before + after}$"
        ):
            output_size(size, before, after, extent, stride)


@given(SIZES, EXTENTS, STRIDES, st.data())
def test_with_ceil_the_last_window_may_hang_over_but_never_start_beyond(
    size: int, extent: int, stride: int, data: st.DataObject
) -> None:
    before, after = data.draw(st.tuples(*[st.integers(0, extent // 2)] * 2), label="padding")
    if size + before + after < extent:
        with pytest.raises(ShapeError):
            output_size(size, before, after, extent, stride, ceil=True)
    else:
        counted = count_windows_with_ceil(size, before, after, extent, stride)
        assert output_size(size, before, after, extent, stride, ceil=True) == counted


@pytest.mark.parametrize(
    ("size", "before", "after", "extent", "stride", "floor", "ceiled"),
    [
        (224, 3, 3, 7, 2, 112, 113),
        (6, 0, 0, 3, 2, 2, 3),
        (5, 0, 0, 2, 2, 2, 3),
        (4, 1, 1, 2, 2, 3, 3),
        (3, 1, 1, 2, 3, 2, 2),
        (5, 1, 1, 2, 3, 2, 2),
        (7, 1, 1, 2, 3, 3, 3),
        (9, 1, 1, 4, 3, 3, 4),
        (1, 0, 0, 1, 1, 1, 1),
        (2, 0, 0, 1, 3, 1, 1),
        (7, 0, 0, 3, 2, 3, 3),
    ],
)
def test_sizes_with_and_without_ceil(
    size: int, before: int, after: int, extent: int, stride: int, floor: int, ceiled: int
) -> None:
    assert output_size(size, before, after, extent, stride) == floor
    assert output_size(size, before, after, extent, stride, ceil=True) == ceiled


@given(SIZES, EXTENTS, STRIDES)
def test_same_gives_ceil_of_size_over_stride_with_the_least_padding(size: int, extent: int, stride: int) -> None:
    before, after = same_padding(size, extent, stride)
    assert after - before in {0, 1}
    assert count_windows(size, before, after, extent, stride) == ceil(size / stride)
    if after:
        assert count_windows(size, before, after - 1, extent, stride) < ceil(size / stride)


@pytest.mark.parametrize(
    ("size", "extent", "stride", "padding"),
    [
        (224, 3, 2, (0, 1)),
        (224, 7, 2, (2, 3)),
        (5, 3, 1, (1, 1)),
        (5, 4, 1, (1, 2)),
        (5, 1, 3, (0, 0)),
        (5, 2, 3, (0, 0)),
        (1, 5, 1, (2, 2)),
    ],
)
def test_the_odd_pixel_of_same_goes_to_the_end(size: int, extent: int, stride: int, padding: Pair) -> None:
    assert same_padding(size, extent, stride) == padding


def window(
    size: Pair,
    padding: Padding,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
) -> Window:
    """Return a window with its padding in second place."""
    return Window(size, stride=stride, padding=padding, dilation=dilation)


PAIRS = st.tuples(st.integers(1, 5), st.integers(1, 5))
IMAGES = st.tuples(SIZES, SIZES)


@given(IMAGES, PAIRS, PAIRS, PAIRS)
def test_same_and_same_lower_keep_the_size_but_for_the_stride(
    image: Pair, size: Pair, stride: Pair, dilation: Pair
) -> None:
    upper, lower = (window(size, word, stride, dilation) for word in (PaddingWord.SAME, PaddingWord.SAME_LOWER))
    expected = tuple(ceil(pixels / step) for pixels, step in zip(image, stride, strict=True))
    assert upper.output(*image) == lower.output(*image) == expected
    top, left, bottom, right = upper.pads(*image)
    assert lower.pads(*image) == (bottom, right, top, left)
    assert (top, bottom) == same_padding(image[0], dilation[0] * (size[0] - 1) + 1, stride[0])
    assert (left, right) == same_padding(image[1], dilation[1] * (size[1] - 1) + 1, stride[1])


@given(IMAGES, PAIRS, PAIRS, PAIRS)
def test_half_is_half_of_the_dilated_kernel_on_each_side(image: Pair, size: Pair, stride: Pair, dilation: Pair) -> None:
    top, left, bottom, right = window(size, PaddingWord.HALF, stride, dilation).pads(*image)
    assert top == bottom == dilation[0] * (size[0] - 1) // 2
    assert left == right == dilation[1] * (size[1] - 1) // 2


@given(IMAGES, PAIRS, PAIRS)
def test_full_has_a_window_for_every_place_where_it_touches_the_image(image: Pair, size: Pair, dilation: Pair) -> None:
    full = window(size, PaddingWord.FULL, dilation=dilation)
    touching = [
        sum(start < pixels and start + extent > 0 for start in range(-extent, pixels + 1))
        for pixels, extent in zip(image, full.extent, strict=True)
    ]
    assert list(full.output(*image)) == touching


@given(IMAGES, PAIRS)
def test_valid_pads_nothing(image: Pair, size: Pair) -> None:
    assert window(size, PaddingWord.VALID).pads(*image) == window(size, as_padding("valid")).pads(*image) == (0,) * 4


@given(IMAGES, PAIRS, PAIRS, PAIRS, st.tuples(PIXELS, PIXELS, PIXELS, PIXELS))
def test_height_and_width_are_counted_each_by_itself(
    image: Pair, size: Pair, stride: Pair, dilation: Pair, padding: Sides
) -> None:
    rows = count_windows(image[0], padding[0], padding[2], dilation[0] * (size[0] - 1) + 1, stride[0])
    columns = count_windows(image[1], padding[1], padding[3], dilation[1] * (size[1] - 1) + 1, stride[1])
    laid = window(size, padding, stride, dilation)
    if rows and columns:
        assert laid.output(*image) == (rows, columns)
    else:
        with pytest.raises(ShapeError, match="is larger than the input of"):
            laid.output(*image)


@pytest.mark.parametrize(
    ("size", "dilation", "extent"),
    [((3, 3), (1, 1), (3, 3)), ((3, 2), (2, 5), (5, 6)), ((1, 1), (9, 9), (1, 1)), ((7, 6), (3, 3), (19, 16))],
)
def test_a_dilated_kernel_spans_its_gaps(size: Pair, dilation: Pair, extent: Pair) -> None:
    assert Window(size, dilation=dilation).extent == extent


@pytest.mark.parametrize(
    ("laid", "message"),
    [
        (Window((3, 3)), "a window of 3x3 is larger than the input of 2x9"),
        (Window((5, 1), padding=(1, 0, 1, 0)), "a window of 5x1 is larger than the input of 2x9 padded to 4x9"),
        (
            Window((2, 2), dilation=(3, 1)),
            "a window of 2x2 (spanning 4x2 by its dilation) is larger than the input of 2x9",
        ),
        (Window((1, 10)), "a window of 1x10 is larger than the input of 2x9"),
        (
            Window((9, 20), padding=(1, 2, 3, 5)),
            "a window of 9x20 is larger than the input of 2x9 padded to 6x16",
        ),
    ],
    ids=["kernel", "padded", "dilated", "wider", "four-sides"],
)
def test_a_window_larger_than_the_image_is_told_with_both_sizes(laid: Window, message: str) -> None:
    with pytest.raises(ShapeError) as caught:
        laid.output(2, 9)
    assert str(caught.value) == f"{message}; a smaller one, or padding such as `same`, would fit"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": (0, 3)}, "kernel size 0 is below 1"),
        ({"size": (3, 3), "stride": (0, 1)}, "stride 0 is below 1"),
        ({"size": (3, 3), "dilation": (1, 0)}, "dilation 0 is below 1"),
        ({"size": (3, 3), "padding": (0, 0, -1, 0)}, "padding -1 is below 0"),
        ({"size": (LARGEST + 1, 3)}, "kernel size 100001 is above 100000"),
    ],
    ids=["no-rows", "no-stride", "no-dilation", "negative-padding", "too-large"],
)
def test_a_window_that_cannot_be_is_never_made(arguments: dict[str, Pair], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        Window(**arguments)  # type: ignore[arg-type]
