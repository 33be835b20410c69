"""Sizes: windows, strides, padding, borders, and what one unit sees."""

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from functools import cached_property
from operator import index
from typing import NamedTuple

from cnnfilter.errors import LanguageError, ShapeError, nearest
from cnnfilter.nn.frozen import Value
from cnnfilter.numbers import parse_number, show_number

Pair = tuple[int, int]
"""(height, width)."""

Sides = tuple[int, int, int, int]
"""Pixels on the (top, left, bottom, right)."""


class PaddingWord(StrEnum):
    """Paddings that follow from the window and the size of the image."""

    VALID = "valid"
    SAME = "same"
    SAME_LOWER = "same-lower"
    HALF = "half"
    FULL = "full"


Padding = Sides | PaddingWord
"""A padding as it was asked for: pixels on each side, or a word."""

LARGEST = 100_000
"""The largest kernel side, stride, dilation or padding: beyond any use, and small enough to add up."""

NO_PADDING: Sides = (0, 0, 0, 0)

_NUMBER = r"-?\d{1,18}"
_PAIR = rf"{_NUMBER}(x{_NUMBER})?"
_SIDES = rf"{_NUMBER}(/{_NUMBER}){{3}}"


def as_pair(value: int | str | Sequence[int], subject: str, least: int = 1) -> Pair:
    """Return (height, width) from `3`, `"3"`, `"3x2"` or `(3, 2)`."""
    if isinstance(value, str):
        if not re.fullmatch(_PAIR, value, re.ASCII):
            raise LanguageError(f"{subject} {value!r} is neither a number nor HxW, such as 3 or 3x2")
        value = [int(number) for number in value.split("x")]
    numbers = _whole_numbers(value, subject, least, (1, 2))
    return numbers[0], numbers[-1]


def as_padding(value: int | str | Sequence[int]) -> Padding:
    """Return the padding meant by a word, a number, `HxW`, `T/L/B/R`, or a tuple of 1, 2 or 4 numbers.

    Examples
    --------
    >>> as_padding("1x0")
    (1, 0, 1, 0)
    >>> as_padding("0/1/1/0")
    (0, 1, 1, 0)
    >>> as_padding("same")
    <PaddingWord.SAME: 'same'>
    """
    if isinstance(value, str):
        if value in list(PaddingWord):
            return NO_PADDING if value == PaddingWord.VALID else PaddingWord(value)
        if not re.fullmatch(f"{_PAIR}|{_SIDES}", value, re.ASCII):
            known = f"a number, HxW, T/L/B/R, or {', '.join(PaddingWord)}"
            raise LanguageError(f"padding {value!r} is unknown: {known}{nearest(value, PaddingWord)}")
        value = [int(number) for number in re.split("[x/]", value)]
    numbers = _whole_numbers(value, "padding", 0, (1, 2, 4))
    top, left, bottom, right = numbers if len(numbers) == 4 else (numbers[0], numbers[-1]) * 2
    return top, left, bottom, right


def _whole_numbers(value: int | Sequence[int], subject: str, least: int, counts: tuple[int, ...]) -> list[int]:
    """Return whole numbers, of numpy too, of an allowed count and range; 2.5 is refused."""
    try:
        numbers = [index(number) for number in value] if isinstance(value, Iterable) else [index(value)]
    except TypeError as error:
        raise ShapeError(f"{subject} {value!r} is not a whole number, or one for height and one for width") from error
    if len(numbers) not in counts:
        four = ", or four (top, left, bottom, right)" if 4 in counts else ""
        raise ShapeError(f"{subject} {numbers} has {len(numbers)} numbers; give one, or two (height, width){four}")
    for number in numbers:
        if number < least:
            raise ShapeError(f"{subject} {number} is below {least}, the least that is allowed")
        if number > LARGEST:
            raise ShapeError(f"{subject} {number} is above {LARGEST}, the most that is allowed")
    return numbers


