"""Single layers against the numbers that PyTorch gives."""

import numpy as np
import pytest

from cnnfilter.compute.convolve import convolve_volume
from cnnfilter.compute.forward import as_volume, drop_single_channel, load_program, run_program
from cnnfilter.kernels.spec import kernel_shape
from cnnfilter.nn.language import parse_network
from cnnfilter.nn.layers import Conv
from tests.reference.values import TOLERANCE, VALUES, Values


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("values", VALUES, ids=lambda values: values.id)
def test_a_layer_gives_the_numbers_of_pytorch(values: Values, dtype: str) -> None:
    network = parse_network(values.layer, kernel_shape)
    image = np.array(values.image, dtype)
    expected = np.array(values.expected)
    layer = network.layers[0]
    if values.kernel is None:
        result = run_program(load_program(network), image)
    else:
        assert isinstance(layer, Conv)
        volume, weights = as_volume(image), np.array(values.kernel, np.float64)
        bank = weights.reshape(*weights.shape, *[1] * (4 - weights.ndim))
        maps = convolve_volume(volume, bank, layer.window, border=layer.border, bias=values.bias)
        assert layer.bank(volume.shape[2]) == bank.shape
        result = drop_single_channel(maps)
    assert result.dtype == dtype
    assert result.shape == expected.shape
    assert np.allclose(result, expected, rtol=TOLERANCE, atol=0)
