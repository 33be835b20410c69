"""What each engine takes for a number, measured; the planner goes by it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Doubles
from cnnfilter.spec.geometry import Pair


class Prices(NamedTuple):
    """Nanoseconds for each number, on the machine and by the script of tests/benchmarks/calibrate.py.

    Measured on 6 megapixels of float32, one channel or three, two cores of a Xeon with AVX-512, OpenCV 5.0, OpenBLAS
    0.3.30:

    ============================  =====  =====  =====  =====  =====
    milliseconds, by kernel size      5      9     15     25    101
    ============================  =====  =====  =====  =====  =====
    direct, a square                7.8   13.4
    direct, a column                1.4    2.0    2.7    5.9   19.4
    direct, a row                   1.7    4.1    5.7    7.5   17.5
    separable                       6.7    8.2   10.0   13.2   65.3
    separable, 8 bits               2.2    3.1    4.8    8.1   38.2
    bands                           9.4    9.5   10.7   12.6   21.1
    bands, a column                 5.8    6.0    6.6    7.3   12.9
    sheared                         6.0    6.4    7.1    7.6   13.8
    boxes                           6.2   11.0   11.5   11.0   15.2
    boxes, 8 bits                   4.4    5.7    5.7    5.9    7.7
    Fourier                               23.9   31.7   29.5   35.0
    direct, RGB                    21.6   37.3
    separable, RGB                 17.5   23.1   27.1   34.5  205.9
    bands, RGB                     53.0   51.6   56.1   63.7  106.0
    bands, stride 4                 5.0    5.6    5.7    6.0    9.8
    phases, stride 2               12.6   13.7   18.7
    phases, stride 4               23.9   25.8   26.4   30.5
    phases, stride 4, RGB          54.3   54.3   54.4   70.4
    phases, dilation 2             18.3   25.0
    ============================  =====  =====  =====  =====  =====

    Above 129 weights OpenCV's filter2D goes by a Fourier transform of its own, on one core.
    """

    call: float
    number: float
    weight: float


DIRECT = Prices(10, 0.55, 0.021)
DIRECT_ROW = Prices(10, 0.55, 0.030)
SEPARABLE = Prices(20, 0.75, 0.029)
SEPARABLE_NARROW = Prices(20, 0.10, 0.025)
BANDS = Prices(120, 0.80, 0)
BAND = Prices(0, 0.30, 0.0104)
FEW_WEIGHTS = Prices(0, 0.20, 0)
SHEARED = Prices(120, 1.00, 0.013)
BOXES = Prices(60, 1.50, 0.010)
BOXES_NARROW = Prices(60, 0.80, 0.005)
FOURIER = Prices(250, 4.8, 0)
TAPS = Prices(30, 0.80, 1.2)
PATCHES = Prices(30, 0.40, 0.45)
PRODUCT = 0.0085
INTERLEAVED = 1.3
CONVERTED = 0.3
ADDED = 0.8
"""For each number: channels taken apart, 8 bits made floats, results added to others."""

PHASE = 50.0
"""Microseconds for each image of every so many rows and columns."""

SLOWER = {"float32": 1.0, "float64": 2.2}
"""How many times as long an arithmetic takes."""


def price_pass(weights: Doubles) -> float:
    """Return the price of a column or a row as a band."""
    if len(weights) == 1:
        return 0.1
    return FEW_WEIGHTS.number if np.count_nonzero(weights) <= 2 else BAND.number + BAND.weight * len(weights)


def price_direct(weights: Doubles, values: float) -> float:
    """Return the price of the weights that are not zero; OpenCV passes over the others."""
    prices = DIRECT_ROW if len(weights) == 1 else DIRECT
    return float(prices.call + values * (prices.number + prices.weight * np.count_nonzero(weights)))


def price_phase(steps: Pair, channels: int) -> float:
    """Return the price of each number that is read with steps between."""
    alone = min(0.95 * float(np.sqrt(steps[0] * steps[1])), 4.2)
    return alone if channels == 1 else max(alone, 3.0)
