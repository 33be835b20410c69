"""Correlations beside numpy's transforms of the same padded sizes, and small patterns laid directly or by transforms.

    python -m tests.benchmarks.bench_correlate [--rounds N]

The autocorrelation of 24 megapixels is to take at most 1.5 times `irfft2(rfft2(image))`, and 4 GB; patterns go the way
that is faster on this machine up to `LARGEST_LAID` weights.
"""

import argparse
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from cnnfilter.arrays import Doubles
from cnnfilter.compute.correlate import LARGEST_LAID, Lags, lay_directly, multiply_spectra, sum_products
from cnnfilter.nn.correlation import Overlap, find_lags
from tests.benchmarks.machine import hold_to_one_thread, warn_if_busy
from tests.benchmarks.pictures import make_photo, write
from tests.benchmarks.timing import Call, call_in_turn, cnnfilter, measure, report

HEIGHT, WIDTH = 4000, 6000

SIDES = (5, 15, 31, 64, 128, 181, 256)
"""Of square patterns, laid on 6 megapixels."""


def transform(image: Doubles) -> Doubles:
    """Return the image after a transform of twice its size, and back."""
    sides = [2 * side for side in image.shape]
    return np.fft.irfft2(np.fft.rfft2(image, sides), sides)


def find_all_lags(image: Doubles, pattern: Doubles) -> Lags:
    """Return every shift with an overlap."""
    rows, columns = (find_lags(*sides, Overlap.FULL) for sides in zip(image.shape, pattern.shape, strict=True))
    return rows, columns


def time_calls(calls: dict[str, Call], rounds: int) -> None:
    """Time calls in turn, and print."""
    report(call_in_turn(calls, rounds))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run both tables, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_correlate")
    parser.add_argument("--rounds", type=int, default=3, help="that count (default 3)")
    options = parser.parse_args(arguments)
    warn_if_busy()
    hold_to_one_thread()
    photo = make_photo(HEIGHT, WIDTH)[:, :, 1]
    image = photo + 0.5
    own = partial(sum_products, image, image, find_all_lags(image, image))
    time_calls({"numpy, rfft2 and irfft2": partial(transform, image), "autocorrelation": own}, options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "photo.png", photo)
        words = "correlate", str(Path(folder) / "photo.png"), "--range", "scale", "-o", str(Path(folder) / "map.png")
        usage = measure(cnnfilter(*words))
    print(f"as a command, with reading and writing: {usage.seconds:.1f} s, {usage.peak:.0f} MiB\n")
    small, rng = image[::2, ::2].copy(), np.random.default_rng(0)
    for side in SIDES:
        pattern = rng.normal(size=(side, side))
        lags = find_all_lags(small, pattern)
        ways = {"OpenCV": lay_directly, "transforms": multiply_spectra}
        chosen = "OpenCV" if pattern.size <= LARGEST_LAID else "transforms"
        print(f"{side}x{side} on {small.shape[0]}x{small.shape[1]}, by {chosen}")
        time_calls({name: partial(way, small, pattern, lags) for name, way in ways.items()}, options.rounds)


if __name__ == "__main__":
    main()
