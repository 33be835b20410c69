"""The pictures that commands are timed on, written into a temporary folder."""

from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np

from cnnfilter.arrays import Array

FORMATS = ("pgm", "png", "jpg")


ROWS_AT_ONCE = 1000
"""Of the noise, which takes more memory than the picture."""


def make_photo(height: int, width: int, mode: int = cv2.IMREAD_COLOR) -> Array:
    """Return Grace Hopper's portrait, which comes with matplotlib, enlarged, with noise of sigma 2 as of a sensor.

    A smooth picture would compress, and so be read and written, faster than a photo.
    """
    portrait = cv2.imread(str(Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"), mode)
    photo = np.asarray(cv2.resize(np.asarray(portrait), (width, height), interpolation=cv2.INTER_CUBIC))
    generator = np.random.default_rng(0)
    for row in range(0, height, ROWS_AT_ONCE):
        rows = photo[row : row + ROWS_AT_ONCE]
        noise = generator.standard_normal(rows.shape, dtype=np.float32)
        rows[:] = np.clip(np.rint(rows + 2 * noise), 0, 255)
    return photo


def write_photos(folder: Path, height: int, width: int) -> dict[str, Path]:
    """Write one photo as grey PGM, RGB PNG and RGB JPEG, and return the paths by suffix."""
    photo = make_photo(height, width)
    paths = {suffix: folder / f"photo.{suffix}" for suffix in FORMATS}
    for suffix, path in paths.items():
        write(path, np.asarray(cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY)) if suffix == "pgm" else photo)
    return paths


def write_huge(folder: Path, side: int) -> Path:
    """Write a grey PNG of side x side, and return its path."""
    path = folder / "huge.png"
    write(path, make_photo(side, side, cv2.IMREAD_GRAYSCALE))
    return path


def write(path: Path, levels: Array) -> None:
    """Write a picture as OpenCV does if it is told nothing more."""
    cv2.imwrite(str(path), levels)
