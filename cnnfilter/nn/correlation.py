"""The layer of `cnnfilter correlate`: which shifts of a pattern it has a value for."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import PurePath
from typing import NamedTuple

from cnnfilter.errors import LanguageError, ShapeError
from cnnfilter.nn.geometry import Pair, show_pair
from cnnfilter.nn.layers import Layer, Shape


class Similarity(StrEnum):
    """What is done to the sums of products, so that they can be compared."""

    NONE = "none"
    MEAN = "mean"
    NCC = "ncc"
    PHASE = "phase"


class Overlap(StrEnum):
    """Which shifts there is a value for, as in scipy: all, as many as the image has pixels, or those within it."""

    FULL = "full"
    SAME = "same"
    VALID = "valid"


class Pattern(NamedTuple):
    """The file of a pattern, its size, and whether it is a matrix rather than an image."""

    path: str
    size: Pair
    matrix: bool


def find_lags(size: int, pattern: int, mode: Overlap) -> range:
    """Return the shifts along one axis, such as (-2, -1, 0, 1, 2, 3) of a pattern of 3 in an image of 4.

    Examples
    --------
    >>> [list(find_lags(4, 3, mode)) for mode in Overlap]
    [[-2, -1, 0, 1, 2, 3], [-1, 0, 1, 2], [0, 1]]
    """
    if mode is Overlap.VALID:
        return range(size - pattern + 1)
    first = 1 - pattern if mode is Overlap.FULL else -(pattern // 2)
    return range(first, size if mode is Overlap.FULL else first + size)


def choose_mode(size: Pair, pattern: Pair) -> Overlap:
    """Return `valid` where the pattern has room to move within the image, else `full`."""
    fits = pattern[0] <= size[0] and pattern[1] <= size[1] and pattern != size
    return Overlap.VALID if fits else Overlap.FULL


class Correlation(Layer):
    """r[dy, dx] = sum of a[y + dy, x + dx] b[y, x], of an image or a matrix a and a pattern b, which is a if not given.

    Without a mode it is `valid` where the pattern has room to move within the image, else `full`.
    """

    ROWS = "whole"
    ALPHA = "none"
    KEEPS_CHANNELS = False
    TRAINABLE = False
    op = "correlate"

    pattern: Pattern | None = None
    mode: Overlap | None = None
    similarity: Similarity = Similarity.NONE

    def __post_init__(self) -> None:
        if self.similarity is Similarity.PHASE and self.mode in {Overlap.SAME, Overlap.VALID}:
            raise LanguageError(f"--normalize phase takes --mode full alone, not {self.mode}")

    @property
    def files(self) -> tuple[str, ...]:
        """The path of the pattern, if there is one."""
        return (self.pattern.path,) if self.pattern else ()

    def options(self) -> Iterator[str]:
        """Yield what the pattern is called, and the options that are not the usual ones."""
        if self.pattern:
            yield PurePath(self.pattern.path).name
        if self.similarity is not Similarity.NONE:
            yield self.similarity

    def lags(self, size: Pair) -> tuple[range, range]:
        """Return the shifts (dy, dx) that there is a value for, of an image of (height, width)."""
        pattern = self.pattern.size if self.pattern else size
        is_phase = self.similarity is Similarity.PHASE
        mode = Overlap.FULL if is_phase else self.mode or choose_mode(size, pattern)
        if mode is Overlap.VALID and (pattern[0] > size[0] or pattern[1] > size[1]):
            raise ShapeError(
                f"the pattern, {show_pair(pattern)}, is larger than the image, {show_pair(size)}, and --mode valid "
                "keeps it within; --mode full lets it reach beyond"
            )
        return find_lags(size[0], pattern[0], mode), find_lags(size[1], pattern[1], mode)

    def output(self, shape: Shape) -> Shape:
        """Return (height', width', 1)."""
        height, width, channels = self.volume(shape)
        if channels not in {1, 3}:
            raise ShapeError(f"correlate takes grey or RGB images and matrices of one channel, not {channels} channels")
        rows, columns = self.lags((height, width))
        return len(rows), len(columns), 1

    def check_kind(self, *, matrix: bool, channels: int) -> None:
        """Raise a `ShapeError` if an input and the pattern are not both images, or both matrices of one channel."""
        if self.pattern and self.pattern.matrix is not matrix:
            kinds = ("a matrix", "an image") if matrix else ("an image", "a matrix")
            hint = "" if matrix else f"; `cnnfilter convolve -k {self.pattern.path}` lays a matrix on an image"
            raise ShapeError(f"the input is {kinds[0]} and {self.pattern.path} {kinds[1]}; both are one kind{hint}")
        if matrix and channels > 1:
            raise ShapeError(f"the matrix has {channels} channels, and a correlation takes one")
