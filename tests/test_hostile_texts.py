"""Kernel words, matrix files, the layer language, network files and weights of chance: only our own errors come out.

`HOSTILE_EXAMPLES=100000 python -m pytest tests/test_hostile_texts.py` goes on for longer.
"""

import io
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from cnnfilter.errors import CnnFilterError
from cnnfilter.io.matrices import decode_matrix
from cnnfilter.io.weights import read_weights
from cnnfilter.kernels.readers import SUFFIXES
from cnnfilter.kernels.spec import describe, kernel_shape, load_kernel, names, never_negative, recognize
from cnnfilter.network_files import read_document
from cnnfilter.nn.formulas import explain
from cnnfilter.nn.language import OPS, SHORT, parse_network
from cnnfilter.nn.layer_options import KNOWN_WORDS
from cnnfilter.nn.layers import show_layers
from cnnfilter.nn.network import Network
from cnnfilter.nn.summary import summarize

EXAMPLES = settings(max_examples=int(os.environ.get("HOSTILE_EXAMPLES", "150")))

ODD_NUMBERS = (
    *("0", "1", "2", "3", "7", "-1", "0.5", "1/9", "1/0", "1e5", "1e308", "1e400", "-1e-400", "nan", "inf", "0x10"),
    *("1_000", "٣", "4001", "4002", "100000", "100001", "100000000"),
)

NUMBERS = st.one_of(
    st.sampled_from(ODD_NUMBERS),
    st.integers(-(10**30), 10**30).map(str),
    st.floats().map(repr),
    st.integers(1, 5).map(lambda size: "9" * 10**size),
)

SIGNS = st.sampled_from([*" ,;:/|+@#[](){}=.x*\n\t\0", ";;", ";;;", "\r\n", "\ufeff", "\u2028", "\ud800", "é", "□"])

KERNELS = st.sampled_from([*names(), "box:3", "gaussian:", "motion:3:", "n=", "sigma=", "./x.txt", "..", "/", "~"])


