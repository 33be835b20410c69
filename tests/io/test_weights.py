"""Files of trained weights: what is read from them, in which order, and what is said of those that are none."""

import json
import pickle
import re
import struct
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnfilter.arrays import Array
from cnnfilter.errors import CnnFilterError, KernelError, MissingLibraryError
from cnnfilter.io.weights import natural_order, read_weights

TENSORS: dict[str, Array] = {
    "features.10.weight": np.arange(12, dtype=np.float32).reshape(3, 1, 2, 2) / 7,
    "features.10.bias": np.array([1.5, -2, 0], np.float32),
    "features.9.weight": np.array([[1, 2], [3, 4]], np.float32),
}
"""A few tensors, in an order that no sorting gives."""


def write_safetensors(path: Path, header: Mapping[str, object], data: bytes = b"") -> Path:
    """Write a file of the format by hand: the header's length, the header, the numbers."""
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def save_safetensors(path: Path, tensors: Mapping[str, Array]) -> Path:
    """Write tensors in their order, which the format does not promise to keep."""
    kinds = {"float16": "F16", "float32": "F32", "float64": "F64", "int64": "I64", "uint8": "U8", "bool": "BOOL"}
    header, data = {}, b""
    for name, tensor in tensors.items():
        raw = tensor.tobytes()
        places = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": kinds[str(tensor.dtype)], "shape": tensor.shape, "data_offsets": places}
        data += raw
    return write_safetensors(path, header, data)


def save(path: Path, tensors: Mapping[str, Array]) -> Path:
    """Write tensors in the format of a suffix."""
    if path.suffix == ".safetensors":
        pytest.importorskip("safetensors")
        return save_safetensors(path, tensors)
    np.savez(path, allow_pickle=False, **tensors)
    return path


