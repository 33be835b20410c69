"""Network files: what they say, in which of three formats, and what is said of those that are wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cnnfilter
from cnnfilter.cli import main
from cnnfilter.errors import LanguageError
from cnnfilter.kernels.spec import load_kernel
from cnnfilter.network_files import DOCUMENT_KEYS as KEYS
from cnnfilter.network_files import SUFFIXES, Document, load_document, names_document, read_document
from cnnfilter.nn.language import parse_network
from cnnfilter.nn.layers import Convolution, Shape
from cnnfilter.nn.network import Network
from tests.nn.strategies import REAL_KERNELS, kernel_shape, networks


@pytest.fixture(autouse=True)
def _desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)


def write(name: str, content: str | bytes | dict[str, object]) -> Path:
    """Write a network file, and the folders that it is in."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def refusal(name: str, content: str | bytes | dict[str, object]) -> str:
    """Return what is said of a file that is refused, which is one line and begins with its name."""
    path = write(name, content)
    with pytest.raises(LanguageError) as caught:
        read_document(path)
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.startswith(f"{name}: ")
    return message.removeprefix(f"{name}: ")


def weights_of(network: Network) -> list[list[list[float]]]:
    """Return the weights of all kernels, slice by slice."""
    kernels = [kernel for node in network.all_nodes for kernel in getattr(node.layer, "kernels", ())]
    return [load_kernel(kernel.text).weights.tolist() for kernel in kernels]


@pytest.mark.parametrize(
    "text",
    [
        *("net.toml", "net.json", "net.txt", "NET.TOML", "./net.txt", "a/b/net.json", "my nets/net.toml", "a:b.toml"),
        *("conv/net.txt", "conv.toml", "2x.toml", "res.json", "a+b.txt", "../net.txt", "/net.txt", ".toml"),
    ],
)
def test_a_suffix_of_a_network_file_makes_a_path(text: str) -> None:
    assert names_document(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "relu", "conv:3x3,16", "net", "net.yaml", "net.toml relu", "relu tanh"),
        *("conv:kernel.txt", "dwconv:a.txt", "relu conv:kernel.txt", "conv:3x3 dwconv:kernel.txt", "gray+conv:k.txt"),
        *("res(conv:k.txt", "cat(relu | conv:k.txt", "2x conv:k.txt", "fc:3 net.json", "relu@a.txt", "relu\nnet.txt"),
    ],
)
def test_a_text_of_layers_makes_none_even_where_it_ends_like_one(text: str) -> None:
    assert not names_document(text)


def test_a_text_is_a_document_with_a_network_and_nothing_else() -> None:
    assert load_document("relu tanh") == Document(parse_network("relu tanh", kernel_shape))


CONTENTS = {
    "net.txt": "# A note.\nconv:sobel-x,same  # edges\n\n2x relu\n  res(tanh |\n  # nothing\n  abs)@sum\n",
    "net.toml": '# A note.\nlayers = [\n  "conv:sobel-x,same # edges",\n  "2x relu",\n  "res(tanh | abs)@sum",\n]\n',
    "net.json": '{"layers": ["conv:sobel-x,same", "2x", "relu", "res(tanh", "| abs)@sum"]}',
    "one.json": '{"layers": "conv:sobel-x,same 2x relu res(tanh | abs)@sum"}',
    "text.toml": 'network = """\nconv:sobel-x,same # edges\n2x relu\nres(tanh | abs)@sum"""\n',
    "text.json": '{"network": "conv:sobel-x,same 2x relu res(tanh | abs)@sum"}',
    "tables.toml": "\n".join(
        [
            '[[layers]]\nop = "conv"\nkernel = "sobel-x"\npadding = "same"',
            '[[layers]]\nop = "relu"\nrepeat = 2',
            '[[layers]]\nop = "res"\nname = "sum"\nbranches = [["tanh"], [{op = "abs"}]]',
        ]
    ),
}
"""One network in every format."""


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
def test_every_format_writes_the_same_network(name: str, end: str, mark: bytes) -> None:
    path = write(name, mark + CONTENTS[name].replace("\n", end).encode())
    document = read_document(path)
    assert str(document.network) == "conv:sobel-x,same relu relu res(tanh | abs)@sum"
    assert document.path == path
    assert load_document(name) == document
    assert cnnfilter.network(path).layers == cnnfilter.network(name).layers == document.network.layers