class Region(NamedTuple):
    """Rows and columns of a result, each from one place to before another, as in slices of numpy; None is an open end.

    Examples
    --------
    >>> as_region("2:-1,:5").cut((20, 30, 3))
    (slice(2, 19, None), slice(0, 5, None))
    """

    rows: tuple[int | None, int | None]
    columns: tuple[int | None, int | None]

    def __str__(self) -> str:
        return ",".join(":".join("" if end is None else str(end) for end in ends) for ends in self)

    def cut(self, shape: tuple[int, ...]) -> tuple[slice, slice]:
        """Return the rows and the columns of a (height, width, channels) result; `ShapeError` if some are not there."""
        if len(shape) < 3:
            raise ShapeError(f"the region {self} has rows and columns, and the result is a vector of {shape[0]}")
        parts = []
        for subject, ends, size in zip(("rows", "columns"), self, shape[:2], strict=True):
            if any(end is not None and not -size <= end <= size for end in ends):
                raise ShapeError(f"the region {self} is outside the result, which has {size} {subject}")
            start, stop, _ = slice(*ends).indices(size)
            if start >= stop:
                raise ShapeError(f"the region {self} is empty: the result has {size} {subject}")
            parts.append(slice(start, stop))
        return parts[0], parts[1]


def as_region(text: str) -> Region:
    """Return the region that `Y1:Y2,X1:X2` writes."""
    end = r"(-?\d{1,9})?"
    match = re.fullmatch(rf"{end}:{end}, ?{end}:{end}", text.strip(), re.ASCII)
    if not match:
        raise LanguageError(f"region {text!r} is not Y1:Y2,X1:X2, rows and columns from 0, such as 10:20,0:-1 or :,5:")
    top, bottom, left, right = (None if number is None else int(number) for number in match.groups())
    return Region((top, bottom), (left, right))


def same_padding(size: int, extent: int, stride: int) -> Pair:
    """Return the padding (before, after) that gives ceil(size / stride) outputs along one axis.

    An odd pixel goes to the end, as in TensorFlow's SAME and ONNX's SAME_UPPER.

    Examples
    --------
    >>> same_padding(224, 3, 2)
    (0, 1)
    """
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + extent - size, 0)
    return total // 2, total - total // 2


