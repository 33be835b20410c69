"""Whole numbers of 16 bits: what a kernel makes of pixels of 8 bits, for who wants no more than 8 bits of it.

OpenCV's filter reads the pixels as they lie then, and the results take half the memory of floats.
"""

from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute.convolution import choose_plan, cut_to_core
from cnnfilter.compute.engines.direct import filter_to_shorts, has_native_border
from cnnfilter.compute.exactness import settle_numbers
from cnnfilter.compute.padded import Padded
from cnnfilter.compute.planning import Engine, Plan
from cnnfilter.compute.programs import Program, build_bank, build_bias
from cnnfilter.spec.borders import Border
from cnnfilter.spec.convolutions import Convolution
from cnnfilter.spec.geometry import Window
from cnnfilter.spec.layers import Shape
from cnnfilter.telling import tell_plan

_LARGEST = 2**15 - 1


class NarrowPlan(NamedTuple):
    """A kernel for each channel, its bias, the window that it lies in, its border, and the engine's plan."""

    plan: Plan
    bias: float
    window: Window
    border: Border


def plan_narrowly(program: Program, shape: Shape) -> NarrowPlan | None:
    """Return how a network makes whole numbers of 16 bits of (H, W, C) pixels of 8 bits, or None where it does not.

    It is one kernel of whole numbers, laid on each channel without a stride, whose results fit, and for which OpenCV's
    `filter2D` is the engine.
    """
    if len(program.steps) != 1:
        return None
    ((node, kernels, *_),) = program.steps
    layer, channels = node.layer, shape[2]
    if not (isinstance(layer, Convolution) and kernels and layer.window.stride == (1, 1)):
        return None
    bank, bias = build_bank(layer, kernels, channels), build_bias(layer, kernels, channels)
    if bank.shape[2:] != (1, channels) or not ((bank == bank[:, :, :, :1]).all() and (bias == bias[0]).all()):
        return None
    sketch = np.broadcast_to(np.uint8(0), shape)
    numbers = settle_numbers(sketch, bank, layer.border, abs(float(bias[0])))
    if not (numbers.whole and numbers.bound <= _LARGEST and float(bias[0]).is_integer()):
        return None
    padded = _pad(sketch, layer.window, layer.border)
    plan = choose_plan(padded, bank[:, :, 0, 0], layer.window, numbers)
    if plan.engine is not Engine.DIRECT or plan.phases or not plan.core.weights.any():
        return None
    if not has_native_border(cut_to_core(padded, plan, layer.window), plan.core.weights.shape):
        return None
    return NarrowPlan(plan, float(bias[0]), layer.window, layer.border)


def lay_narrowly(narrow: NarrowPlan, volume: Array) -> Array:
    """Return what a plan makes of a volume: what `run_program` would, as int16.

    Parameters
    ----------
    narrow
        The plan for the volume's shape.
    volume
        uint8 (H, W, C).

    Returns
    -------
    ndarray
        int16 (H', W', C), without its channel axis if there is one channel.
    """
    tell_plan(narrow.plan.method, narrow.plan.reason)
    core = cut_to_core(_pad(volume, narrow.window, narrow.border), narrow.plan, narrow.window)
    shorts = filter_to_shorts(core, narrow.plan.core.weights, narrow.bias)
    return shorts[:, :, 0] if volume.shape[2] == 1 else shorts


def _pad(volume: Array, window: Window, border: Border) -> Padded:
    return Padded(volume, window.pads(volume.shape[0], volume.shape[1]), border, "float32")
