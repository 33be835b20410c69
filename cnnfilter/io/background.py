"""Backgrounds: what is seen of transparent images that lie on a colour."""

from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array, Floats
from cnnfilter.io.formats import Colour
from cnnfilter.nn.other_layers import Gray


class Background(NamedTuple):
    """What a transparent result lies on: its alpha, (H, W, 1) from 0 to 1, and the colour behind it."""

    alpha: Floats
    colour: Colour

    def blend(self, values: Array, white: float) -> Array:
        """Return values, (H, W, C), through which the colour shows; its luma where there are not 3 channels."""
        behind = white * np.array(self.colour)
        if values.shape[2] != len(behind):
            behind = behind @ np.array(Gray.WEIGHTS)
        seen = np.where(self.alpha > 0, values, 0) * self.alpha
        return np.asarray(seen + (1 - self.alpha) * behind.astype(values.dtype), dtype=values.dtype)


def flatten(pixels: Array, colour: Colour, white: float) -> Array:
    """Return the colours, (H, W, 3), of pixels, (H, W, 4), on a colour behind them, in their type."""
    exact = np.float32 if pixels.dtype == np.uint8 else np.float64  # 16 bits of colour times 16 of alpha need it
    background = Background((pixels[:, :, 3:] / exact(white)).astype(exact), colour)
    flat = background.blend(pixels[:, :, :3].astype(exact), white)
    return (np.rint(flat) if pixels.dtype.kind == "u" else flat).astype(pixels.dtype)
