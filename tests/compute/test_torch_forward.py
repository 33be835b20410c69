"""Whole networks with weights against what PyTorch computes."""

from pathlib import Path

import numpy as np
import pytest

import cnnfilter
from tests.reference.forward import FORWARD, Forward
from tests.reference.seeded import Floats

TOLERANCE = 1e-4
"""The largest error relative to the value that is expected."""

FLOOR = 1e-3
"""Of the largest value: smaller ones are sums that nearly cancel, whose last digits PyTorch does not have either."""


def assert_close(result: Floats, reference: Forward) -> None:
    """Check that every value is within `TOLERANCE` of PyTorch's, relative to it or to `FLOOR` of the largest."""
    expected = reference.expected
    assert result.dtype == np.float32
    assert result.shape == expected.shape
    size = np.abs(expected)
    error = np.abs(result - expected) / np.maximum(size, FLOOR * size.max())
    assert error.max() < TOLERANCE


@pytest.mark.parametrize("reference", FORWARD, ids=lambda reference: reference.id)
def test_a_network_gives_the_values_of_pytorch(reference: Forward) -> None:
    result = cnnfilter.network(reference.network).run(reference.image, weights=reference.weights)
    assert_close(result, reference)


@pytest.mark.parametrize("reference", FORWARD, ids=lambda reference: reference.id)
def test_a_network_gives_them_with_the_weights_of_a_file(reference: Forward, tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, allow_pickle=False, **reference.weights)
    result = cnnfilter.network(reference.network).run(reference.image, weights=path)
    path.unlink()  # a ResNet is large, and the folders of three runs are kept
    assert_close(result, reference)


def test_the_forward_passes_cover_names_blocks_and_orders() -> None:
    assert [reference.id for reference in FORWARD] == [
        "lenet5-by-name",
        "lenet-in-order",
        "resnet18-by-name",
        "resnet18-in-order",
        "groups-dilations-strides-and-pools",
        "inception-and-lrn",
        "batchnorm-of-volume-and-vector",
        "vectors-side-by-side",
    ]
    for reference in FORWARD:
        assert len(reference.values) == np.prod(reference.output)
        assert np.ptp(reference.expected) > np.abs(reference.expected).max() / 2
