"""Images, matrices and signals compared with a pattern, shift by shift."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from cnnfilter.api.arguments import as_choice, public
from cnnfilter.arrays import Doubles, as_numbers
from cnnfilter.compute.correlate import correlate_planes, to_plane
from cnnfilter.compute.forward import as_volume
from cnnfilter.nn.correlation import Correlation, Overlap, Pattern, Similarity

OverlapName = Literal["full", "same", "valid"]
SimilarityName = Literal["none", "mean", "ncc", "phase"]


@public
def correlate(
    image: ArrayLike,
    pattern: ArrayLike | None = None,
    *,
    mode: OverlapName | None = None,
    normalize: SimilarityName = "none",
) -> Doubles:
    """Compare an image with a pattern, shift by shift.

    r[dy, dx] is the sum of image[y + dy, x + dx] * pattern[y, x], as `scipy.signal.correlate` has it, and what
    `convolve` gives when the pattern is the kernel. Small patterns are laid on directly, others by Fourier transforms.

    Parameters
    ----------
    image : array_like
        (H, W); (H, W, 3) RGB, of which the luma is taken; or a signal (N,).
    pattern : array_like, optional
        As the image, usually smaller. By default the image itself: the autocorrelation.
    mode : {"full", "same", "valid"}, optional
        Every shift with an overlap; as many values as the image has; those that keep the pattern within the image. By
        default `full`, but `valid` under `ncc` where the pattern is smaller than the image.
    normalize : {"none", "mean", "ncc", "phase"}
        `mean` subtracts the mean of each; `ncc` is the normalised coefficient of each overlap, -1 to 1 (0 where one of
        the two is flat, or covers less than half of the pattern); `phase` keeps the phase of each frequency alone, and
        is `full`.

    Returns
    -------
    numpy.ndarray
        float64, (H + h - 1, W + w - 1) for a pattern of (h, w), (H, W) or (H - h + 1, W - w + 1), by the mode. Row i
        has the shift dy = i - (h - 1), i - h // 2 or i; columns likewise. Whole numbers are exact where the sums are
        below 2**44.

    Raises
    ------
    ShapeError
        If an argument is not an array of finite real numbers with 1 or 3 channels, the pattern is larger than the image
        in mode `valid`, or one of the two is flat under `ncc` or `phase`.
    LanguageError
        If the mode or the normalization is unknown, or `phase` is not `full`.

    Examples
    --------
    >>> correlate([1, 2, 3], [0, 1, 0.5])
    array([0.5, 2. , 3.5, 3. , 0. ])
    >>> found = correlate(np.eye(9), np.eye(9)[3:6, 2:7], mode="valid")
    >>> [int(place) for place in np.unravel_index(found.argmax(), found.shape)]
    [1, 0]
    """
    overlap = None if mode is None else as_choice(Overlap, mode, "mode")
    similarity = as_choice(Similarity, normalize, "normalize")
    plane = _as_plane(image, "image")
    other = plane if pattern is None else _as_plane(pattern, "pattern")
    chosen = overlap or (None if similarity is Similarity.NCC else Overlap.FULL)
    size = other.shape[0], other.shape[1]
    layer = Correlation(pattern=Pattern("pattern", size, matrix=True), mode=chosen, similarity=similarity)
    values = correlate_planes(plane, other, layer.lags((plane.shape[0], plane.shape[1])), similarity)
    return values[0] if np.ndim(image) == 1 else values


def _as_plane(given: ArrayLike, subject: str) -> Doubles:
    array = as_numbers(given, subject)
    return to_plane(as_volume(array[None] if array.ndim == 1 else array))
