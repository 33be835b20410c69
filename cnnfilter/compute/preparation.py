"""Images brought to what a network was trained on."""

import numpy as np

from cnnfilter.arrays import Array, Floats, float_type, ieee_arithmetic
from cnnfilter.errors import ShapeError
from cnnfilter.files.opencv import cv2
from cnnfilter.spec.geometry import Pair
from cnnfilter.spec.preparation import Preparation

_NOTHING = Preparation()
"""What leaves a volume as it is."""


@ieee_arithmetic
def prepare(volume: Array, preparation: Preparation) -> Array:
    """Return (resized volume x scale - mean) / std, without any rounding; as it is where nothing is asked.

    Parameters
    ----------
    volume
        (H, W, C).
    preparation
        What is done.

    Returns
    -------
    ndarray
        (H', W', C), float32 for 8 bits, 16 bits and float32, else float64; the volume itself where nothing is asked.

    Raises
    ------
    ShapeError
        If there are several means or deviations, and not one for each channel.
    """
    if preparation == _NOTHING:
        return volume
    floats: Floats = volume.astype(float_type(volume.dtype))
    if preparation.size and preparation.size != volume.shape[:2]:
        floats = resize(floats, preparation.size)
    for subject, numbers in (("mean", preparation.mean), ("std", preparation.std)):
        if len(numbers) not in {1, volume.shape[2]}:
            raise ShapeError(f"{subject} has {len(numbers)} numbers, for an image whose channels are {volume.shape[2]}")
    mean, std = (np.array(numbers, dtype=floats.dtype) for numbers in (preparation.mean, preparation.std))
    return np.asarray((floats * floats.dtype.type(preparation.scale) - mean) / std)


def resize(volume: Floats, size: Pair) -> Floats:
    """Return a volume of another (height, width): means of areas where it shrinks, linear where it grows."""
    smaller = min(size[0], volume.shape[0]), min(size[1], volume.shape[1])
    planes = []
    for channel in range(volume.shape[2]):
        plane = np.ascontiguousarray(volume[:, :, channel])
        shrunk = cv2.resize(plane, smaller[::-1], interpolation=cv2.INTER_AREA)
        planes.append(cv2.resize(shrunk, size[::-1], interpolation=cv2.INTER_LINEAR))
    return np.stack(planes, axis=2)
