"""How far kernels that `fit` finds are from the true ones: ten photos, ten kernels, from floats and from 8 bits.

    python -m tests.benchmarks.fit_errors

A number is the largest error of a weight. The pair of floats is the photo from 0 to 1 and what scipy makes of it; that
of 8 bits is the photo and the same rounded and clipped. The photos are those of matplotlib, scikit-learn and
scikit-image.
"""

from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import skimage  # type: ignore[import-not-found, import-untyped, unused-ignore]
import sklearn  # type: ignore[import-not-found, import-untyped, unused-ignore]
from scipy import ndimage  # type: ignore[import-untyped]

import cnnfilter
from cnnfilter.arrays import Array
from cnnfilter.numbers import align

KERNELS = (
    *("sharpen", "sobel-x", "gaussian:5:1", "box:5", "emboss", "laplacian-8"),
    *("usm:1:0.7:size=7", "motion:7:30", "log:7:1", "line-diagonal:5"),
)
PHOTOS = {
    mpl: ("mpl-data/sample_data/grace_hopper.jpg",),
    sklearn: ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
    skimage: tuple(f"data/{name}" for name in ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "coins.png",
                                               "rocket.jpg", "motorcycle_left.png")),
}  # fmt: skip


def read_photos() -> Iterator[tuple[str, Array]]:
    """Yield the name and the pixels (H, W, C) of each photo."""
    for module, names in PHOTOS.items():
        for name in names:
            path = Path(str(module.__file__)).parent / name
            yield path.stem, np.atleast_3d(cnnfilter.read_image(path))[:, :, :3]


def find_errors(photo: Array, word: str) -> tuple[float, float]:
    """Return the largest errors of a weight from floats and from 8 bits."""
    kernel = cnnfilter.kernel(word)
    planes = photo.astype(np.float64).transpose(2, 0, 1)
    result = np.stack([ndimage.correlate(plane, kernel, mode="nearest") for plane in planes], axis=2)
    rounded = np.clip(np.rint(result), 0, 255).astype(np.uint8)
    pairs = (photo / 255, result / 255), (photo, rounded)
    errors = [np.abs(cnnfilter.fit(before, after, kernel.shape[0]).kernel - kernel).max() for before, after in pairs]
    return float(errors[0]), float(errors[1])


def main() -> None:
    """Print both tables."""
    found = {name: [find_errors(photo, word) for word in KERNELS] for name, photo in read_photos()}
    for place, title in enumerate(("floats", "8 bits")):
        rows = [(name, *(f"{errors[place]:.1e}" for errors in row)) for name, row in found.items()]
        print(f"\n{title}: largest error of a weight")
        print("\n".join(align([("photo", *KERNELS), *rows], range(1, len(KERNELS) + 1))))


if __name__ == "__main__":
    main()
