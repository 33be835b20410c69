"""Write scikit-learn's handwritten digits, 8x8 and white on black, as a .npz to train with: make_digits.py FILE."""

import sys

import numpy as np
from sklearn.datasets import load_digits  # type: ignore[import-not-found, import-untyped, unused-ignore]

data = load_digits()
images = np.rint(data.images * (255 / 16)).astype(np.uint8)
np.savez_compressed(sys.argv[1], images=images, labels=data.target)
