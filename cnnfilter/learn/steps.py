"""The words of an augmentation, such as `flip rotate:-15..15,p=0.3`, and the sizes that come of them; without numpy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from cnnfilter.errors import LanguageError, ShapeError, nearest
from cnnfilter.nn.frozen import Value
from cnnfilter.nn.geometry import Border, Pair, as_border, as_pair, show_pair
from cnnfilter.nn.layers import Shape, show_shape
from cnnfilter.numbers import DECIMAL, parse_number, show_number


class Span(NamedTuple):
    """Numbers that are drawn evenly, from `low` to `high`; `relative` ones are shares of a side or of all."""

    low: float
    high: float
    relative: bool = False


class StepKind(NamedTuple):
    """What is known of a step: an example, the numbers that it takes, and whether it moves pixels.

    `value` is `span`, `size`, `axis`, or empty for a step without one; a span is from `least` to `most`, and `percent`
    says whether `10%` is allowed. `bordered` ones take `border=`. `chance` is how often it is done unless `p=` says it.
    """

    example: str
    value: str = "span"
    least: float = 0.0
    most: float = float("inf")
    percent: bool = False
    moves: bool = False
    bordered: bool = False
    chance: float = 1.0


_ANY = float("inf")

KINDS = {
    "crop": StepKind("crop:224x224", "size", moves=True),
    "pad": StepKind("pad:4", "size", moves=True, bordered=True),
    "flip": StepKind("flip", "axis", moves=True, chance=0.5),
    "rotate": StepKind("rotate:-15..15", least=-_ANY, moves=True, bordered=True),
    "shift": StepKind("shift:-10%..10%", least=-_ANY, percent=True, moves=True, bordered=True),
    "scale": StepKind("scale:0.8..1.2", least=0.01, most=100.0, moves=True, bordered=True),
    "shear": StepKind("shear:-10..10", least=-80.0, most=80.0, moves=True, bordered=True),
    "noise": StepKind("noise:5"),
    "salt": StepKind("salt:0.01", most=1.0, percent=True),
    "blur": StepKind("blur:0..1.5", most=1000.0),
    "brightness": StepKind("brightness:0.8..1.2"),
    "contrast": StepKind("contrast:0.8..1.2"),
    "saturation": StepKind("saturation:0.8..1.2"),
    "hue": StepKind("hue:-18..18", least=-_ANY),
    "gray": StepKind("gray,p=0.1", ""),
    "erase": StepKind("erase:0.02..0.2", most=1.0, percent=True),
}
"""Every step by its name."""


class AugmentStep(Value):
    """One step: its name, its value (a span, a size or an axis), how often it is done, and what is beyond the edge."""

    name: str
    span: Span = Span(0.0, 0.0)
    size: Pair = (0, 0)
    vertical: bool = False
    chance: float = 1.0
    border: Border = Border()

    @property
    def kind(self) -> StepKind:
        """What is known of such steps."""
        return KINDS[self.name]

    def output(self, size: Pair) -> Pair:
        """Return the (height, width) that an image of some has after the step; `ShapeError` if it is too small."""
        if self.name == "pad":
            return size[0] + 2 * self.size[0], size[1] + 2 * self.size[1]
        if self.name == "crop" and (self.size[0] > size[0] or self.size[1] > size[1]):
            raise ShapeError(
                f"crop:{show_pair(self.size)} is larger than the image, {show_pair(size)}; pad enlarges it"
            )
        return self.size if self.name == "crop" else size


AugmentSteps = tuple[AugmentStep, ...]


class Augmentation(NamedTuple):
    """What is done to a copy of an image: numbers are drawn by the seed, the image's name and the copy, from 1."""

    steps: AugmentSteps
    seed: int = 0
    name: str = ""
    copy: int = 1


def output_shape(steps: AugmentSteps, shape: Shape) -> Shape:
    """Return the shape of an image after some steps, without doing them; `ShapeError` if a crop does not fit.

    Examples
    --------
    >>> output_shape(parse_steps("pad:4 crop:28x32 flip"), (32, 32, 3))
    (28, 32, 3)
    """
    size = shape[0], shape[1]
    for step in steps:
        try:
            size = step.output(size)
        except ShapeError as error:
            raise ShapeError(f"{error} (image {show_shape(shape)})" if size != shape[:2] else str(error)) from error
    return *size, *shape[2:]