def output_size(size: int, before: int, after: int, extent: int, stride: int, *, ceil: bool = False) -> int:
    """Return how many windows fit along one axis.

    With `ceil` a last window may hang over the end, unless it would start beyond the image and its leading padding.
    """
    room = size + before + after - extent
    if room < 0:
        raise ShapeError(f"a kernel that spans {extent} pixels is larger than the padded input of {room + extent}")
    if not ceil:
        return room // stride + 1
    outputs = -(-room // stride) + 1
    return outputs - 1 if (outputs - 1) * stride >= size + before else outputs


class Window(Value):
    """A kernel's or a pool's window and how it moves over an image; with `ceil` a last one may hang over the end.

    Examples
    --------
    >>> Window((7, 7), stride=(2, 2), padding=(3, 3, 3, 3)).output(224, 224)
    (112, 112)
    """

    size: Pair
    stride: Pair = (1, 1)
    padding: Padding = NO_PADDING
    dilation: Pair = (1, 1)
    ceil: bool = False

    def __post_init__(self) -> None:
        for subject, pair in (("kernel size", self.size), ("stride", self.stride), ("dilation", self.dilation)):
            _whole_numbers(pair, subject, 1, (2,))
        if not isinstance(self.padding, PaddingWord):
            _whole_numbers(self.padding, "padding", 0, (4,))

    @cached_property
    def extent(self) -> Pair:
        """The (height, width) that the kernel spans, gaps of the dilation included."""
        return self.dilation[0] * (self.size[0] - 1) + 1, self.dilation[1] * (self.size[1] - 1) + 1

    def pads(self, height: int, width: int) -> Sides:
        """Return the pixels added to an image of this size on its (top, left, bottom, right)."""
        if not isinstance(self.padding, PaddingWord):
            return self.padding
        top, bottom = self._axis_padding(self.padding, 0, height)
        left, right = self._axis_padding(self.padding, 1, width)
        return top, left, bottom, right

    def _axis_padding(self, word: PaddingWord, axis: int, size: int) -> Pair:
        extent = self.extent[axis]
        match word:
            case PaddingWord.VALID:
                return 0, 0
            case PaddingWord.HALF:
                return (extent - 1) // 2, (extent - 1) // 2
            case PaddingWord.FULL:
                return extent - 1, extent - 1
        before, after = same_padding(size, extent, self.stride[axis])
        return (before, after) if word is PaddingWord.SAME else (after, before)

    def output(self, height: int, width: int) -> Pair:
        """Return the (height, width) of what comes out of an image of this size."""
        top, left, bottom, right = self.pads(height, width)
        if self.extent[0] > height + top + bottom or self.extent[1] > width + left + right:
            dilated = f" (spanning {show_pair(self.extent)} by its dilation)" if self.extent != self.size else ""
            padding = f" padded to {height + top + bottom}x{width + left + right}"
            raise ShapeError(
                f"a window of {show_pair(self.size)}{dilated} is larger than the input of {height}x{width}"
                f"{padding if any((top, left, bottom, right)) else ''}; "
                "a smaller one, or padding such as `same`, would fit"
            )
        return (
            output_size(height, top, bottom, self.extent[0], self.stride[0], ceil=self.ceil),
            output_size(width, left, right, self.extent[1], self.stride[1], ceil=self.ceil),
        )

    def options(self, usual_stride: Pair, *, names_valid: bool = False) -> Iterator[str]:
        """Yield stride, padding and dilation as the language writes them, where they are not the usual ones.

        With `names_valid` no padding is written `valid`.
        """
        if self.stride != usual_stride:
            yield f"s{show_side(self.stride)}"
        if isinstance(self.padding, PaddingWord):
            yield str(self.padding)
        elif self.padding != NO_PADDING:
            text = show_padding(self.padding)
            yield f"p={text}" if "/" in text else f"p{text}"
        elif names_valid:
            yield PaddingWord.VALID.value
        if self.dilation != (1, 1):
            yield f"d{show_side(self.dilation)}"


def show_pair(pair: Pair) -> str:
    """Return `HxW`."""
    return f"{pair[0]}x{pair[1]}"


def show_side(pair: Pair) -> str:
    """Return a pair in its shortest form: `3` or `3x2`."""
    return str(pair[0]) if pair[0] == pair[1] else show_pair(pair)


def show_padding(padding: Sides) -> str:
    """Return pixels on each side in their shortest form: `1`, `1x0` or `0/1/1/0`."""
    top, left, bottom, right = padding
    return show_side((top, left)) if (top, left) == (bottom, right) else "/".join(map(str, padding))


class BorderMode(StrEnum):
    """How the pixels beyond the edge follow from those within."""

    ZERO = "zero"
    EDGE = "edge"
    REFLECT = "reflect"
    SYMMETRIC = "symmetric"
    WRAP = "wrap"
    CONSTANT = "constant"


class Border(NamedTuple):
    """A border's mode, and its value where the mode is `constant`."""

    mode: BorderMode = BorderMode.ZERO
    value: float = 0.0

    def __str__(self) -> str:
        return f"constant:{show_number(self.value)}" if self.mode is BorderMode.CONSTANT else str(self.mode)


_BORDERS_MEANT = {
    "constant": "; constant:V is meant, such as constant:255",
    "replicate": "; edge does that",
    "mirror": "; reflect does that",
    "circular": "; wrap does that",
}
"""What to write for the borders of other libraries: PyTorch has replicate and circular, scipy has mirror."""


def as_border(value: str | Border) -> Border:
    """Return the border named `zero`, `edge`, `reflect`, `symmetric`, `wrap` or `constant:V`."""
    if isinstance(value, Border):
        return value
    word, colon, number = value.partition(":")
    if word not in list(BorderMode) or bool(colon) != (word == BorderMode.CONSTANT):
        names = [mode for mode in BorderMode if mode is not BorderMode.CONSTANT]
        meant = _BORDERS_MEANT.get(word) or nearest(word, BorderMode)
        raise LanguageError(f"border {value!r} is unknown: {', '.join(names)} or constant:V{meant}")
    try:
        return Border(BorderMode(word), parse_number(number) if colon else 0.0)
    except ValueError as error:
        raise LanguageError(f"border {value!r}: {error}; a number is needed, as in constant:255") from error


def default_padding(border: Border) -> Padding:
    """Return the padding where none is given: `same` for a border other than zero, which needs pixels to fill."""
    return NO_PADDING if border.mode is BorderMode.ZERO else PaddingWord.SAME