def refusal(path: Path) -> str:
    """Return what the error says of a file: a line that begins with its path."""
    with pytest.raises(KernelError) as caught:
        read_weights(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.fixture(params=[".npz", ".safetensors"])
def suffix(request: pytest.FixtureRequest) -> str:
    """Return the suffix of a format; `.safetensors` is skipped where the package is not installed."""
    if request.param == ".safetensors":
        pytest.importorskip("safetensors")
    return str(request.param)


class TestReading:
    @pytest.mark.parametrize("as_text", [True, False], ids=["str", "Path"])
    def test_the_numbers_are_those_of_the_file(self, suffix: str, as_text: bool, tmp_path: Path) -> None:
        path = save(tmp_path / f"weights{suffix}", TENSORS)
        read = read_weights(str(path) if as_text else path)
        assert read.keys() == TENSORS.keys()
        for name, tensor in TENSORS.items():
            assert read[name].dtype == np.float32
            assert np.array_equal(read[name], tensor)

    def test_an_npz_keeps_its_order(self, tmp_path: Path) -> None:
        assert list(read_weights(save(tmp_path / "w.npz", TENSORS))) == list(TENSORS)
        turned = dict(reversed(TENSORS.items()))
        assert list(read_weights(save(tmp_path / "w.npz", turned))) == list(turned)

    def test_a_compressed_npz_is_one(self, tmp_path: Path) -> None:
        np.savez_compressed(tmp_path / "w.npz", allow_pickle=False, **TENSORS)
        read = read_weights(tmp_path / "w.npz")
        assert list(read) == list(TENSORS)
        assert all(np.array_equal(read[name], tensor) for name, tensor in TENSORS.items())

    def test_a_safetensors_is_put_in_natural_order(self, tmp_path: Path) -> None:
        expected = ["features.9.weight", "features.10.bias", "features.10.weight"]
        for tensors in (TENSORS, dict(reversed(TENSORS.items()))):
            assert list(read_weights(save(tmp_path / "w.safetensors", tensors))) == expected

    def test_the_suffix_may_be_in_capitals(self, tmp_path: Path) -> None:
        save(tmp_path / "w.npz", TENSORS).rename(tmp_path / "W.NPZ")
        assert list(read_weights(tmp_path / "W.NPZ")) == list(TENSORS)

    @pytest.mark.parametrize(
        ("stored", "kind"),
        [
            ("float16", "float32"),
            ("float32", "float32"),
            ("float64", "float64"),
            ("int64", "float32"),
            ("uint8", "float32"),
            ("bool", "float32"),
        ],
    )
    def test_numbers_of_any_type_become_floats(self, suffix: str, stored: str, kind: str, tmp_path: Path) -> None:
        tensor = np.array([[0, 1], [1, 1]]).astype(stored)
        read = read_weights(save(tmp_path / f"w{suffix}", {"a.weight": tensor}))["a.weight"]
        assert read.dtype == kind
        assert read.tolist() == [[0, 1], [1, 1]]

    def test_every_finite_bfloat16_is_read_exactly(self, tmp_path: Path) -> None:
        pytest.importorskip("safetensors")
        upper = np.arange(1 << 16, dtype=np.uint32)
        expected = np.frombuffer((upper << 16).tobytes(), np.float32)
        finite = np.isfinite(expected)
        header = {"a": {"dtype": "BF16", "shape": [1, int(finite.sum())], "data_offsets": [0, 2 * int(finite.sum())]}}
        path = write_safetensors(tmp_path / "w.safetensors", header, upper[finite].astype("<u2").tobytes())
        read = read_weights(path)["a"]
        assert read.dtype == np.float32
        assert np.array_equal(read[0].view(np.uint32), expected[finite].view(np.uint32))

    @pytest.mark.parametrize("stored", ["float16", "float32", "float64", "longdouble"])
    def test_every_float_is_read_as_it_is(self, stored: str, tmp_path: Path) -> None:
        tensor = np.array([0.1, -3.5, 65504]).astype(stored)
        assert np.array_equal(read_weights(save(tmp_path / "w.npz", {"a": tensor}))["a"], tensor.astype(np.float64))

    @pytest.mark.parametrize("stored", [">f4", ">f8", "<f8", ">i2", ">f2"])
    def test_the_order_of_bytes_does_not_matter(self, stored: str, tmp_path: Path) -> None:
        tensor = np.array([1, -2, 300]).astype(stored)
        read = read_weights(save(tmp_path / "w.npz", {"a.weight": tensor}))["a.weight"]
        assert read.dtype == (np.float64 if stored.endswith("8") else np.float32)
        assert read.tolist() == [1, -2, 300]

    def test_doubles_are_not_cut_to_singles(self, suffix: str, tmp_path: Path) -> None:
        tensor = np.array([1 / 3, 1e300, -5e-324])
        assert np.array_equal(read_weights(save(tmp_path / f"w{suffix}", {"a": tensor}))["a"], tensor)

    def test_numbers_and_empty_arrays_are_tensors(self, suffix: str, tmp_path: Path) -> None:
        tensors = {"bn.num_batches_tracked": np.array(7), "a.weight": np.zeros((0, 3))}
        read = read_weights(save(tmp_path / f"w{suffix}", tensors))
        assert read["bn.num_batches_tracked"] == 7
        assert read["a.weight"].shape == (0, 3)

    def test_a_transposed_array_lies_as_it_was(self, tmp_path: Path) -> None:
        tensor = np.arange(6.0).reshape(2, 3).T
        assert np.array_equal(read_weights(save(tmp_path / "w.npz", {"a": tensor}))["a"], tensor)

    def test_notes_in_a_safetensors_are_no_tensors(self, tmp_path: Path) -> None:
        pytest.importorskip("safetensors")
        header = {"__metadata__": {"format": "pt"}, "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
        path = write_safetensors(tmp_path / "w.safetensors", header, np.float32(2).tobytes())
        assert {name: tensor.tolist() for name, tensor in read_weights(path).items()} == {"a": [2]}


class TestRefusing:
    def test_a_file_that_is_missing(self, suffix: str, tmp_path: Path) -> None:
        assert refusal(tmp_path / f"none{suffix}") == "No such file or directory"

    def test_a_folder(self, suffix: str, tmp_path: Path) -> None:
        path = tmp_path / f"folder{suffix}"
        path.mkdir()
        assert refusal(path) == "Is a directory"

    def test_a_file_without_tensors(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "w.npz")
        assert refusal(tmp_path / "w.npz") == "holds no weights"
        pytest.importorskip("safetensors")
        assert refusal(write_safetensors(tmp_path / "w.safetensors", {})) == "holds no weights"

    @pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.6, 0.99])
    def test_a_file_that_is_cut_off(self, suffix: str, share: float, tmp_path: Path) -> None:
        path = save(tmp_path / f"w{suffix}", TENSORS)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(share * len(whole))])
        assert refusal(path).startswith(f"not a whole {suffix} file of numbers")

    def test_a_file_of_which_a_byte_is_wrong(self, tmp_path: Path) -> None:
        path = save(tmp_path / "w.npz", {"a": np.zeros(1000)})
        data = bytearray(path.read_bytes())
        data[2000] ^= 1
        path.write_bytes(data)
        assert refusal(path).startswith("not a whole .npz file of numbers (Bad CRC-32")

    @pytest.mark.parametrize(
        "content", [b"", b"\0", b"PK\3\4", b"no weights\n", bytes(range(256)) * 9, pickle.dumps({"a": 1})], ids=repr
    )
    def test_something_else(self, suffix: str, content: bytes, tmp_path: Path) -> None:
        path = tmp_path / f"w{suffix}"
        path.write_bytes(content)
        assert refusal(path).startswith(f"not a whole {suffix} file of numbers")

    @given(content=st.binary(max_size=200))
    def test_any_bytes_are_an_error_in_one_line(self, content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
        path = tmp_path_factory.mktemp("any") / "w.npz"
        path.write_bytes(content)
        assert refusal(path).startswith("not a whole .npz file of numbers (")

    def test_pickled_objects_are_never_loaded(self, tmp_path: Path) -> None:
        tensor = np.array([{"a": 1}, None], dtype=object)
        np.savez(tmp_path / "w.npz", allow_pickle=True, **{"a.weight": tensor})
        assert "Python's own objects" in refusal(tmp_path / "w.npz")

    @pytest.mark.parametrize(
        ("tensor", "kind"),
        [
            (np.array([1j]), "complex128"),
            (np.array(["a"]), "<U1"),
            (np.array([b"a"]), r"|S1"),
            (np.array([(1.0,)], dtype=[("x", "f4")]), "[('x', '<f4')]"),
            (np.array(["2020-01-01"], "datetime64[D]"), "datetime64[D]"),
        ],
        ids=str,
    )
    def test_what_is_no_number_is_named(self, tensor: Array, kind: str, tmp_path: Path) -> None:
        path = save(tmp_path / "w.npz", {"good": np.ones(2), "a.weight": tensor})
        with pytest.raises(KernelError) as caught:
            read_weights(path)
        assert str(caught.value) == f"{path}: a.weight holds {kind}, and weights are numbers"

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("stored", ["float16", "float32", "float64"])
    def test_what_is_not_finite_is_named(self, suffix: str, stored: str, value: float, tmp_path: Path) -> None:
        tensors = {"good": np.ones(2, stored), "bad.weight": np.array([[1, value]], stored)}
        path = save(tmp_path / f"w{suffix}", tensors)
        with pytest.raises(KernelError) as caught:
            read_weights(path)
        assert str(caught.value) == f"{path}: bad.weight holds nan or infinity; weights are finite"

    @pytest.mark.parametrize("kind", ["F8_E4M3", "F8_E5M2", "F8_E8M0", "C64"])
    def test_types_that_are_not_read_are_named(self, kind: str, tmp_path: Path) -> None:
        pytest.importorskip("safetensors")
        size = 8 if kind == "C64" else 1
        header = {"a": {"dtype": kind, "shape": [2], "data_offsets": [0, 2 * size]}}
        path = write_safetensors(tmp_path / "w.safetensors", header, bytes(2 * size))
        assert refusal(path).startswith(f"a holds {kind}; read are F64, F32, F16, BF16 and whole numbers")

    def test_bfloat16_of_an_npz_is_read_and_another_type_that_numpy_lacks_is_named(self, tmp_path: Path) -> None:
        halves = (np.array([[1, -0.375]], "<f4").view("<u4") >> 16).astype("<u2")  # numpy stores bfloat16 as V2
        np.savez(tmp_path / "w.npz", a=halves.view("V2"))
        assert read_weights(tmp_path / "w.npz")["a"].tolist() == [[1, -0.375]]
        np.savez(tmp_path / "w.npz", a=np.zeros(2, "V1"))
        with pytest.raises(KernelError, match=r"a holds \|V1, and weights are numbers"):
            read_weights(tmp_path / "w.npz")

    @pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
    def test_a_header_that_promises_more_than_there_is(self, suffix: str, tmp_path: Path) -> None:
        path = save(tmp_path / f"w{suffix}", {"a.weight": np.ones((20, 30), np.float32)})
        data = path.read_bytes()
        for old, new in ((b"(20, 30)", b"(90, 30)"), (b"[20, 30]", b"[90, 30]"), (b"0, 2400]", b"0, 9400]")):
            data = data.replace(old, new)
        path.write_bytes(data)
        assert refusal(path).startswith(f"not a whole {suffix} file of numbers")

    @pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
    def test_tensors_for_which_memory_is_not_free(
        self, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = save(tmp_path / f"w{suffix}", {"a.weight": np.ones((600, 600), np.float64)})
        monkeypatch.setattr("cnnfilter.io.paths.free_memory", lambda: 1 << 20)
        monkeypatch.setattr("cnnfilter.io.paths._WORTH_ASKING", 0)
        assert re.fullmatch("its tensors need [25] MB of memory, and 1 MB are free", refusal(path))

    def test_a_file_of_torch_save_under_another_name_is_told_what_to_do(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "w.npz", "w") as file:
            file.writestr("archive/data.pkl", b"\x80\x02")
            file.writestr("archive/data/0", b"\0" * 16)
        with pytest.raises(KernelError, match=r"archive/data\.pkl .*a file of torch\.save .* numpy\.savez"):
            read_weights(tmp_path / "w.npz")

    def test_a_zip_with_other_files_in_it(self, tmp_path: Path) -> None:
        path = save(tmp_path / "w.npz", TENSORS)
        with zipfile.ZipFile(path, "a") as file:
            file.writestr("README.txt", b"my weights\n")
        with pytest.raises(KernelError, match=r"README\.txt holds .*, and weights are numbers$"):
            read_weights(path)

    @pytest.mark.parametrize("name", ["model.pt", "model.pth", "model.onnx", "model.npy", "model", "model.npz.gz"])
    def test_another_suffix_tells_how_to_convert(self, name: str, tmp_path: Path) -> None:
        message = refusal(tmp_path / name)
        assert message.startswith("weights are read from .npz and .safetensors; in PyTorch, numpy.savez(path, ")
        assert "model.state_dict()" in message

    def test_the_conversion_that_the_message_shows_is_python(self, tmp_path: Path) -> None:
        message = refusal(tmp_path / "model.pt")
        call = message[message.index("numpy.savez(") : message.index(" writes the first")]

        class Tensor:
            def numpy(self) -> Array:
                return np.ones(3, np.float32)

        class Model:
            def state_dict(self) -> dict[str, Tensor]:
                return {"conv1.bias": Tensor()}

        eval(call, {"numpy": np, "path": tmp_path / "model.npz", "model": Model()})  # what a reader would type
        assert read_weights(tmp_path / "model.npz")["conv1.bias"].tolist() == [1, 1, 1]

    def test_without_the_package_safetensors_it_says_so(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setitem(sys.modules, "safetensors", None)
        path = save_safetensors(tmp_path / "w.safetensors", TENSORS)
        with pytest.raises(MissingLibraryError) as caught:
            read_weights(path)
        assert isinstance(caught.value, CnnFilterError)
        assert str(caught.value) == (
            f"{path}: .safetensors needs the package safetensors (pip install safetensors); .npz needs none"
        )
        assert list(read_weights(save(tmp_path / "w.npz", TENSORS))) == list(TENSORS)


class TestNaturalOrder:
    @pytest.mark.parametrize(
        "names",
        [
            ["conv1", "conv2", "conv10"],
            ["layer1.0.conv1", "layer1.0.conv2", "layer1.1.conv1", "layer1.10.conv1", "layer2.0.conv1"],
            ["0.weight", "3.weight", "12.weight"],
            ["a.9", "a.10", "b.1"],
            ["1", "a"],
            ["a1b2", "a1b10", "a2b1"],
            [f"a{'1' * 5000}", f"a{'1' * 5001}"],
        ],
        ids=lambda names: " ".join(names)[:40],
    )
    def test_numbers_in_names_count_as_numbers(self, names: list[str]) -> None:
        turned = names[::-1]
        assert sorted(turned, key=natural_order) == names

    @given(names=st.lists(st.text("ab.019é٣", max_size=6), max_size=6))
    def test_any_names_can_be_sorted_in_one_way(self, names: list[str]) -> None:
        turned = names[::-1]
        first, second = sorted(names, key=natural_order), sorted(turned, key=natural_order)
        assert [natural_order(name) for name in first] == [natural_order(name) for name in second]

    @given(numbers=st.lists(st.integers(0, 10**6), max_size=9))
    def test_numbers_alone_are_sorted_as_numbers(self, numbers: list[int]) -> None:
        assert sorted(map(str, numbers), key=natural_order) == [str(number) for number in sorted(numbers)]


def test_a_variance_below_0_is_none(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **{"bn.running_var": np.array([1.0, -1e-9])})  # type: ignore[arg-type]
    assert "bn.running_var is negative" in refusal(tmp_path / "w.npz")
