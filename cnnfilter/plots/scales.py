"""Colors and scales of values: diverging around 0 for signed ones, perceptually uniform for the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LogNorm, Normalize

from cnnfilter.arrays import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

SIGNED = "RdBu_r"
"""Blue below 0, white at 0, red above: told apart by every kind of color-blind eye (C. Brewer)."""

UNSIGNED = "viridis"
"""Equal steps look equal, in print without color too (N. Smith, S. van der Walt, 2015)."""


def scale_of(values: Array) -> tuple[str, Normalize]:
    """Return the color map and its range: -max to max where a value is negative, else 0 to max.

    Examples
    --------
    >>> name, scale = scale_of(np.array([-3.0, 1.0]))
    >>> name, scale.vmin, scale.vmax
    ('RdBu_r', -3.0, 3.0)
    """
    most = float(np.abs(values).max()) or 1.0
    return (SIGNED, Normalize(-most, most)) if values.min() < 0 else (UNSIGNED, Normalize(0.0, most))


def logarithmic(values: Array, decades: int) -> LogNorm:
    """Return a logarithmic range that ends at the greatest value and spans so many powers of ten."""
    most = float(values.max())
    return LogNorm(most / 10**decades, most, clip=True)


def find_inks(mappable: ScalarMappable, values: Array) -> list[str]:
    """Return for each value black or white, whichever is read better on its color."""
    colors = mappable.to_rgba(np.ma.masked_invalid(values))
    bright = colors[..., :3] @ np.array([0.299, 0.587, 0.114])
    return ["black" if light > 0.5 else "white" for light in np.ravel(bright)]


def draw_scale(axes: Axes, mappable: ScalarMappable, label: str) -> None:
    """Draw what the colors of a panel mean beside it, as high as the panel."""
    beside = axes.inset_axes((1.04, 0.0, 0.05, 1.0))
    is_logarithmic = isinstance(mappable.norm, LogNorm)
    bar = axes.figure.colorbar(mappable, cax=beside, label=label, format="%g" if is_logarithmic else None)
    if is_logarithmic:
        bar.ax.minorticks_off()
