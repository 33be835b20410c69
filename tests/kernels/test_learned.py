"""Kernels that a layer has learned: `net.npz:conv1`."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

import cnnfilter
from cnnfilter.arrays import Array
from cnnfilter.cli import main
from cnnfilter.errors import KernelError
from cnnfilter.kernels.spec import LearnedBank, kernel_shape, load_kernel, never_negative, recognize


@pytest.fixture
def tensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Array]:
    """Return the weights in `net.npz` of the current folder."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    tensors: dict[str, Array] = {
        "conv1.weight": generator.normal(size=(4, 3, 5, 3)).astype(np.float32),
        "conv1.bias": np.ones(4, np.float32),
        "features.0.weight": np.ones((2, 1, 3, 3), np.float32),
        "linear1.weight": np.ones((2, 9), np.float32),
    }
    np.savez("net.npz", **tensors)  # type: ignore[arg-type]
    return tensors


def test_a_layer_is_a_bank(tensors: dict[str, Array]) -> None:
    assert recognize("net.npz:conv1") == LearnedBank(Path("net.npz"), "conv1")
    assert kernel_shape("net.npz:conv1") == (5, 3, 3, 4)
    weights = load_kernel("net.npz:conv1").weights
    assert (weights == tensors["conv1.weight"].transpose(2, 3, 1, 0)).all()
    assert not never_negative("net.npz:conv1")
    assert never_negative("net.npz:features.0")
    image = np.random.default_rng(1).random((9, 9, 3))
    assert (cnnfilter.convolve(image, "net.npz:conv1") == cnnfilter.convolve(image, weights)).all()


@pytest.mark.usefixtures("tensors")
@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("net.npz:conv2", "net.npz: layer 'conv2' is not there; nearest: conv1"),
        ("net.npz:dense", "layer 'dense' is not there; kernels have conv1, features.0"),
        ("net.npz:linear1", "layer 'linear1' is not a convolution; kernels have conv1, features.0"),
        ("net.npz", "net.npz: holds the weights of layers; net.npz:conv1 is the bank of one"),
        ("no.npz:conv1", "no.npz: No such file"),
    ],
)
def test_a_mistake_names_the_layers_that_there_are(word: str, message: str) -> None:
    with pytest.raises(KernelError, match=message):
        load_kernel(word)


def test_commands_networks_and_figures_take_a_layer(tensors: dict[str, Array], runner: CliRunner) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (12, 12, 3)).astype(np.uint8)
    assert cv2.imwrite("a.png", pixels[:, :, ::-1])
    for words in (
        ("convolve", "a.png", "-k", "net.npz:conv1", "-o", "maps.npy", "--depfile", "maps.mk"),
        ("pipeline", "conv:net.npz:conv1 relu", "a.png", "-o", "relu.npy"),
        ("kernels", "net.npz:conv1", "--plot", "bank.png"),
    ):
        assert runner.invoke(main, words, catch_exceptions=False).exit_code == 0
    expected = cnnfilter.convolve(pixels, tensors["conv1.weight"].transpose(2, 3, 1, 0))
    assert np.load("maps.npy") == pytest.approx(expected, abs=1e-3)
    assert (np.load("relu.npy") == np.maximum(np.load("maps.npy"), 0)).all()
    assert Path("maps.mk").read_text().splitlines()[0] == "maps.npy: a.png net.npz"
    figure = cv2.imread("bank.png")
    assert figure is not None
    assert figure.std() > 1


@pytest.mark.usefixtures("tensors")
def test_a_network_file_names_weights_from_its_folder(runner: CliRunner) -> None:
    Path("nets").mkdir()
    Path("net.npz").rename("nets/net.npz")
    Path("nets/net.txt").write_text("conv:net.npz:conv1,same\n")
    result = runner.invoke(main, ["shape", "9x9x3", "nets/net.txt"], catch_exceptions=False)
    assert "9x9x4" in result.stdout


def test_a_transposed_convolution_is_no_bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its weights are (in, out, kh, kw), so that its bias, or its name, tells it from a convolution."""
    monkeypatch.chdir(tmp_path)
    weights = np.ones((4, 6, 2, 2), np.float32)
    tensors: dict[str, Array] = {"up.weight": weights, "up.bias": np.ones(6), "deconv1.weight": weights}
    np.savez("net.npz", **tensors)  # type: ignore[arg-type]
    for layer in ("up", "deconv1"):
        with pytest.raises(KernelError, match=f"layer '{layer}' is a transposed convolution"):
            load_kernel(f"net.npz:{layer}")
