"""Models of ONNX as networks: those that this program writes, and those of PyTorch."""

import json
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnnfilter
from tests.cli.conftest import Run
from tests.exchange.running import CASES, Case, difference
from tests.reference.seeded import seeded_image

onnx = pytest.importorskip("onnx")

FOLDER = Path(__file__).parent / "models"
MODELS: list[dict[str, Any]] = json.loads((FOLDER / "models.json").read_text(encoding="utf-8"))
FOREIGN = ("crossing", "attention")

CLOSE = 1e-5
"""Of the largest value."""


def rows_of(network: Any, size: tuple[int, int, int]) -> list[tuple[Any, ...]]:
    """Return what the table of a network says, its texts aside: paddings come back as numbers."""
    rows = network.summary(size).rows
    return [(row.name, row.op, row.output, row.parameters, row.macs, row.receptive_field, row.jump) for row in rows]


@pytest.mark.parametrize(
    "case",
    [case for case in CASES[:-1] if not case.network.startswith(("digits", "resnet18", "adaptivemaxpool:11x7"))],
    ids=lambda case: case.network[:60],
)
def test_a_model_that_was_written_has_the_same_table(case: Case, tmp_path: Path) -> None:
    path = case.export(tmp_path / "net.onnx")
    assert rows_of(cnnfilter.network(path), case.size) == rows_of(cnnfilter.network(case.network), case.size)
    path.unlink()


def test_the_table_of_resnet_is_the_same_again(tmp_path: Path) -> None:
    model = cnnfilter.network(Case("resnet18", (32, 32, 3)).export(tmp_path / "net.onnx"))
    assert rows_of(model, (224, 224, 3)) == rows_of(cnnfilter.network("resnet18"), (224, 224, 3))
    (tmp_path / "net.onnx").unlink()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model["name"])
def test_a_model_of_pytorch_gives_its_numbers(model: dict[str, Any]) -> None:
    network = cnnfilter.network(FOLDER / f"{model['name']}.onnx")
    expected = np.array(model["values"], np.float32).reshape(model["output"])
    found = np.asarray(network.run(seeded_image(tuple(model["input"])))).reshape(expected.shape)
    assert difference(found, expected) < CLOSE
    if model["name"] not in FOREIGN:
        assert network.summary(tuple(model["input"])).totals.parameters == model["parameters"]
        assert network.input == (tuple(model["input"]) if model["fixed"] else None)


def test_branches_become_blocks_with_the_names_of_the_model() -> None:
    texts = {model["name"]: str(cnnfilter.network(FOLDER / f"{model['name']}.onnx")) for model in MODELS}
    assert texts["residual"].startswith(
        "res(conv:3x3,8,s2,p1 relu conv:3x3,8,p1 | conv:1x1,8,s2@down) relu res(conv:3x3"
    )
    assert texts["residual"].endswith("globalavgpool flatten linear:5@fc")
    assert texts["concatenating"] == (
        "cat(cat(conv:1x1,4@a silu | conv:3x3,4,p1@b gelu) cat( | conv:3x3,6,p1@c hardswish) | ) maxpool:3,s2,p1,ceil"
    )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("crossing", "crossing.onnx: branches cross at a (conv), which two of them need"),
        ("attention", "attention.onnx: Mul (/Mul) multiplies values with each other"),
    ],
)
def test_a_model_without_layers_is_run_whole_and_not_counted(run: Run, name: str, reason: str, samples: Path) -> None:
    assert reason in run("shape", FOLDER / f"{name}.onnx", status=1).stderr
    result = run("pipeline", FOLDER / f"{name}.onnx", samples / "city.png", "--resize", "8x7", "-o", "out.npy")
    assert result.stderr == ""
    assert np.load("out.npy").ndim == 3


def test_the_table_the_classes_and_the_layers_of_a_model(run: Run, samples: Path) -> None:
    run("export", "digits", "-o", "digits.onnx")
    assert "13,706 parameters" in run("shape", "digits.onnx").stdout
    known = run("pipeline", "digits", samples / "digit-7.png", "--top", "3").stdout
    assert run("pipeline", "digits.onnx", samples / "digit-7.png", "--top", "3").stdout == known
    assert cnnfilter.network("digits.onnx").preparation == cnnfilter.network("digits").preparation
    run("pipeline", "digits.onnx", samples / "digit-7.png", "--save", "conv1", "--range", "scale", "-o", "maps/")
    assert len(list(Path("maps").iterdir())) == 16
    assert "the largest product" in run("pipeline", "digits.onnx", samples / "digit-7.png", "--explain", "7").stdout
    again = json.loads(run("shape", "digits.onnx", "--json").stdout)
    assert again["totals"]["parameters"] == 13706


