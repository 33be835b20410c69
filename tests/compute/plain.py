"""The formulas as plain loops, in their most obvious form: the reference that the fast code is held against.

Numbers stay Python's own, so that whole numbers are exact at any size. Everything is slow on purpose.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnfilter.arrays import Array
from cnnfilter.nn.geometry import Pair, Sides

Values = list[Any]
"""Rows of columns of channels."""


@dataclass(frozen=True)
class Move:
    """How a window moves: (height, width) each, padding as (top, left, bottom, right)."""

    stride: Pair = (1, 1)
    sides: Sides = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    ceil: bool = False


@dataclass(frozen=True)
class Beyond:
    """What stands beyond the edge: the name of a border, and the value of `constant`."""

    mode: str = "zero"
    value: float = 0


def place_beyond(place: int, size: int, mode: str) -> int | None:
    """Return which of `size` pixels stands at a place before, in or after them; None for a constant."""
    if 0 <= place < size:
        return place
    if mode in {"zero", "constant"}:
        return None
    if mode == "edge":
        return 0 if place < 0 else size - 1
    if mode == "wrap":
        return place % size
    if size == 1:
        return 0
    while not 0 <= place < size:
        if mode == "reflect":
            place = -place if place < 0 else 2 * (size - 1) - place
        else:
            place = -place - 1 if place < 0 else 2 * size - 1 - place
    return place


def count_windows(size: int, before: int, after: int, extent: int, stride: int, ceil: bool) -> int:
    """Return how many windows there are along one axis."""
    count = 0
    while count * stride + extent <= before + size + after:
        count += 1
    reached = (count - 1) * stride + extent
    if ceil and count and reached < before + size + after and count * stride < before + size:
        count += 1
    return count


def count_outputs(size: Pair, window: Pair, move: Move) -> Pair:
    """Return the (height, width) of what comes out of an image of `size`."""
    counts = [
        count_windows(
            size[axis],
            move.sides[axis],
            move.sides[axis + 2],
            move.dilation[axis] * (window[axis] - 1) + 1,
            move.stride[axis],
            move.ceil,
        )
        for axis in (0, 1)
    ]
    return counts[0], counts[1]


def pad_plainly(volume: Array, sides: Sides, beyond: Beyond) -> Values:
    """Return a volume (H, W, C) with pixels on its (top, left, bottom, right)."""
    height, width, channels = volume.shape
    pixels = volume.tolist()
    padded = []
    for y in range(-sides[0], height + sides[2]):
        line = []
        for x in range(-sides[1], width + sides[3]):
            row, column = place_beyond(y, height, beyond.mode), place_beyond(x, width, beyond.mode)
            known = row is not None and column is not None
            line.append(pixels[row][column] if known else [beyond.value] * channels)
        padded.append(line)
    return padded


def convolve_plainly(
    volume: Array, bank: Array, move: Move, beyond: Beyond, *, groups: int = 1, bias: Sequence[float] | None = None
) -> Values:
    """Return the feature maps of a volume (H, W, C) under a bank (kh, kw, C / groups, out)."""
    tall, wide, inputs, outputs = bank.shape
    padded, weights = pad_plainly(volume, move.sides, beyond), bank.tolist()
    rows, columns = count_outputs((volume.shape[0], volume.shape[1]), (tall, wide), move)
    maps = []
    for i in range(rows):
        line = []
        for j in range(columns):
            point = []
            for m in range(outputs):
                first = (m // (outputs // groups)) * inputs
                total = 0
                for a in range(tall):
                    for b in range(wide):
                        pixel = padded[i * move.stride[0] + a * move.dilation[0]][
                            j * move.stride[1] + b * move.dilation[1]
                        ]
                        for c in range(inputs):
                            total += pixel[first + c] * weights[a][b][c][m]
                point.append(total + (0 if bias is None else bias[m]))
            line.append(point)
        maps.append(line)
    return maps


def pool_plainly(volume: Array, mode: str, window: Pair, move: Move, *, count_include_pad: bool = False) -> Values:
    """Return the pooled volume of a volume (H, W, C)."""
    height, width, channels = volume.shape
    pixels = volume.tolist()
    rows, columns = count_outputs((height, width), window, move)
    pooled = []
    for i in range(rows):
        line = []
        for j in range(columns):
            seen, padding = [], 0
            for a in range(window[0]):
                for b in range(window[1]):
                    y = i * move.stride[0] + a * move.dilation[0] - move.sides[0]
                    x = j * move.stride[1] + b * move.dilation[1] - move.sides[1]
                    if 0 <= y < height and 0 <= x < width:
                        seen.append(pixels[y][x])
                    elif y < height + move.sides[2] and x < width + move.sides[3]:
                        padding += 1  # what lies beyond the padding hangs over, and never counts
            divisor = len(seen) + (padding if count_include_pad else 0)
            line.append([join_plainly(mode, [pixel[c] for pixel in seen], divisor) for c in range(channels)])
        pooled.append(line)
    return pooled


def join_plainly(mode: str, values: list[float], divisor: int) -> float:
    """Return what a pool makes of the pixels in a window, and of how many places count; 0 of none at all."""
    if not values:
        return 0
    if any(math.isnan(value) for value in values):
        return math.nan
    ordered = sorted(values)
    middle = len(ordered) // 2
    match mode:
        case "max":
            return ordered[-1]
        case "min":
            return ordered[0]
        case "median":
            return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
        case "avg":
            return sum(values) / divisor
        case _:
            return math.sqrt(sum(value * value for value in values))


def connect_plainly(volume: Array, weight: Array, bias: Sequence[float] | None = None) -> list[float]:
    """Return the outputs of a linear layer, (out, C x H x W) as in PyTorch, on a flattened volume (H, W, C)."""
    height, width, channels = volume.shape
    pixels, rows = volume.tolist(), weight.tolist()
    outputs = []
    for number, row in enumerate(rows):
        total = 0 if bias is None else bias[number]
        for channel in range(channels):
            for y in range(height):
                for x in range(width):
                    total += row[(channel * height + y) * width + x] * pixels[y][x][channel]
        outputs.append(total)
    return outputs


def normalize_batch_plainly(channels: Sequence[float], tensors: Mapping[str, Sequence[float]], eps: float) -> Values:
    """Return the channels of one pixel shifted and scaled by what was measured and learned."""
    return [
        (x - tensors["running_mean"][c]) / math.sqrt(tensors["running_var"][c] + eps) * tensors["weight"][c]
        + tensors["bias"][c]
        for c, x in enumerate(channels)
    ]


def normalize_locally_plainly(channels: Sequence[float], size: int, alpha: float, beta: float, k: float) -> Values:
    """Return the channels of one pixel divided by what stands around them: `size`, one more before if it is even."""
    normalized = []
    for c, x in enumerate(channels):
        total = 0.0
        for neighbour in range(c - size // 2, c - size // 2 + size):
            if 0 <= neighbour < len(channels):
                total += channels[neighbour] ** 2
        normalized.append(x / (k + alpha * total / size) ** beta)
    return normalized


def equalize_plainly(levels: Sequence[float], white: float) -> Values:
    """Return levels spread by how many pixels have at most each of them; the least becomes 0, the greatest white."""
    darkest = sum(level == min(levels) for level in levels)
    if darkest == len(levels):
        return list(levels)
    upto = [sum(other <= level for other in levels) for level in levels]
    return [white * (count - darkest) / (len(levels) - darkest) for count in upto]