@pytest.mark.parametrize("name", ["NET.TXT", "net.Toml", "net.JSON"])
def test_suffixes_may_be_upper_case(name: str) -> None:
    content = CONTENTS[name.lower()]
    assert read_document(write(name, content)).network.names == ("conv1", "relu1", "relu2", "tanh1", "abs1", "sum")


@pytest.mark.parametrize("content", ["", "\n\n", "# nothing\n"])
def test_an_empty_text_is_a_network_without_layers(content: str) -> None:
    assert read_document(write("net.txt", content)).network.layers == ()


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(networks(REAL_KERNELS))
def test_every_network_reads_back_through_a_file_of_each_format(network: Network) -> None:
    text = str(network)
    lines = [str(Network((layer,))) for layer in network.layers]
    files = {
        "a.txt": text,
        "b.txt": "\n".join(lines),
        "a.toml": f"network = {json.dumps(text)}",
        "b.toml": f"layers = {json.dumps(lines)}",
        "a.json": json.dumps({"network": text}),
        "b.json": json.dumps({"layers": lines}),
    }
    for name, content in files.items():
        assert read_document(write(name, content)).network == network


class TestKeys:
    def test_there_are_these(self) -> None:
        assert KEYS == ("input", "weights", "labels", "input_scale", "mean", "std", "layers", "network")
        assert SUFFIXES == (".toml", ".json", ".txt")

    @pytest.mark.parametrize(
        ("written", "shape"),
        [
            ('"224x224x3"', (224, 224, 3)),
            ('"28x30"', (28, 30, 1)),
            ('"28"', (28, 28, 1)),
            ("[224, 200, 3]", (224, 200, 3)),
            ("[28, 30]", (28, 30, 1)),
            ("[28]", (28, 28, 1)),
        ],
    )
    @pytest.mark.parametrize("suffix", ["toml", "json"])
    def test_input_is_a_size_height_first(self, written: str, shape: Shape, suffix: str) -> None:
        content = (
            f'layers = ["relu"]\ninput = {written}' if suffix == "toml" else f'{{"layers": [], "input": {written}}}'
        )
        assert read_document(write(f"net.{suffix}", content)).input == shape

    def test_weights_and_labels_lie_beside_the_file(self) -> None:
        content: dict[str, object] = {"layers": ["fc:3"], "weights": "w.npz", "labels": "../names.txt"}
        document = read_document(write("nets/net.json", content))
        assert (document.weights, document.labels) == (Path("nets/w.npz"), Path("nets/../names.txt"))
        content["weights"] = "/elsewhere/w.npz"
        assert read_document(write("nets/net.json", content)).weights == Path("/elsewhere/w.npz")
        content["weights"] = ""
        assert read_document(write("nets/net.json", content)).weights is None

    def test_the_library_runs_a_file_with_the_weights_beside_it(self) -> None:
        path = write("nets/net.toml", 'input = "1x2"\nweights = "w.npz"\nlayers = ["conv:1x2,nobias@c"]')
        np.savez("nets/w.npz", allow_pickle=False, **{"c.weight": np.array([[[[2.0, 3.0]]]])})
        network = cnnfilter.network(path)
        assert (network.input, network.weights) == ((1, 2, 1), Path("nets/w.npz"))
        assert network.run(np.array([[5.0, 7.0]])).tolist() == [[31.0]]
        assert network.summary().rows[0].output == (1, 1, 1)

    @pytest.mark.parametrize(
        ("line", "scale", "mean", "std"),
        [
            ("", 1.0, (0.0,), (1.0,)),
            ("input_scale = 0.5", 0.5, (0.0,), (1.0,)),
            ('input_scale = "1/255"', 1 / 255, (0.0,), (1.0,)),
            ("mean = 0.5\nstd = 2", 1.0, (0.5,), (2.0,)),
            ("mean = [0.485, 0.456, 0.406]", 1.0, (0.485, 0.456, 0.406), (1.0,)),
            ('mean = ["1/2", -1, 2e3]\nstd = ["1/4", 1, 3]', 1.0, (0.5, -1.0, 2000.0), (0.25, 1.0, 3.0)),
        ],
    )
    def test_what_is_done_to_the_input_is_said_in_numbers(
        self, line: str, scale: float, mean: tuple[float, ...], std: tuple[float, ...]
    ) -> None:
        preparation = read_document(write("net.toml", f"{line}\nlayers = []")).preparation
        assert (preparation.scale, preparation.mean, preparation.std, preparation.size) == (scale, mean, std, None)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ({}, 'there are no layers; a file has layers = ["conv:3x3,16", "relu"]'),
            ({"input": "5x5"}, 'there are no layers; a file has layers = ["conv:3x3,16", "relu"]'),
            ({"layer": []}, f"unknown key 'layer'; nearest: layers; known are {', '.join(KEYS)}"),
            ({"layers": [], "imput": "5x5"}, f"unknown key 'imput'; nearest: input; known are {', '.join(KEYS)}"),
            ({"layers": [], "totals": {}}, f"unknown key 'totals'; known are {', '.join(KEYS)}"),
            ({"layers": [], "": 1}, f"unknown key ''; known are {', '.join(KEYS)}"),
            ({"layers": {}}, "layers are a list of texts and tables, not {}"),
            ({"layers": None}, "layers are a list of texts and tables, not None"),
            ({"layers": 3}, "layers are a list of texts and tables, not 3"),
            ({"network": ["relu"]}, "network ['relu'] is not a text"),
            ({"network": None}, "network None is not a text"),
            ({"network": "relv"}, "layer 1, 'relv': unknown layer 'relv'; nearest: relu"),
            ({"layers": ["relu", "relu", "tnah"]}, "layer 3, 'tnah': unknown layer 'tnah'; nearest: tanh"),
            ({"layers": ["relu", "res(tanh"]}, "'res(' is never closed; ')' ends a block"),
            ({"layers": ["relu@a", "tanh@a"]}, "2 layers have the name @a; names must differ"),
            ({"layers": ["conv:edgy"]}, "layer 1, 'conv:edgy': unknown kernel 'edgy'; nearest: edge"),
            ({"layers": [], "input": 28.0}, 'input 28.0 is not a size, such as "224x224x3"'),
            ({"layers": ["relu"], "network": "relu"}, "network and layers are given"),
            ({"layers": [], "input": None}, 'input None is not a size, such as "224x224x3"'),
            ({"layers": [], "input": [28.0, 28]}, 'input [28.0, 28] is not a size, such as "224x224x3"'),
            ({"layers": [], "input": [True, 28]}, 'input [True, 28] is not a size, such as "224x224x3"'),
            ({"layers": [], "input": ["28"]}, "input ['28'] is not a size, such as \"224x224x3\""),
            ({"layers": [], "input": {"height": 2}}, "input {'height': 2} is not a size, such as \"224x224x3\""),
            ({"layers": [], "input": "5x"}, "size '5x' is neither HxW nor HxWxC, such as 28x28 or 224x224x3"),
            ({"layers": [], "input": []}, "size '' is neither HxW nor HxWxC, such as 28x28 or 224x224x3"),
            ({"layers": [], "input": [1, 2, 3, 4]}, "size '1x2x3x4' is neither HxW nor HxWxC"),
            ({"layers": [], "input": [-1, 2]}, "size '-1x2' is neither HxW nor HxWxC"),
            ({"layers": [], "input": [0, 2]}, "size '0x2' has a 0; height, width and channels are at least 1"),
            ({"layers": [], "weights": 3}, "weights 3 is not a text"),
            ({"layers": [], "weights": None}, "weights None is not a text"),
            ({"layers": [], "labels": ["a", "b"]}, "labels ['a', 'b'] is not a text"),
            ({"layers": [], "mean": "x"}, "mean 'x' is not a number, such as 0.5 or \"1/255\""),
            ({"layers": [], "mean": [0.5, None]}, 'mean [0.5, None] is not a number, such as 0.5 or "1/255"'),
            ({"layers": [], "mean": True}, 'mean True is not a number, such as 0.5 or "1/255"'),
            ({"layers": [], "input_scale": [1]}, 'input_scale [1] is not a number, such as 0.5 or "1/255"'),
            ({"layers": [], "std": 0}, "a standard deviation of 0 is not above 0"),
            ({"layers": [], "std": []}, "mean and std need one number, or one for each channel"),
            ({"layers": [], "input_scale": -1}, "an input scale of -1 is not above 0"),
        ],
        ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
    )
    def test_a_wrong_key_or_value_is_told(self, content: dict[str, object], message: str) -> None:
        assert refusal("net.json", content).startswith(message)


