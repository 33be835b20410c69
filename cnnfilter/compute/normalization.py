"""Values brought to a common scale: by batch statistics, by neighbouring channels, by how frequent they are."""

from collections.abc import Mapping

import numpy as np

from cnnfilter.arrays import Array, Doubles, Floats, float_type, ieee_arithmetic
from cnnfilter.spec.norms import LocalResponseNorm


@ieee_arithmetic
def normalize_batch(values: Array, tensors: Mapping[str, Array], eps: float) -> Floats:
    """Return (x - mean) / sqrt(variance + eps) * weight + bias, channel by channel.

    Parameters
    ----------
    values
        (H, W, C) or (length,).
    tensors
        `weight`, `bias`, `running_mean`, `running_var`, each (C,).
    eps
        Added to the variance.
    """
    weight, bias, mean, variance = (
        tensors[name].astype(np.float64) for name in ("weight", "bias", "running_mean", "running_var")
    )
    scale = weight / np.sqrt(variance + eps)
    kind = float_type(values.dtype)
    return np.asarray(values * scale.astype(kind) + (bias - mean * scale).astype(kind), dtype=kind)


@ieee_arithmetic
def normalize_locally(volume: Array, layer: LocalResponseNorm) -> Floats:
    """Return each value divided by (k + alpha / size * sum of squares) ** beta of the channels around it, (H, W, C).

    Channels beyond the first and the last count as 0.
    """
    kind = float_type(volume.dtype)
    channels = volume.shape[2]
    before, after = (min(reach, channels - 1) for reach in (layer.size // 2, (layer.size - 1) // 2))
    squares = np.square(volume.astype(np.float64))
    padded = np.pad(squares, ((0, 0), (0, 0), (before, after)))
    sums = sum((padded[:, :, start : start + channels] for start in range(before + 1 + after)), np.zeros(()))
    return np.asarray(volume / (layer.k + layer.alpha / layer.size * sums) ** layer.beta, dtype=kind)


@ieee_arithmetic
def equalize(volume: Array, white: float) -> Floats:
    """Return each channel with its levels spread from 0 to `white`, in the order that they had.

    A level v becomes white * (n(v) - n(least)) / (n(greatest) - n(least)), where n(v) counts the pixels up to
    v: Gonzalez and Woods, "Digital Image Processing", section 3.3, without their rounding. A channel of a
    single level stays as it is, as does nan.
    """
    planes = [_equalize_plane(volume[:, :, channel], white) for channel in range(volume.shape[2])]
    return np.stack(planes, axis=2).astype(float_type(volume.dtype))


def _equalize_plane(plane: Array, white: float) -> Doubles:
    levels, places, counts = np.unique(plane, return_inverse=True, return_counts=True, equal_nan=False)
    counts = np.where(np.isnan(levels), 0, counts) if levels.dtype.kind == "f" else counts
    upto = np.cumsum(counts)
    if upto[-1] == upto[0]:
        return plane.astype(np.float64)
    spread = white * (upto - upto[0]) / (upto[-1] - upto[0])
    spread = np.where(np.isnan(levels), np.nan, spread) if levels.dtype.kind == "f" else spread
    return np.asarray(spread[places].reshape(plane.shape), dtype=np.float64)
