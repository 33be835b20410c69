"""Augmentation: chances and numbers are drawn for an image, and the steps done with them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import groupby, takewhile
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Doubles, Floats, float_type
from cnnfilter.compute.engines import BORDERS
from cnnfilter.io.opencv import cv2
from cnnfilter.learn.steps import AugmentStep, AugmentSteps
from cnnfilter.nn.frozen import replace
from cnnfilter.nn.geometry import Border, BorderMode, Pair
from cnnfilter.nn.layers import Shape
from cnnfilter.nn.other_layers import Gray

_BORDERS = {**BORDERS, BorderMode.CONSTANT: cv2.BORDER_CONSTANT, BorderMode.WRAP: cv2.BORDER_WRAP}
_AFFINE = ("rotate", "shift", "scale", "shear")
"""Steps that are matrices: those that follow each other are one, and pixels are interpolated once."""

_SHARP = 0.05
"""A blur below this sigma leaves each pixel as it is: its neighbours weigh less than 1e-80."""

_FLATTEST = 3.0
"""An erased rectangle is at most so many times as wide as high, or as high as wide."""


class Drawn(NamedTuple):
    """A step that is done, and the numbers that were drawn for it, by their names."""

    step: AugmentStep
    values: dict[str, float]


def make_generator(seed: int, name: str, copy: int) -> np.random.Generator:
    """Return the source of random numbers of one copy of one image; it depends on nothing else, on any machine.

    Examples
    --------
    >>> make_generator(0, "cat.jpg", 1).integers(1000, size=3).tolist()
    [354, 741, 657]
    """
    digest = blake2b(b"%d\0%s\0%d" % (seed, os.fsencode(name), copy), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def augment(
    image: Array,
    steps: AugmentSteps,
    generator: np.random.Generator,
    *,
    white: float | None = None,
    has_alpha: bool = False,
) -> Array:
    """Return an augmented image: what `draw` draws for it, done by `apply`.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array
        Steps on colours (saturation, hue, gray) change three channels alone.
    steps : steps of `parse_steps`
    generator : numpy.random.Generator
        Where the numbers come from; it is used up as far as they are needed.
    white : float, optional
        The level of white. Default: 255 or 65535 for such integers, 1 for other types.
    has_alpha : bool
        Whether the fourth channel is alpha: it is moved with the colours, and changed by nothing else.

    Returns
    -------
    array of the image's type
        Integers are rounded half to even and clipped once, at the end. Its size is that of `output_shape`.
    """
    return apply(image, draw(steps, image.shape, generator), white=white, has_alpha=has_alpha)


def draw(steps: AugmentSteps, shape: Shape, generator: np.random.Generator) -> list[Drawn]:
    """Return the steps that are done to an image of a shape, with their numbers, in order.

    `ShapeError` if a crop is larger than the image.
    """
    drawn: list[Drawn] = []
    size = shape[0], shape[1]
    for step in steps:
        if step.chance == 1 or generator.random() < step.chance:
            drawn.append(Drawn(step, _draw_values(step, size, generator)))
        size = step.output(size)
    return drawn


def _draw_values(step: AugmentStep, size: Pair, generator: np.random.Generator) -> dict[str, float]:
    """Return the numbers of one step for an image of a (height, width)."""
    low, high, relative = step.span
    if step.name == "crop":
        height, width = step.output(size)
        top, left = (int(generator.integers(room + 1)) for room in (size[0] - height, size[1] - width))
        return {"top": top, "left": left, "height": height, "width": width}
    if step.name == "pad":
        return {"rows": step.size[0], "columns": step.size[1]}
    if step.name == "shift":
        sides = size if relative else (1, 1)
        rows, columns = (round(side * float(generator.uniform(low, high))) for side in sides)
        return {"rows": rows, "columns": columns}
    if step.kind.value != "span":
        return {}
    value = float(generator.uniform(low, high))
    if step.name == "erase":
        return _draw_rectangle(value, size, generator)
    values = {_QUANTITIES.get(step.name, "factor"): value}
    return values | {"seed": int(generator.integers(2**53))} if step.name in {"noise", "salt"} else values


_QUANTITIES = {
    **dict.fromkeys(("rotate", "shear", "hue"), "degrees"),
    **{"noise": "levels", "salt": "share", "blur": "sigma"},
}
"""What the number of a step is; of the others it is a factor."""


def _draw_rectangle(share: float, size: Pair, generator: np.random.Generator) -> dict[str, float]:
    """Return the place of a rectangle that covers a share of an image, of a shape that is drawn too."""
    ratio = float(np.exp(generator.uniform(-np.log(_FLATTEST), np.log(_FLATTEST))))
    area = share * size[0] * size[1]
    height = min(size[0], max(1, round((area * ratio) ** 0.5)))
    width = min(size[1], max(1, round(area / height)))
    top, left = (int(generator.integers(room + 1)) for room in (size[0] - height, size[1] - width))
    return {"top": top, "left": left, "height": height, "width": width}


def apply(image: Array, drawn: Sequence[Drawn], *, white: float | None = None, has_alpha: bool = False) -> Array:
    """Return an image after the steps that were drawn for it; see `augment`."""
    image, drawn = _cut_first(image, drawn)
    is_whole = image.dtype.kind in "bui"
    if white is None:
        white = float(np.iinfo(image.dtype).max) if image.dtype in (np.uint8, np.uint16) else 1.0
    floats: Floats = np.atleast_3d(np.asarray(image)).astype(float_type(image.dtype))
    if has_alpha:  # weighted by alpha, so that no colour of an invisible pixel is seen
        floats[:, :, :3] *= floats[:, :, 3:]
    for moves, group in groupby(drawn, lambda one: one.step.kind.moves or one.step.name == "blur"):
        if moves:
            floats = _move(floats, list(group), cv2.INTER_LINEAR)
            continue
        colours = _divide(floats) if has_alpha else floats
        for one in group:
            colours = _CHANGES[one.step.name](colours, one.values, white)
        floats = np.concatenate([colours * floats[:, :, 3:], floats[:, :, 3:]], axis=2) if has_alpha else colours
    if has_alpha:
        floats = np.concatenate([_divide(floats), floats[:, :, 3:]], axis=2)
    if is_whole:
        limits = np.iinfo(image.dtype) if image.dtype.kind != "b" else np.iinfo(np.uint8)
        floats = np.clip(np.rint(floats), limits.min, limits.max)
    result = floats.astype(image.dtype, copy=False)
    return result[:, :, 0] if image.ndim == 2 else result


def _cut_first(image: Array, drawn: Sequence[Drawn]) -> tuple[Array, Sequence[Drawn]]:
    """Return what the first steps leave of an image if they are crops, and the others: no other pixel is read."""
    crops = list(takewhile(lambda one: one.step.name == "crop", drawn))
    for step, values in crops:
        image = _crop(image, step, values)
    return image, drawn[len(crops) :]


def _divide(floats: Floats) -> Floats:
    """Return the colours of pixels that were weighted by alpha; black where nothing is visible."""
    alpha = floats[:, :, 3:]
    return np.divide(floats[:, :, :3], alpha, out=np.zeros_like(floats[:, :, :3]), where=alpha > 0)


def move_mask(mask: Array, drawn: Sequence[Drawn]) -> Array:
    """Return a mask moved as its image was: each pixel is one of the mask, or 0 where a border would be drawn.

    Examples
    --------
    >>> from cnnfilter.learn.steps import parse_steps
    >>> move_mask(np.array([[1, 2], [3, 4]]), [Drawn(step, {}) for step in parse_steps("flip:h flip:v noise:3")])
    array([[4, 3],
           [2, 1]])
    """
    mask, drawn = _cut_first(mask, drawn)
    mask = np.asarray(mask)
    places = np.arange(mask.shape[0] * mask.shape[1], dtype=np.int32).reshape(*mask.shape[:2], 1)
    moves = [Drawn(_with_nothing_outside(step), values) for step, values in drawn if step.kind.moves]
    places = _move(places, moves, cv2.INTER_NEAREST)[:, :, 0]
    moved = mask.reshape(-1, *mask.shape[2:])[places]
    moved[places < 0] = 0
    return moved


def _with_nothing_outside(step: AugmentStep) -> AugmentStep:
    """Return a step whose border of one value is marked by -1, which is no place in a mask."""
    has_value = step.border.mode in {BorderMode.ZERO, BorderMode.CONSTANT}
    return replace(step, border=Border(BorderMode.CONSTANT, -1)) if has_value else step


def _move(pixels: Array, drawn: Sequence[Drawn], interpolation: int) -> Array:
    """Return (H, W, C) pixels at other places, and blurred."""
    for kind, group in groupby(drawn, lambda one: (one.step.name in _AFFINE, one.step.border)):
        together = list(group)
        if kind[0]:
            pixels = _warp(pixels, together, interpolation)
            continue
        for step, values in together:
            pixels = np.ascontiguousarray(np.atleast_3d(_MOVES[step.name](pixels, step, values)))
    return pixels


def _warp(pixels: Array, drawn: Sequence[Drawn], interpolation: int) -> Array:
    """Return pixels turned, shifted, scaled and sheared about the centre of the image, all at once."""
    height, width = pixels.shape[:2]
    matrix = np.eye(3)
    for step, values in drawn:
        matrix = _make_matrix(step, values) @ matrix
    centre = np.array([[0, 0, (width - 1) / 2], [0, 0, (height - 1) / 2], [0, 0, 0]])
    matrix = (np.eye(3) + centre) @ matrix @ (np.eye(3) - centre)
    flags, border = interpolation | cv2.WARP_INVERSE_MAP, drawn[0].step.border
    value = [border.value] * 4
    inverse = np.linalg.inv(matrix)[:2].round(12)
    dtype = pixels.dtype
    if dtype == np.float64 and (inverse[:, :2] != np.eye(2)).any():  # which OpenCV interpolates at 32nds of a pixel
        pixels = pixels.astype(np.float32)
    warped = _by_four(
        pixels,
        lambda part: cv2.warpAffine(
            part, inverse, (width, height), flags=flags, borderMode=_BORDERS[border.mode], borderValue=value
        ),
    )
    return warped.astype(dtype, copy=False)


def _by_four(pixels: Array, call: Callable[[Array], Array]) -> Array:
    """Return what OpenCV makes of pixels, four channels at a time: so many values a border has."""
    starts = range(0, pixels.shape[2], 4)
    parts = [np.atleast_3d(call(np.ascontiguousarray(pixels[:, :, first : first + 4]))) for first in starts]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)


def _make_matrix(step: AugmentStep, values: dict[str, float]) -> Doubles:
    """Return what moves columns and rows, measured from the centre, as one step does."""
    if step.name == "shift":
        return np.array([[1, 0, values["columns"]], [0, 1, values["rows"]], [0, 0, 1]], np.float64)
    if step.name == "scale":
        return np.diag([values["factor"], values["factor"], 1.0])
    angle = np.radians(values["degrees"])
    if step.name == "shear":
        return np.array([[1, -np.tan(angle), 0], [0, 1, 0], [0, 0, 1]])
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])  # rows go down: this turns left


def _crop(pixels: Array, _step: AugmentStep, values: dict[str, float]) -> Array:
    top, left = int(values["top"]), int(values["left"])
    return pixels[top : top + int(values["height"]), left : left + int(values["width"])]


def _flip(pixels: Array, step: AugmentStep, _values: dict[str, float]) -> Array:
    return pixels[::-1] if step.vertical else pixels[:, ::-1]


def _pad(pixels: Array, step: AugmentStep, values: dict[str, float]) -> Array:
    rows, columns = int(values["rows"]), int(values["columns"])
    mode, value = _BORDERS[step.border.mode], [step.border.value] * 4
    return _by_four(pixels, lambda part: cv2.copyMakeBorder(part, rows, rows, columns, columns, mode, value=value))


def _blur(pixels: Array, _step: AugmentStep, values: dict[str, float]) -> Array:
    if values["sigma"] < _SHARP:
        return pixels
    return _by_four(pixels, lambda part: cv2.GaussianBlur(part, (0, 0), values["sigma"]))


_MOVES: dict[str, Callable[[Array, AugmentStep, dict[str, float]], Array]] = {
    "crop": _crop,
    "pad": _pad,
    "flip": _flip,
    "blur": _blur,
}
"""Steps that take pixels from other places, but for those that are matrices."""


def _add_noise(colours: Floats, values: dict[str, float], _white: float) -> Floats:
    drawn = _generate(values).standard_normal(colours.shape, np.float32)
    return colours + colours.dtype.type(values["levels"]) * drawn


def _add_salt(colours: Floats, values: dict[str, float], white: float) -> Floats:
    drawn, share = _generate(values).random(colours.shape[:2], np.float32), values["share"] / 2
    salted = colours.copy()
    salted[drawn < share] = 0
    salted[drawn >= 1 - share] = white
    return salted


def _generate(values: dict[str, float]) -> np.random.Generator:
    """Return the source of the numbers of all pixels, by the one that was drawn for the step."""
    return np.random.Generator(np.random.Philox(key=int(values["seed"])))


def _brighten(colours: Floats, values: dict[str, float], _white: float) -> Floats:
    return colours * colours.dtype.type(values["factor"])


def _contrast(colours: Floats, values: dict[str, float], _white: float) -> Floats:
    mean = _grey(colours).mean(dtype=np.float64)
    return _blend(colours, mean, values["factor"])


def _saturate(colours: Floats, values: dict[str, float], _white: float) -> Floats:
    return _blend(colours, _grey(colours), values["factor"]) if colours.shape[2] == 3 else colours


def _turn_hue(colours: Floats, values: dict[str, float], _white: float) -> Floats:
    if colours.shape[2] != 3:
        return colours
    hsv = cv2.cvtColor(colours.astype(np.float32), cv2.COLOR_RGB2HSV)
    hsv[:, :, 0] = (hsv[:, :, 0] + np.float32(values["degrees"])) % np.float32(360)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(colours.dtype)


def _make_grey(colours: Floats, _values: dict[str, float], _white: float) -> Floats:
    return np.broadcast_to(_grey(colours), colours.shape) if colours.shape[2] == 3 else colours


def _erase(colours: Floats, values: dict[str, float], _white: float) -> Floats:
    erased = colours.copy()
    _crop(erased, AugmentStep("crop"), values)[...] = 0
    return erased


def _grey(colours: Floats) -> Floats:
    """Return the luma of three channels, or the channels that there are, (H, W, 1 or C)."""
    return colours @ np.array(Gray.WEIGHTS, colours.dtype)[:, np.newaxis] if colours.shape[2] == 3 else colours


def _blend(colours: Floats, other: Floats | float, factor: float) -> Floats:
    """Return what is `factor` times as far from other values as some colours are."""
    kind = colours.dtype.type
    return np.asarray(other, kind) * kind(1 - factor) + colours * kind(factor)


_CHANGES: dict[str, Callable[[Floats, dict[str, float], float], Floats]] = {
    "noise": _add_noise,
    "salt": _add_salt,
    "brightness": _brighten,
    "contrast": _contrast,
    "saturation": _saturate,
    "hue": _turn_hue,
    "gray": _make_grey,
    "erase": _erase,
}
"""Steps that change colours where they are."""