def test_a_size_that_is_not_fixed_is_any_or_has_to_be_given(run: Run, samples: Path) -> None:
    path = FOLDER / "concatenating.onnx"
    assert run("shape", "11x12x3", path, "-q").stdout == "6x7x17\n"
    assert "SIZE is missing" in run("shape", path, status=2).stderr
    assert "--input HxWxC gives it" in run("export", path, "-o", "x.npz", status=2).stderr
    run("export", path, "--input", "11x12x3", "-o", "x.npz")
    run("pipeline", path, samples / "city.png", "-o", "out.npy")
    assert np.load("out.npy").shape == (241, 321, 17)


def test_a_size_on_which_layers_depend_is_asked_for(run: Run, samples: Path) -> None:
    model = onnx.load(FOLDER / "plain.onnx")
    for axis in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = f"size{axis}"
    onnx.save(model, "free.onnx")
    assert run("shape", "20x16x1", "free.onnx", "-q").stdout == "7\n"
    reason = "the size of its input is not fixed; SIZE of `shape`, --input of `export`, --resize of `pipeline` give one"
    assert reason in run("pipeline", "free.onnx", samples / "digit-7.png", "--top", "1", status=1).stderr
    assert run("pipeline", "free.onnx", samples / "digit-7.png", "--top", "1", "--resize", "20x16").stdout


def damage(path: Path, how: str) -> None:
    """Write a model that cannot be read."""
    whole = FOLDER / "residual.onnx"
    if how == "cut":
        path.write_bytes(whole.read_bytes()[:3000])
    elif how == "text":
        path.write_text("not a model\n", encoding="utf-8")
    elif how == "empty":
        path.write_bytes(b"")
    elif how in {"side", "short"}:
        shutil.copy(whole, path)
        onnx.save_model(onnx.load(path), path, save_as_external_data=True, location="weights.data", size_threshold=100)
        if how == "side":
            Path("weights.data").unlink()
        else:
            Path("weights.data").write_bytes(b"short")


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("cut", "not a whole ONNX model"),
        ("text", "not a whole ONNX model"),
        ("empty", "not an ONNX model: it has no operators"),
        ("side", "its weights are in weights.data, which is not beside it"),
        ("short", "its weights cannot be read"),
        ("missing", "No such file or directory"),
    ],
)
def test_a_damaged_model_is_one_line(run: Run, folder: Path, how: str, reason: str) -> None:
    damage(folder / "net.onnx", how)
    for words in (["shape", "net.onnx"], ["pipeline", "net.onnx", "x.png", "-o", "y.png"]):
        result = run(*words, status=1)
        assert reason in result.stderr
        assert result.stderr.startswith("cnnfilter: net.onnx: ")
        assert result.stderr.count("\n") == 1


def test_bytes_that_are_damaged_never_end_in_a_traceback(run: Run, folder: Path) -> None:
    whole, generator = (FOLDER / "residual.onnx").read_bytes(), np.random.default_rng(0)
    for _ in range(40):
        data = bytearray(whole)
        for place in generator.integers(0, len(data), 4):
            data[place] = generator.integers(0, 256)
        Path("net.onnx").write_bytes(data)
        with suppress(cnnfilter.CnnFilterError):
            cnnfilter.network("net.onnx").summary((18, 21, 3))


def test_without_onnx_a_line_names_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    for words in (["shape", FOLDER / "plain.onnx"], ["export", "digits", "-o", "x.onnx"]):
        assert "needs the package onnx (pip install onnx)" in run(*words, status=1).stderr
    assert run("shape", "none.onnx", status=1).stderr == "cnnfilter: none.onnx: No such file or directory\n"


def test_a_model_is_not_trained(run: Run) -> None:
    message = "network files are .toml, .json, .txt, not .onnx; a model runs, and is not trained"
    assert message in run("train", FOLDER / "plain.onnx", ".", status=2).stderr


