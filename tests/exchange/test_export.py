"""What other programs make of exported networks."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnnfilter
from cnnfilter.nn.language import BLOCKS, OPS
from tests.cli.conftest import Run
from tests.exchange.running import CASES, KNOWN, LAYERS, Case, difference, from_torch, to_torch

CLOSE = 1e-4
"""Of the largest value."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.network[:60])
def test_other_programs_compute_the_same_of_a_model(case: Case, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    reference = pytest.importorskip("onnx.reference")
    expected, image = case.run(tmp_path), to_torch(case.image)
    path = case.export(tmp_path / "net.onnx")  # OpenCV has run it
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    if not case.network.startswith("deconv:3x3,4,s2,p1,op1,g2"):  # the reference has no groups there
        (found,) = reference.ReferenceEvaluator(model).run(None, {"input": image})
        assert difference(from_torch(found), expected) < CLOSE
    if find_spec("onnxruntime"):
        session = import_module("onnxruntime").InferenceSession(path)
        (found,) = session.run(None, {"input": np.concatenate([image / 2, image])})
        assert difference(from_torch(found[1:]), expected) < CLOSE
    read = cnnfilter.network(path)
    assert difference(np.asarray(read.run(case.image)), expected) < CLOSE / 10
    if case in KNOWN[:5]:
        assert str(read) == str(cnnfilter.network(case.network))
    path.unlink()  # a ResNet is large, and the folders of three runs are kept


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.network[:60])
def test_the_source_for_pytorch_computes_the_same(case: Case, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    tensors = pytest.importorskip("safetensors.torch")
    names: dict[str, Any] = {}
    exec(case.export(tmp_path / "net.py").read_text(encoding="utf-8"), names)
    module = names["Network"]().eval()
    if case.has_weights:
        module.load_state_dict(tensors.load_file(case.export(tmp_path / "net.safetensors")))
    with torch.no_grad():
        found = module(torch.from_numpy(to_torch(case.image)))
    assert difference(from_torch(found), case.run(tmp_path)) < CLOSE
    assert {name for name in names if not name.startswith("_")} - {"functional"} == {"torch", "nn", "Network"}
    for path in tmp_path.glob("net.*"):
        path.unlink()


def test_every_layer_is_exported_in_a_test_or_has_no_operator() -> None:
    texts = [str(cnnfilter.network(case.network)) for case in CASES]
    used = {node.layer.op for text in texts for node in cnnfilter.network(text).all_nodes}
    assert {*OPS, *BLOCKS} - used == {"medianpool", "equalize"}
    assert len(KNOWN) + len(LAYERS) < len(CASES)


@pytest.mark.parametrize(
    ("network", "suffix", "reason"),
    [
        ("medianpool:3@m", ".onnx", "m (medianpool:3): ONNX has no median; maxpool and avgpool are near"),
        ("relu equalize", ".onnx", "equalize1 (equalize): ONNX has no such operator"),
        ("relu equalize", ".py", "equalize1 (equalize): PyTorch has no such layer"),
        ("conv:3x3,2,border=symmetric", ".onnx", "ONNX has no border symmetric; edge and reflect are near"),
        ("conv:3x3,2,border=symmetric", ".py", "PyTorch has no border symmetric; edge and reflect are near"),
        ("conv:3x3,2@a relu conv:3x3,2@a.b", ".py", "PyTorch has no place for"),
        ("relu", ".npz", "the network has no weights"),
        ("relu", ".pt", "networks are exported as .onnx, .py, .npz, .safetensors"),
    ],
)
def test_what_cannot_be_exported_is_refused_and_nothing_is_written(
    network: str, suffix: str, reason: str, tmp_path: Path
) -> None:
    pytest.importorskip("onnx")
    with pytest.raises(cnnfilter.CnnFilterError) as error:
        Case(network, (9, 9, 3)).export(tmp_path / f"net{suffix}")
    assert reason in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_kernels_are_weights_in_a_file_and_their_network_reads_it(tmp_path: Path) -> None:
    case = Case("conv:sobel-x,sobel-y,bias=[1 0] relu conv:1x1,2", (6, 6, 1))
    path = case.export(tmp_path / "net.npz")
    with np.load(path) as tensors:
        assert {name: tensor.shape for name, tensor in tensors.items()} == {
            "conv1.weight": (2, 1, 3, 3),
            "conv1.bias": (2,),
            "conv2.weight": (2, 2, 1, 1),
            "conv2.bias": (2,),
        }
        assert tensors["conv1.bias"].tolist() == [1, 0]
        assert tensors["conv1.weight"][1, 0].tolist() == cnnfilter.kernel("sobel-y").tolist()
    assert case.run(tmp_path).shape == (4, 4, 2)


def test_a_file_of_weights_keeps_the_classes(run: Run, samples: Path, folder: Path) -> None:
    run("export", "digits", "-o", "again.npz")
    with np.load("again.npz") as again, np.load(samples / "digits.npz") as before:
        assert set(again) == set(before)
        assert all(np.array_equal(again[name], before[name]) for name in before)


def test_what_opencv_computes_otherwise_is_said_on_demand(run: Run, folder: Path) -> None:
    pytest.importorskip("onnx")
    assert "net.onnx: OpenCV computes the same, within" in run("export", "digits", "-o", "net.onnx", "-v").stderr
    assert run("export", "digits", "-o", "net.onnx").stderr == ""


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["relu", "-o", "x.npz"], "the size of the input is not known; --input HxWxC gives it"),
        (["lenet5", "-o", "x.npz"], "conv1 (conv:5x5,8) has no weights"),
        (["lenet5", "-o", "x.xyz"], "networks are exported as .onnx, .py, .npz, .safetensors"),
        (["lenet5", "--seed", "1", "-o", "x.npz"], "--seed belongs to --init he or --init uniform"),
        (["lenet5", "--init", "he", "--weights", "w.npz", "-o", "x.npz"], "leave one out"),
        (["lenet5", "--init", "he", "--input", "8x8x3", "-o", "x.npz"], "layer 4, conv:5x5,16: a window of 5x5"),
        (["lenet5", "--weights", "w.npz", "-o", "w.npz"], "is read too, and would be overwritten"),
        (["lenet5"], "Missing option '-o' / '--output'"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_written(
    run: Run, folder: Path, words: list[str], reason: str
) -> None:
    result = run("export", *words, status=2)
    assert reason in result.stderr
    assert not list(folder.glob("x.*"))