class TestWrongFiles:
    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("net.toml", "layers = [", "not TOML: Invalid value (at end of document)"),
            ("net.toml", 'layers = ["relu"]\ninput', "not TOML: Expected '=' after a key in a key/value pair (at"),
            ("net.toml", "layers = []\n\nlayers = []\n", "not TOML: Cannot overwrite a value (at line 3, column 12)"),
            ("net.toml", "layers = [relu]", "not TOML: Invalid value (at line 1, column 11)"),
            ("net.toml", "conv:3x3", "not TOML: "),
            ("net.json", "", "not JSON: Expecting value: line 1 column 1 (char 0)"),
            ("net.json", '{"layers": [}', "not JSON: Expecting value: line 1 column 13 (char 12)"),
            ("net.json", '{"layers": []} x', "not JSON: Extra data: line 1 column 16 (char 15)"),
            ("net.json", "{\"layers\":\n\n ['relu']}", "not JSON: Expecting value: line 3 column 3"),
            ("net.json", "[]", "a network file is a JSON object, with input and network, or layers"),
            ("net.json", '"relu"', "a network file is a JSON object, with input and network, or layers"),
            ("net.json", "null", "a network file is a JSON object, with input and network, or layers"),
            ("net.txt", "relu\n\nconw:3x3\n", "line 3, layer 2, 'conw:3x3': unknown layer 'conw'; nearest: conv"),
            ("net.txt", "relu\nres(tanh\n", "line 2, 'res(' is never closed; ')' ends a block"),
            ("net.txt", "relu\nconv:[0 1\n" + "tanh\n" * 99, "line 2, 'conv:[0 1"),
            ("net.txt", "relu@a\nrelu@a", "2 layers have the name @a; names must differ"),
            ("net.txt", '{"layers": []}', "line 1, layer 1, '{\"layers\":': unknown layer"),
            ("net.txt", b"\xff\xfe\x00r", "not a text in UTF-8"),
            ("net.toml", b"layers = ['caf\xe9']", "not a text in UTF-8"),
            ("net.json", b"\x89PNG\r\n\x1a\n\x00", "not a text in UTF-8"),
            ("net.txt", b"\x00\x01\x02", "line 1, layer 1, "),
            ("net.json", b"\x00\x01\x02", "not JSON: "),
            ("net.toml", b"\x00\x01\x02", "not TOML: "),
        ],
    )
    def test_a_file_that_cannot_be_read_is_told_with_its_name_and_where(
        self, name: str, content: str | bytes, message: str
    ) -> None:
        assert refusal(name, content).startswith(message)

    @pytest.mark.parametrize("name", ["missing.toml", "nowhere/net.json", "missing.txt"])
    def test_a_file_that_is_not_there_is_named(self, name: str) -> None:
        with pytest.raises(LanguageError, match=f"^{name}: No such file or directory$"):
            cnnfilter.network(name)

    @pytest.mark.parametrize("name", ["folder.toml", "folder.json", "folder.txt"])
    def test_a_folder_is_no_network_file(self, name: str) -> None:
        Path(name).mkdir()
        with pytest.raises(LanguageError, match=f"^{name}: Is a directory$"):
            cnnfilter.network(name)

    @pytest.mark.parametrize("name", ["net.yaml", "net.png", "net", "net.toml.bak"])
    def test_a_file_of_another_suffix_is_told_which_there_are(self, name: str) -> None:
        message = refusal(name, "relu")
        assert message.startswith("network files are .toml, .json, .txt, not ")
        assert message.endswith("; the network is the first argument, inputs follow") == (name == "net.png")

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("net.json", "[" * 100_000),
            ("net.json", '{"layers": ' + "[" * 100_000 + "]" * 100_000 + "}"),
            ("net.json", '{"a":' * 100_000 + "1" + "}" * 100_000),
            ("net.json", '{"layers": ["' + "res(" * 100_000 + '"]}'),
            ("net.json", '{"layers": [' + '{"op": "res", "body": [' * 60 + '"relu"' + "]}" * 60 + "]}"),
            ("net.json", '{"layers": [' + '{"op": "res", "body": [' * 300 + '"relu"' + "]}" * 300 + "]}"),
            ("net.json", '{"layers": [{"op": "conv", "kernel": ' + "[" * 600 + "1" + "]" * 600 + "}]}"),
            ("net.json", '{"layers": [{"op": "conv", "kernel": "box:3", "bias": 1' + "0" * 400 + "}]}"),
            ("net.json", '{"layers": [{"op": "conv", "kernel": "box:3", "bias": 1' + "0" * 5000 + "}]}"),
            ("net.json", '{"layers": [{"op": "conv", "kernel": [[NaN]]}]}'),
            ("net.json", '{"layers": [{"op": "conv", "kernel": [[1e999]]}]}'),
            ("net.json", '{"layers": [{"op": "relu", "repeat": 1' + "0" * 4000 + "}]}"),
            ("net.json", '{"layers": [], "input": [1' + "0" * 5000 + "]}"),
            ("net.json", '{"layers": [], "mean": 1' + "0" * 400 + "}"),
            ("net.json", '{"layers": [], "mean": Infinity}'),
            ("net.toml", "layers = " + "[" * 5000 + "]" * 5000),
            ("net.toml", "layers = []\ninput = [1" + "0" * 5000 + "]"),
            ("net.toml", "layers = [{op = 'conv', kernel = [[inf]]}]"),
            ("net.toml", "layers = [{op = 'conv', kernel = [[1, nan]]}]"),
            ("net.toml", "layers = [{op = 'conv', size = 3, stride = 1979-05-27}]"),
            ("net.txt", "res(" * 100_000),
            ("net.txt", "9" * 100_000 + "x relu"),
            ("net.txt", "conv:[" + "[" * 100_000),
            ("net.txt", "conv:" + "a" * 100_000),
        ],
        ids=lambda value: value[:60],
    )
    def test_a_file_beyond_all_measure_is_refused_like_any_other(self, name: str, content: str) -> None:
        assert refusal(name, content)

    def test_the_command_says_it_in_one_line(self, runner: CliRunner) -> None:
        write("net.toml", 'layers = ["conw:3x3"]')
        result = runner.invoke(main, ["shape", "8x8", "net.toml"])
        assert (result.exit_code, result.stdout) == (2, "")
        assert "net.toml: layer 1, 'conw:3x3': unknown layer 'conw'; nearest: conv" in result.stderr.splitlines()[-1]


