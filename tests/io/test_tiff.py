"""TIFFs of every kind: the values that their maker meant, or a refusal that names what is not supported."""

import io
from typing import Any

import numpy as np
import pytest
import tifffile

from cnnfilter.arrays import Array
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.headers import read_header


def written(samples: Array, **options: Any) -> bytes:
    """Return what tifffile writes."""
    file = io.BytesIO()
    tifffile.imwrite(file, samples, metadata=None, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"])
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_planes_apart_are_brought_together(kind: str, compression: str | None) -> None:
    planes = np.random.default_rng(0).integers(0, 100, (3, 20, 23)).astype(kind)
    data = written(planes, photometric="rgb", planarconfig="separate", compression=compression, rowsperstrip=7)
    read = decode_picture(data, "x").pixels
    np.testing.assert_array_equal(read, np.moveaxis(planes, 0, -1))
    assert read_header(data).shape == read.shape