def texts(*words: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return texts of words, numbers, signs and chance."""
    piece = st.one_of(*words, NUMBERS, SIGNS, st.text(max_size=5))
    return st.lists(piece, max_size=25).map("".join)


LAYERS = texts(
    st.sampled_from([*OPS, *SHORT, "res(", "cat(", "3x ", "9999999x ", "conv:3x3,4", "2x res(relu | ", "input"]),
    st.sampled_from([*KNOWN_WORDS, "3x3", "s2", "p1", "p=1/2/3/4", "d2", "g2", "same", "@a", "@a.b"]),
    KERNELS,
)


def only_ours(run: Callable[[], object]) -> None:
    """Run something, and pass over the errors that are about what was given; all others come out."""
    with suppress(CnnFilterError):
        run()


def use(network: Network) -> None:
    """Do with a network all that `shape` does."""
    assert show_layers(network.layers) == str(network)
    for shape in ((9, 8, 3), (1, 1, 1), (30, 2, 4)):
        with suppress(CnnFilterError):
            visits = list(network.visits(shape))
            summarize(network, shape)
            for visit in visits:
                explain(visit)


@EXAMPLES
@given(texts(KERNELS))
def test_a_kernel_word(word: str) -> None:
    only_ours(lambda: describe(word))
    only_ours(lambda: recognize(word))
    only_ours(lambda: never_negative(word))
    with suppress(CnnFilterError):
        shape = kernel_shape(word)
        if np.prod(shape, dtype=float) < 1e6:
            assert load_kernel(word).weights.shape == shape


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


def arrays() -> st.SearchStrategy[bytes]:
    """Return `.npy` files, most of them damaged."""

    def as_file(matrix: Any) -> bytes:
        file = io.BytesIO()
        np.save(file, matrix, allow_pickle=True)
        return file.getvalue()

    matrices = (np.ones((2, 3)), np.ones((2, 3), ">i2"), np.array([{}, "x"]), np.ones((1, 2), "U3"))
    whole = st.sampled_from([as_file(matrix) for matrix in matrices])
    texts_in_headers = st.tuples(whole, st.integers(8, 70), st.binary(max_size=30))
    return texts_in_headers.map(lambda made: made[0][: made[1]] + made[2] + made[0][made[1] + len(made[2]) :])


CONTENTS = st.one_of(
    texts(st.sampled_from(["3x3: 1,2", "3 3 1 0", "# a comment", "2 2\n1 2\n3 4\n"])).map(
        lambda text: text.encode("utf-8", "surrogatepass")
    ),
    st.binary(max_size=80),
    arrays(),
)


@pytest.mark.parametrize("suffix", SUFFIXES)
@EXAMPLES
@given(data=CONTENTS)
def test_a_kernel_file(suffix: str, data: bytes, folder: Path) -> None:
    path = folder / f"kernel{suffix}"
    path.write_bytes(data)
    only_ours(lambda: kernel_shape(str(path)))
    only_ours(lambda: load_kernel(str(path)))
    only_ours(lambda: never_negative(str(path)))


@EXAMPLES
@given(CONTENTS)
def test_a_matrix_file(data: bytes) -> None:
    with suppress(CnnFilterError):
        assert decode_matrix(data, "matrix").size


@EXAMPLES
@given(LAYERS)
def test_a_text_of_the_language(text: str) -> None:
    only_ours(lambda: use(parse_network(text, kernel_shape)))


TOML_VALUES = st.recursive(
    st.one_of(LAYERS, NUMBERS, st.integers(), st.floats(), st.booleans(), st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["op", "kernel", "size", "branches", "body", "repeat", "name", "x"]), inner),
    ),
    max_leaves=8,
)

DOCUMENT_KEYS = st.sampled_from(["input", "weights", "labels", "input_scale", "mean", "std", "layers", "network", "x"])


def as_toml(value: object) -> str:
    """Return a value as TOML writes it, or something like it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {as_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return json.dumps(value)


@EXAMPLES
@given(content=st.dictionaries(DOCUMENT_KEYS, TOML_VALUES), noise=st.one_of(st.just(""), LAYERS))
def test_a_network_file(content: dict[str, object], noise: str, folder: Path) -> None:
    written = {
        "net.toml": "".join(f"{key} = {as_toml(value)}\n" for key, value in content.items()) + noise,
        "net.json": json.dumps(content) + noise,
        "net.txt": noise,
    }
    for name, text in written.items():
        path = folder / name
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        with suppress(CnnFilterError):
            use(read_document(path).network)


@pytest.mark.parametrize("suffix", [".toml", ".json", ".txt"])
@pytest.mark.parametrize("opening", ["[", "{", "layers = [", '{"layers": [', "res(", "x = {a = ", "2x ", "conv:["])
@pytest.mark.parametrize("times", [60, 1_000, 20_000])
def test_a_file_of_brackets_in_brackets(suffix: str, opening: str, times: int, folder: Path) -> None:
    path = folder / f"deep{suffix}"
    path.write_text(opening * times)
    with pytest.raises(CnnFilterError):
        read_document(path)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@EXAMPLES
@given(place=st.integers(0, 2000), damage=st.binary(min_size=1, max_size=8), length=st.integers(0, 3000))
def test_a_file_of_weights(suffix: str, place: int, damage: bytes, length: int, folder: Path) -> None:
    path = folder / f"weights{suffix}"
    data = bytearray(WEIGHTS[suffix])
    data[place % len(data) : place % len(data) + len(damage)] = damage
    path.write_bytes(bytes(data)[: length or None])
    only_ours(lambda: read_weights(path))


def _weights() -> dict[str, bytes]:
    tensors: dict[str, Any] = {"conv1.weight": np.ones((2, 1, 3, 3), np.float32), "conv1.bias": np.zeros(2)}
    file = io.BytesIO()
    np.savez_compressed(file, **tensors)
    return {".npz": file.getvalue(), ".safetensors": save(tensors)}


WEIGHTS = _weights()


def test_weights_are_never_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    np.savez(tmp_path / "trap.npz", weight=np.array([Trap()], dtype=object))
    np.save(tmp_path / "trap.npy", np.array([[Trap()]], dtype=object), allow_pickle=True)
    for run in (
        lambda: read_weights(tmp_path / "trap.npz"),
        lambda: load_kernel(str(tmp_path / "trap.npy")),
        lambda: decode_matrix((tmp_path / "trap.npy").read_bytes(), "trap.npy"),
    ):
        with pytest.raises(CnnFilterError):
            run()
    assert not (tmp_path / "sprung").exists()
