"""The formulas of the made kernels, a function each, named as in the list of recipes.

Each returns an (N, N) array of float64. Coordinates run from the centre, x to the right and y downwards;
for an even N the centre is between pixels, and lines run through the pixel before it, as in `same`.
"""

import numpy as np

from cnnfilter.arrays import Doubles


def _grid(side: int) -> tuple[Doubles, Doubles]:
    """Return y as a column and x as a row, in pixels from the centre."""
    offsets = np.arange(side, dtype=np.float64) - (side - 1) / 2
    return offsets[:, None], offsets[None, :]


def _sum_to_one(matrix: Doubles) -> Doubles:
    return np.asarray(matrix / matrix.sum())


def box(side: int) -> Doubles:
    """Return equal weights."""
    return np.full((side, side), 1 / side**2)


def gaussian(side: int, sigma: float) -> Doubles:
    """Return exp(-(x^2 + y^2) / (2 sigma^2)), divided by its sum."""
    y, x = _grid(side)
    return _sum_to_one(np.exp(-(y**2) / (2 * sigma**2)) * np.exp(-(x**2) / (2 * sigma**2)))


def line_vertical(side: int) -> Doubles:
    """Return ones in the middle column."""
    matrix = np.zeros((side, side))
    matrix[:, (side - 1) // 2] = 1
    return matrix


def line_horizontal(side: int) -> Doubles:
    """Return ones in the middle row."""
    return line_vertical(side).T.copy()


def line_diagonal(side: int) -> Doubles:
    """Return ones from the top left to the bottom right."""
    return np.eye(side)


def line_antidiagonal(side: int) -> Doubles:
    """Return ones from the bottom left to the top right."""
    return np.eye(side)[:, ::-1].copy()


def frame(side: int) -> Doubles:
    """Return ones around the rim."""
    matrix = np.ones((side, side))
    matrix[1:-1, 1:-1] = 0
    return matrix


def disk(side: int) -> Doubles:
    """Return equal weights for the pixels whose centre is within the circle inscribed in the square."""
    y, x = _grid(side)
    return _sum_to_one((x**2 + y**2 <= (side / 2) ** 2).astype(np.float64))


def motion(side: int, angle: float) -> Doubles:
    """Return a line through the centre, one unit for each step along its longer axis.

    A step that falls between two pixels is shared by them in proportion, as Wu's anti-aliased lines are
    (An efficient antialiasing technique, SIGGRAPH 1991).
    """
    along, across = np.cos(np.deg2rad(angle)), -np.sin(np.deg2rad(angle))
    is_steep = abs(along) < abs(across)
    columns = np.arange(side)
    centre = (side - 1) / 2
    rows = np.round(centre + (along / across if is_steep else across / along) * (columns - centre), 9)
    below = np.floor(rows).astype(int)
    matrix = np.zeros((side, side))
    matrix[below, columns] = 1 - (rows - below)
    matrix[np.minimum(below + 1, side - 1), columns] += rows - below
    return np.ascontiguousarray(_sum_to_one(matrix.T if is_steep else matrix))


def log(side: int, sigma: float) -> Doubles:
    """Return the Laplacian of a Gaussian, (r^2 - 2 sigma^2) / sigma^4 * G, less its mean."""
    y, x = _grid(side)
    radius_squared = x**2 + y**2
    matrix = (radius_squared - 2 * sigma**2) / sigma**4 * gaussian(side, sigma)
    return np.asarray(matrix - matrix.mean())


def dog(side: int, inner: float, outer: float) -> Doubles:
    """Return the difference of two Gaussians."""
    return np.asarray(gaussian(side, inner) - gaussian(side, outer))


def gabor(side: int, sigma: float, angle: float, wavelength: float) -> Doubles:
    """Return exp(-r^2 / (2 sigma^2)) * cos(2 pi u / wavelength), u along `angle`, less what makes it sum to 0."""
    y, x = _grid(side)
    direction = np.deg2rad(angle)
    envelope = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    wave = np.cos(2 * np.pi * (x * np.cos(direction) - y * np.sin(direction)) / wavelength)
    return np.asarray(envelope * (wave - (envelope * wave).sum() / envelope.sum()))


def usm(side: int, sigma: float, amount: float) -> Doubles:
    """Return (1 + amount) times the identity, less amount times a Gaussian."""
    return np.asarray((1 + amount) * identity(side) - amount * gaussian(side, sigma))


def identity(side: int) -> Doubles:
    """Return a one in the middle, zeros around it."""
    matrix = np.zeros((side, side))
    matrix[(side - 1) // 2, (side - 1) // 2] = 1
    return matrix
