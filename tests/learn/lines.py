"""Images to learn from, of a size that a test can afford."""

import numpy as np

from cnnfilter.arrays import Array


def draw_lines(count: int, seed: int = 0) -> tuple[Array, Array]:
    """Return images (N, 8, 8) of 8 bits with an upright (1) or a level (0) line in noise, and which one it is."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 60, (count, 8, 8)).astype(np.uint8)
    labels = generator.integers(0, 2, count)
    for image, label, place in zip(images, labels, generator.integers(0, 8, count), strict=True):
        (image.T if label else image)[place] = 230
    return images, labels