class TestKernelsBesideTheFile:
    @pytest.fixture(autouse=True)
    def _kernels(self, _desk: None) -> None:
        """Put kernels beside the network file, and others of the same names where the work is done."""
        for folder, factor in (("nets", 1), (".", 100)):
            Path(folder, "more").mkdir(parents=True, exist_ok=True)
            Path(folder, "k.txt").write_text(f"{factor} {2 * factor}\n")
            Path(folder, "more/k.csv").write_text(f"{3 * factor},{4 * factor}\n")
            Path(folder, "kernel").write_text(f"{5 * factor} {6 * factor}\n")
            Path(folder, "edge").write_text(f"{7 * factor} {8 * factor}\n")
            np.save(Path(folder, "k.npy"), np.full((1, 2, 2), 9.0 * factor))
            Path(folder, "a b(1|2)+[3];4.txt").write_text(f"{10 * factor} {11 * factor}\n")

    @pytest.mark.parametrize(
        ("word", "weights"),
        [
            ("k.txt", [[1, 2]]),
            ("./k.txt", [[1, 2]]),
            ("more/k.csv", [[3, 4]]),
            ("../nets/k.txt", [[1, 2]]),
            ("../k.txt", [[100, 200]]),
            ("kernel", [[5, 6]]),
            ("./edge", [[7, 8]]),
            ("k.npy", [[[9, 9], [9, 9]]]),
            ("[./a b(1|2)+[3];4.txt]", [[10, 11]]),
            ("[1 2]", [[1, 2]]),
            ("[1 2;; 3 4]", [[[1, 3], [2, 4]]]),
            ("1/2", [[0.5]]),
            ("box:1", [[1]]),
        ],
    )
    @pytest.mark.parametrize("name", ["net.txt", "net.toml", "net.json"])
    def test_a_kernel_file_is_looked_for_beside_the_network_file(
        self, word: str, weights: list[object], name: str
    ) -> None:
        line = f"relu res(conv:{word},same | tanh)"
        contents = {
            "net.txt": line,
            "net.toml": f"layers = ['{line}']",
            "net.json": json.dumps({"layers": [line]}),
        }
        path = write(f"nets/{name}", contents[name])
        for seen in (path, path.absolute()):
            network = read_document(seen).network
            assert weights_of(network) == [weights]
            assert weights_of(cnnfilter.network(str(network))) == [weights]

    def test_a_kernel_of_a_known_name_is_not_a_file(self) -> None:
        network = read_document(write("nets/net.txt", "conv:edge")).network
        (layer,) = network.layers
        assert isinstance(layer, Convolution)
        assert layer.kernels[0].text == "edge"
        assert layer.window.size == (3, 3)

    def test_a_file_that_is_missing_there_is_named_with_its_folder(self) -> None:
        Path("only-here.txt").write_text("1 2\n")
        message = refusal("nets/net.txt", "relu\nconv:only-here.txt")
        assert message.startswith("line 2, layer 2, 'conv:only-here.txt': ")
        assert message.endswith("nets/only-here.txt: No such file or directory")

    def test_a_path_from_the_root_stays_as_it_is(self) -> None:
        network = read_document(write("nets/net.txt", f"conv:{Path('k.txt').absolute()}")).network
        assert weights_of(network) == [[[100, 200]]]

    @pytest.mark.parametrize("folder", ["box:3", "1", "a b", "n(1)", "n,2", "n;3", "n@4+5", "sobel-x", "2x"])
    @pytest.mark.parametrize("word", ["k.txt", "./2"])
    def test_a_folder_may_be_named_like_a_kernel(self, folder: str, word: str) -> None:
        path = write(f"{folder}/net.txt", f"conv:{word}")
        Path(folder, word).write_text("12 13\n")
        for seen in (path, path.absolute()):
            network = read_document(seen).network
            assert weights_of(network) == [[[12, 13]]]
            assert weights_of(cnnfilter.network(str(network))) == [[[12, 13]]]


