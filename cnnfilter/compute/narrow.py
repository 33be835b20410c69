"""Whole numbers of 16 bits: what a kernel makes of pixels of 8 bits, for who wants no more than 8 bits of it.

OpenCV's filter reads the pixels as they lie then, and the results take half the memory of floats.
"""

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute.convolution import choose_plan, cut_to_core
from cnnfilter.compute.engines.direct import filter_to_shorts, has_native_border
from cnnfilter.compute.exactness import settle_numbers
from cnnfilter.compute.padded import Padded
from cnnfilter.compute.planning import Engine
from cnnfilter.compute.programs import Program, build_bank, build_bias
from cnnfilter.spec.convolutions import Convolution
from cnnfilter.telling import tell

_LARGEST = 2**15 - 1


def run_narrowly(program: Program, volume: Array) -> Array | None:
    """Return what a network makes of a volume in whole numbers of 16 bits, or None where it is no work for them.

    They are those of `run_program`. The network is one kernel of whole numbers, laid on each channel without a stride,
    whose results fit, and for which OpenCV's `filter2D` is the engine.

    Parameters
    ----------
    program
        The network.
    volume
        (H, W, C).

    Returns
    -------
    ndarray or None
        int16 (H', W', C), without its channel axis if there is one channel.
    """
    if volume.dtype != np.uint8 or len(program.steps) != 1:
        return None
    ((node, kernels, *_),) = program.steps
    layer, channels = node.layer, volume.shape[2]
    if not (isinstance(layer, Convolution) and kernels and layer.window.stride == (1, 1)):
        return None
    bank, bias = build_bank(layer, kernels, channels), build_bias(layer, kernels, channels)
    if bank.shape[2:] != (1, channels) or not ((bank == bank[:, :, :, :1]).all() and (bias == bias[0]).all()):
        return None
    numbers = settle_numbers(volume, bank, layer.border, abs(float(bias[0])))
    if not (numbers.whole and numbers.bound <= _LARGEST and float(bias[0]).is_integer()):
        return None
    padded = Padded(volume, layer.window.pads(*volume.shape[:2]), layer.border, numbers.dtype)
    plan = choose_plan(padded, bank[:, :, 0, 0], layer.window, numbers)
    core = cut_to_core(padded, plan, layer.window)
    if plan.engine is not Engine.DIRECT or plan.phases or not plan.core.weights.any():
        return None
    if not has_native_border(core, plan.core.weights.shape):
        return None
    tell("%s", plan)
    shorts = filter_to_shorts(core, plan.core.weights, float(bias[0]))
    return shorts[:, :, 0] if channels == 1 else shorts