def test_scale_mean_and_deviation_are_in_the_model_and_come_back(run: Run) -> None:
    Path("net.toml").write_text(
        'input = "9x8x3"\ninput_scale = "1/255"\nmean = [0.5, 0.4, 0.3]\nstd = [0.2, 0.3, 0.4]\n'
        'layers = ["conv:3x3,4@a.b relu", "flatten fc:3"]\n',
        encoding="utf-8",
    )
    for name in ("net.onnx", "net.npz"):
        run("export", "net.toml", "--init", "he", "-o", name)
    image = np.random.default_rng(0).integers(0, 256, (9, 8, 3)).astype(np.uint8)
    before, read = cnnfilter.network("net.toml"), cnnfilter.network("net.onnx")
    assert read.preparation == before.preparation
    assert difference(np.asarray(read.run(image)), np.asarray(before.run(image, weights="net.npz"))) < CLOSE
    reference = pytest.importorskip("onnx.reference").ReferenceEvaluator("net.onnx")
    (found,) = reference.run(None, {"input": image.transpose(2, 0, 1)[None].astype(np.float32)})
    assert difference(found[0], np.asarray(read.run(image))) < CLOSE


def write_channels_last(path: Path, *, weighs: bool, flattens: bool) -> None:
    """Write a model as converters from TensorFlow do: (N, H, W, C) goes in, and paddings are words.

    In some, channels are weighed by what is in them; some flatten rows, columns, channels in this order.
    """
    helper, generator = onnx.helper, np.random.default_rng(1)
    sizes = {"conv": (8, 3, 3, 3), "bias": (8,), "weigh": (8, 8, 1, 1), "dense": (7 * 8 * 8 if flattens else 8, 4)}
    tensors: dict[str, Any] = {
        name: generator.standard_normal(size).astype(np.float32) / 4 for name, size in sizes.items()
    }
    tensors |= {"scale": np.float32(1 / 255), "mean": np.array([0.4, 0.5, 0.6], np.float32)}
    tensors |= {"axes": np.array([2, 3]), "all": np.array([-1, 7 * 8 * 8]), "add": generator.random(4, np.float32)}
    rows: list[tuple[str, list[str], str, dict[str, object]]] = [
        ("Mul", ["x", "scale"], "scaled", {}),
        ("Sub", ["scaled", "mean"], "moved", {}),
        ("Transpose", ["moved"], "first", {"perm": [0, 3, 1, 2]}),
        ("Conv", ["first", "conv", "bias"], "found", {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ]
    last = "found"
    if weighs:
        rows += [
            ("GlobalAveragePool", [last], "means", {}),
            ("Conv", ["means", "weigh"], "weighed", {}),
            ("HardSigmoid", ["weighed"], "shares", {"alpha": 1 / 6, "beta": 0.5}),
            ("Mul", [last, "shares"], "product", {}),
        ]
        last = "product"
    if flattens:
        rows += [
            ("Transpose", [last], "turned", {"perm": [0, 2, 3, 1]}),
            ("Reshape", ["turned", "all"], "flat", {}),
            ("Relu", ["flat"], "vector", {}),
        ]
    else:
        rows += [("GlobalAveragePool", [last], "pooled", {}), ("Squeeze", ["pooled", "axes"], "vector", {})]
    rows += [("MatMul", ["vector", "dense"], "scores", {}), ("Add", ["scores", "add"], "y", {})]
    nodes = [helper.make_node(op, inputs, [output], **given) for op, inputs, output, given in rows]
    used = {name for node in nodes for name in node.input}
    ends = [helper.make_tensor_value_info(name, 1, size) for name, size in (("x", ["n", 14, 16, 3]), ("y", ["n", 4]))]
    constants = [onnx.numpy_helper.from_array(tensor, name) for name, tensor in tensors.items() if name in used]
    graph = helper.make_graph(nodes, "last", ends[:1], ends[1:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


@pytest.mark.parametrize("flattens", [False, True])
@pytest.mark.parametrize("weighs", [False, True])
def test_a_model_whose_channels_are_last_gives_its_numbers(tmp_path: Path, *, weighs: bool, flattens: bool) -> None:
    """OpenCV runs those that weigh channels; it takes a product for another function, and words for paddings."""
    reference = pytest.importorskip("onnx.reference")
    path = tmp_path / "last.onnx"
    write_channels_last(path, weighs=weighs, flattens=flattens)
    image = np.random.default_rng(0).integers(0, 256, (14, 16, 3)).astype(np.float32)
    (expected,) = reference.ReferenceEvaluator(str(path)).run(None, {"x": image[None]})
    network = cnnfilter.network(path)
    assert network.input == (14, 16, 3)
    assert difference(np.asarray(network.run(image)), expected[0]) < CLOSE
    if not weighs:
        head = "relu" if flattens else "globalavgpool"
        assert str(network).startswith(f"conv:3x3,8,s2,same {head}".replace(" relu", " flatten relu"))
        assert network.preparation.mean == (0.4, 0.5, 0.6)
        assert network.summary().totals.parameters == 8 * 28 + (7 * 8 * 8 if flattens else 8) * 4 + 4


def test_a_model_that_is_written_again_is_read_again(tmp_path: Path) -> None:
    path, found = tmp_path / "net.onnx", []
    for flattens in (False, True):
        write_channels_last(path, weighs=True, flattens=flattens)
        found.append(cnnfilter.network(path).run(np.ones((14, 16, 3), np.float32)))
    assert not np.allclose(found[0], found[1])


def test_the_node_is_named_that_no_layer_is_like(run: Run) -> None:
    run("export", "lrn:5 l2pool:2 gelu conv:3x3,2", "--input", "9x9x3", "--init", "he", "-o", "net.onnx")
    model = onnx.load("net.onnx")
    model.graph.node[-1].op_type = "Unheard"
    onnx.save(model, "net.onnx")
    assert "Unheard (conv1/Conv) is an operator that is not known" in run("shape", "net.onnx", status=1).stderr


def test_models_with_more_than_one_output_are_one_line(run: Run) -> None:
    run("export", "relu sigmoid", "--input", "9x9x3", "-o", "net.onnx")
    model = onnx.load("net.onnx")
    model.graph.output.append(onnx.helper.make_tensor_value_info(model.graph.node[0].output[0], 1, None))
    onnx.save(model, "net.onnx")
    assert run("shape", "net.onnx", status=1).stderr == (
        "cnnfilter: net.onnx: the model has 1 input and 2 outputs; one of each is read\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "conv:3x3,4 cat(relu) res( | cat(sigmoid) tanh)",
        "conv:3x3,4 batchnorm:noaffine layernorm:noaffine instancenorm groupnorm:4 batchnorm layernorm",
        "avgpool:3x5,s2x3,p1,countpad,ceil avgpool:2,d2 l2pool:3,s2",
        "adaptiveavgpool:4x5 adaptivemaxpool:3x2",
        "conv:3x3,6 channelmax:2 channelavg:3",
    ],
)
def test_layers_that_are_several_operators_come_back(text: str, tmp_path: Path) -> None:
    case = Case(text, (17, 19, 3))
    read = cnnfilter.network(case.export(tmp_path / "net.onnx"))
    assert difference(np.asarray(read.run(case.image)), case.run(tmp_path)) < CLOSE
    parameters = cnnfilter.network(text).summary(case.size).totals.parameters
    assert read.summary(case.size).totals.parameters == parameters


@pytest.mark.parametrize("affine", [False, True])
def test_a_layer_norm_of_several_operators_is_one(tmp_path: Path, *, affine: bool) -> None:
    """As PyTorch exports it up to opset 16."""
    reference, path = pytest.importorskip("onnx.reference"), tmp_path / "net.onnx"
    generator, helper = np.random.default_rng(0), onnx.helper
    tensors: dict[str, Any] = {"eps": np.float32(1e-5), "two": np.float32(2)}
    rows: list[tuple[str, list[str], str, dict[str, object]]] = [
        ("ReduceMean", ["x"], "mean", {"axes": [-3, -2, -1]}),
        ("Sub", ["x", "mean"], "moved", {}),
        ("Pow", ["moved", "two"], "squares", {}),
        ("ReduceMean", ["squares"], "variance", {"axes": [-3, -2, -1]}),
        ("Add", ["variance", "eps"], "sum", {}),
        ("Sqrt", ["sum"], "root", {}),
        ("Div", ["moved", "root"], "normed", {}),
    ]
    if affine:
        tensors |= {f"n.{part}": generator.random((3, 5, 4), np.float32) for part in ("weight", "bias")}
        rows += [("Mul", ["normed", "n.weight"], "scaled", {}), ("Add", ["scaled", "n.bias"], "normed2", {})]
    nodes = [helper.make_node(op, inputs, [output], **given) for op, inputs, output, given in rows]
    ends = [helper.make_tensor_value_info(name, 1, (1, 3, 5, 4)) for name in ("x", nodes[-1].output[0])]
    constants = [onnx.numpy_helper.from_array(np.asarray(tensor), name) for name, tensor in tensors.items()]
    graph = helper.make_graph(nodes, "norm", ends[:1], ends[1:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    image = generator.random((5, 4, 3), np.float32)
    network = cnnfilter.network(path)
    assert str(network) == ("layernorm@n" if affine else "layernorm:noaffine")
    (expected,) = reference.ReferenceEvaluator(str(path)).run(None, {"x": image.transpose(2, 0, 1)[None]})
    assert difference(np.asarray(network.run(image)), expected[0].transpose(1, 2, 0)) < CLOSE