@pytest.mark.parametrize(
    "layers",
    [
        "conv:3x3,16,p1@c1 bn relu maxpool:2 flatten fc:10",
        "2x res(conv:3x3,3,p1@a+bn | cat(conv:1x1@b | conv:[1;;2;;3],nobias | gray))@r",
        "equalize lrn:3,k=2 dropout:0.1 res( | relu) gap",
    ],
)
def test_what_the_command_prints_as_json_is_read_back(layers: str, runner: CliRunner) -> None:
    result = runner.invoke(main, ["shape", "8x9x3", layers, "--json", "-q"])
    assert result.exit_code == 0
    document = read_document(write("net.json", result.stdout))
    assert document.input == (8, 9, 3)
    assert document.network.layers == cnnfilter.network(layers).layers


def test_layers_beside_a_network_are_for_reading() -> None:
    content: dict[str, object] = {
        "input": [5, 5, 1],
        "network": "relu",
        "layers": [{"name": "wrong", "op": "nothing", "output": [1]}, 3, None],
        "totals": "anything",
    }
    document = read_document(write("net.json", content))
    assert str(document.network) == "relu"


WORDS = st.sampled_from(["relu", "3x3", "conv", "same", "sobel-x", "2x", "a", "[1 2]", "maxpool:2", "1/2", "# note"])
KEY_WORDS = st.sampled_from(
    [
        *("op", "name", "repeat", "kernel", "kernels", "size", "stride", "padding", "outputs", "bias", "flip"),
        *("body", "branches", "layers", "network", "input", "weights", "mean", "std", "border", "rate", "x"),
    ]
)
CONTENT = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.floats() | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(KEY_WORDS, inner, max_size=4)
        | st.fixed_dictionaries(
            {"op": st.sampled_from(["conv", "maxpool", "res", "cat", "relu"])}, optional={"body": inner}
        )
        | st.fixed_dictionaries({"layers": st.lists(inner, max_size=3)})
        | st.fixed_dictionaries(
            {"op": st.sampled_from(["conv", "dwconv", "maxpool"]), "size": st.integers(1, 3)},
            optional={
                "stride": inner,
                "padding": inner,
                "bias": inner,
                "kernel": inner,
                "name": inner,
                "repeat": inner,
            },
        )
    ),
)
FILES = st.one_of(
    st.binary(max_size=60),
    st.text('{}[]":,=\n# relutanhconvlayersnetworkinput0123456789x', max_size=80).map(str.encode),
    CONTENT.map(lambda content: json.dumps(content).encode()),
    st.lists(CONTENT, max_size=3).map(lambda content: json.dumps({"layers": content}).encode()),
)