def parse_steps(text: str) -> AugmentSteps:
    """Return the steps that a text writes, separated by blanks; `LanguageError` names the word that is wrong.

    Examples
    --------
    >>> [step.name for step in parse_steps("pad:4 crop:32x32 flip rotate:-15..15,p=0.3")]
    ['pad', 'crop', 'flip', 'rotate']
    >>> parse_steps("shift:-10%..10%")[0].span
    Span(low=-0.1, high=0.1, relative=True)
    """
    words = text.split()
    if not words:
        raise LanguageError("no step is given; the steps of an augmentation are words such as flip rotate:-15..15")
    return tuple(_parse_step(word) for word in words)


def _parse_step(word: str) -> AugmentStep:
    name, colon, rest = word.partition(":")
    if "," in name:  # a step without a value, but with a chance
        name, _, rest = word.partition(",")
        colon = ""
    if name not in KINDS:
        raise LanguageError(f"unknown step {word!r}{nearest(name, KINDS)}; steps are {', '.join(KINDS)}")
    options = rest.split(",") if rest or colon else []
    step = AugmentStep(name, chance=KINDS[name].chance)
    try:
        fields = _read_options(step, options, has_value=bool(colon))
    except (LanguageError, ValueError) as error:
        raise LanguageError(f"step {word!r}: {error}") from error
    return AugmentStep(name, **{"chance": step.chance, **fields})


def _read_options(step: AugmentStep, options: Sequence[str], *, has_value: bool) -> dict[str, Any]:
    """Return the fields of a step that its options give."""
    fields: dict[str, Any] = {}
    kind, first = step.kind, options[0] if has_value and options else ""
    if has_value and "=" not in first:
        fields, options = _read_value(step, first), options[1:]
    elif kind.value in {"span", "size"}:
        raise LanguageError(f"{step.name} needs a value, as in {kind.example}")
    for option in options:
        key, sign, value = option.partition("=")
        if sign and key == "p":
            fields["chance"] = _read_chance(step, value)
        elif sign and key == "border" and kind.bordered:
            fields["border"] = as_border(value)
        elif re.fullmatch(DECIMAL, option) and kind.value == "span":
            raise LanguageError(f"two numbers are written A..B, as in {kind.example}")
        else:
            known = "p=0.3" + " and border=reflect" * kind.bordered
            raise LanguageError(f"{option!r} is not an option; {step.name} takes {known}")
    return fields


def _read_chance(step: AugmentStep, text: str) -> float:
    if step.kind.value == "size":
        raise LanguageError(f"{step.name} is always done, because it sets the size of the result; leave out p=")
    chance = parse_number(text)
    if not 0 < chance <= 1:
        raise LanguageError(f"p={text} is not a chance, above 0 and up to 1")
    return chance


def _read_value(step: AugmentStep, text: str) -> dict[str, Any]:
    """Return the span, the size or the axis that a step's value writes."""
    match step.kind.value:
        case "size":
            return {"size": as_pair(text, step.name, least=0 if step.name == "pad" else 1)}
        case "axis" if text in {"h", "v"}:
            return {"vertical": text == "v"}
        case "axis":
            raise LanguageError(f"{text!r} is not an axis: flip mirrors left and right, flip:v top and bottom")
        case "span":
            return {"span": _read_span(step, text)}
    raise LanguageError(f"{step.name} takes no value, and {text!r} is given")


def _read_span(step: AugmentStep, text: str) -> Span:
    kind, ends = step.kind, text.split("..")
    if len(ends) > 2 or not all(re.fullmatch(rf"{DECIMAL}%?", end, re.ASCII) for end in ends):
        raise LanguageError(f"{text!r} is not a number or A..B, as in {kind.example}")
    relative = {end.endswith("%") for end in ends}
    if relative == {True, False}:
        raise LanguageError(f"one end of {text!r} is in percent and the other is not")
    if True in relative and not kind.percent:
        raise LanguageError(f"{step.name} takes no percent; a share of 10% is 0.1")
    numbers = [parse_number(end.removesuffix("%")) / (100 if end.endswith("%") else 1) for end in ends]
    low, high = numbers[0], numbers[-1]
    if low > high:
        raise LanguageError(f"{text!r} goes from the larger to the smaller number; write {ends[1]}..{ends[0]}")
    if low < kind.least or high > kind.most:
        limits = f"at least {show_number(kind.least)}"
        if kind.most < _ANY:
            limits = f"from {show_number(kind.least)} to {show_number(kind.most)}"
        raise LanguageError(f"{text!r} is out of range; {step.name} takes numbers {limits}")
    return Span(low, high, relative=relative == {True})
