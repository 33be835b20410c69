"""Pools that take a whole channel, or channels together, for one value."""

from collections.abc import Callable

import numpy as np

from cnnfilter.arrays import Array, Doubles, float_type, ieee_arithmetic
from cnnfilter.spec.pools import ChannelMode, ChannelPool, GlobalPool, PoolMode


@ieee_arithmetic
def pool_globally(volume: Array, layer: GlobalPool) -> Array:
    """Return one value for each channel, (1, 1, C): the greatest, of the volume's type, or the mean, as floats."""
    if layer.mode is PoolMode.MAX:
        return np.asarray(volume.max(axis=(0, 1), keepdims=True))
    mean = volume.mean(axis=(0, 1), keepdims=True, dtype=np.float64)
    return np.asarray(mean, dtype=float_type(volume.dtype))


@ieee_arithmetic
def pool_channels(volume: Array, layer: ChannelPool) -> Array:
    """Return one value for every `size` neighbouring channels, (H, W, C / size).

    max and min keep the volume's type; sums, means and magnitudes, sqrt(sum of squares), are floats.
    """
    channels = layer.output(volume.shape)[2]
    groups = volume.reshape(*volume.shape[:2], channels, -1)
    if layer.mode in _KEEPS_TYPE:
        return _KEEPS_TYPE[layer.mode](groups)
    return _IN_DOUBLE[layer.mode](groups.astype(np.float64)).astype(float_type(volume.dtype))


_KEEPS_TYPE: dict[ChannelMode, Callable[[Array], Array]] = {
    ChannelMode.MAX: lambda groups: np.asarray(groups.max(axis=-1)),
    ChannelMode.MIN: lambda groups: np.asarray(groups.min(axis=-1)),
}
_IN_DOUBLE: dict[ChannelMode, Callable[[Doubles], Doubles]] = {
    ChannelMode.AVG: lambda groups: groups.mean(axis=-1),
    ChannelMode.SUM: lambda groups: groups.sum(axis=-1),
    ChannelMode.MAGNITUDE: lambda groups: np.sqrt(np.square(groups).sum(axis=-1)),
}