def outcome(path: Path) -> str:
    """Return the network of a file, or what is said of it."""
    try:
        return repr(read_document(path).network)
    except LanguageError as error:
        return str(error)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(SUFFIXES), FILES)
def test_every_file_is_a_network_or_refused_in_one_line(suffix: str, content: bytes) -> None:
    found = outcome(write(f"net{suffix}", content))
    assert found.splitlines() == [found]
    assert found.startswith(("<Network of ", f"net{suffix}: "))


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("net.toml", 'layers = ["relu"]\ninput = = 3\n', (2, 9)),
        ("net.json", '{"layers": ["relu"],\n "input": }', (2, 11)),
        ("net.txt", "relu\ntanh\nabss\n", (3, None)),
        ("net.toml", 'layers = ["abss"]\n', (None, None)),
    ],
)
def test_an_error_knows_its_file_and_its_place(
    name: str, text: str, place: tuple[int | None, int | None], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LanguageError) as caught:
        read_document(path)
    assert caught.value.path == str(path)
    assert (caught.value.line, caught.value.column) == place


@pytest.mark.parametrize(
    ("options", "printed"),
    [
        ('border = "edge"', "conv:3x3,same,border=edge"),
        ('border = "edge", padding = 0', "conv:3x3,valid,border=edge"),
        ('border = "edge", padding = "valid"', "conv:3x3,valid,border=edge"),
        ('border = "edge", padding = 1', "conv:3x3,p1,border=edge"),
        ('border = "zero"', "conv:3x3"),
    ],
)
def test_a_border_in_a_table_has_the_padding_that_it_has_in_the_language(options: str, printed: str) -> None:
    network = read_document(write("net.toml", f'layers = [{{op = "conv", size = 3, {options}}}]')).network
    assert str(network) == printed
    assert parse_network(printed, kernel_shape) == network
