"""The warning where values were clipped, with the one cure that fits the network and the options."""

from __future__ import annotations

import numpy as np

from cnnfilter.compute.forward import ZERO_SUM, Step, build_bank
from cnnfilter.compute.tiles import Model
from cnnfilter.io.formats import Range
from cnnfilter.io.levels import MOST_CLIPPED, describe_clipping
from cnnfilter.nn.layers import Convolution, Shape
from cnnfilter.run.settings import Settings

_MOST_SHARPENED = 0.25
"""The share of values that a kernel that sharpens may clip without a warning: that is what sharpening does."""

_SCALE = "--range scale shows them"

_CLIPPING = {Range.CLIP, Range.MAX}
"""Ranges that were asked for, and clip."""


def counts_clipped(settings: Settings) -> bool:
    """Return whether the share of values that were clipped is reported, or may bring a warning."""
    return settings.report is not None or (settings.warns and settings.range_ not in _CLIPPING)


def warn_about_clipping(share: float, model: Model | None, shape: Shape, settings: Settings) -> str:
    """Return a warning, or nothing where few values were clipped, or the range asked for clips them.

    The `shape` is that of the colours that the model saw; without one they are a result themselves.
    """
    if share <= MOST_CLIPPED or settings.range_ in _CLIPPING:
        return ""
    step, channels = _find_convolution(model, shape)
    most, cure = _find_cure(step, channels, settings) if step else (MOST_CLIPPED, _SCALE)
    return describe_clipping(share, cure) if share > most else ""


def _find_convolution(model: Model | None, shape: Shape) -> tuple[Step | None, int]:
    """Return the only layer of a network, if it is a convolution with given kernels, and how many channels it sees."""
    program = model.program(shape) if model else None
    steps = [step for step in program.steps if step.node.layer.op != "gray"] if program else []
    if not program or len(steps) != 1 or not steps[0].kernels or program.steps[-1] is not steps[0]:
        return None, 0
    return steps[0], program.network.visits(shape)[-1].inputs.shape[2]


def _exceeds_one(step: Step) -> bool:
    """Return whether the weights of some map add up to more than 1, each kernel by itself."""
    sums = [kernel.weights.sum(axis=(0, 1, 2)[: kernel.weights.ndim]) for kernel in step.kernels]
    return any((each > 1 + ZERO_SUM).any() for each in sums)


def _find_cure(step: Step, channels: int, settings: Settings) -> tuple[float, str]:
    """Return the share of values that a convolution may clip without a warning, and what to do about more."""
    layer = step.node.layer
    assert isinstance(layer, Convolution)
    bank, offsets = build_bank(layer, step.kernels, channels)
    sums, magnitudes = bank.sum(axis=(0, 1, 2)), np.abs(bank).sum(axis=(0, 1, 2))
    if offsets.any():
        return MOST_CLIPPED, _SCALE
    if (np.abs(sums) <= ZERO_SUM * magnitudes).all():
        if settings.range_ is Range.OFFSET:
            return MOST_CLIPPED, _SCALE
        if settings.range_ is not Range.ABS:
            return MOST_CLIPPED, "--range abs shows them"
        behind = "a layer abs at the end with" if settings.pipeline else "--activation abs"
        return MOST_CLIPPED, f"{behind} --range max shows them"
    if (bank >= 0).all() and _exceeds_one(step):
        return MOST_CLIPPED, f"{'normalize=sum' if settings.pipeline else '--normalize sum'} keeps the brightness"
    if (bank < 0).any() and np.allclose(sums, 1):
        usm = "a smaller AMOUNT of usm sharpens less, or " if np.allclose(bank, bank[::-1, ::-1]) else ""
        return _MOST_SHARPENED, usm + _SCALE
    return MOST_CLIPPED, _SCALE
