"""What callers give in place of arrays, kernels and numbers: taken as it is meant, or refused with what to call."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnfilter import convolve, encode_image, fit, kernel, network, pool, read_image, trace, write_image
from cnnfilter.arrays import Array
from cnnfilter.errors import CnnFilterError, KernelError, LanguageError, OutputError, ShapeError

IMAGE = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)


class Tensor:
    """An array of another library."""

    def __init__(self, values: Array, failure: str = "") -> None:
        self.values, self.failure = values, failure

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        """Return the values, as PyTorch does it."""
        if self.failure:
            raise RuntimeError(self.failure)
        return self.values


@pytest.mark.parametrize(
    "given",
    [IMAGE.tolist(), Tensor(IMAGE), Image.fromarray(IMAGE), IMAGE.astype(">u2"), np.asfortranarray(IMAGE)],
    ids=["list", "tensor", "Pillow", "big endian", "columns first"],
)
def test_whatever_becomes_an_array_is_an_image(given: Any) -> None:
    expected = convolve(IMAGE, [[1, 2], [3, 4]])
    assert np.array_equal(convolve(given, [[1, 2], [3, 4]]), expected)
    assert np.array_equal(network("maxpool:2").run(given), pool(IMAGE))
    assert np.array_equal(pool(given), pool(IMAGE))


def test_a_kernel_is_a_name_a_path_a_text_or_an_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    weights = [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]
    Path("sharpen").write_text("1 2\n3 4\n")
    Path("mine.txt").write_text("0 -1 0\n-1 5 -1\n0 -1 0\n")
    expected = convolve(IMAGE, np.array(weights))
    for given in ("sharpen", "0 -1 0; -1 5 -1; 0 -1 0", "./mine.txt", Path("mine.txt"), tmp_path / "mine.txt", weights):
        assert np.array_equal(convolve(IMAGE, given), expected)
    assert np.array_equal(convolve(IMAGE, Path("sharpen")), convolve(IMAGE, [[1, 2], [3, 4]]))  # a path is a file
    assert kernel(Path("mine.txt")).tolist() == weights


def test_the_offset_of_a_libvips_matrix_is_added_as_the_command_adds_it(tmp_path: Path) -> None:
    (tmp_path / "vips.mat").write_text("3 1 4 128\n1 2 1\n")
    assert convolve(np.full((1, 3), 8.0), tmp_path / "vips.mat").tolist() == [[136]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("photo.jpg", "image is of type str, not an array; cnnfilter.read_image('photo.jpg') returns one"),
        (Path("photo.jpg"), "cnnfilter.read_image('photo.jpg') returns one"),
        (b"data", "image is of type bytes, not an array; cnnfilter.read_image(image) returns one"),
        (None, "image is None, not an array; cv2.imread returns None for a file that it cannot read"),
        ([[1, 2], [3]], "image, of type list, has rows of 2 and 1 values; all need the same length"),
        ([[[1, 2], [3]], [[1], [2]]], "image, of type list, cannot become a numpy array: "),
        (np.ones((4, 4), complex), "image, of type ndarray, holds complex numbers (complex128); `image.real`"),
        ([["a"]], "image, of type list, holds text, not numbers"),
        ({}, "image, of type dict, holds Python objects, not numbers"),
        (np.ones((0, 5, 3)), "image is empty: its shape is (0, 5, 3)"),
        (Tensor(IMAGE, "Can't call numpy() on Tensor that requires grad."), "Can't call numpy() on Tensor"),
        (Image.new("P", (9, 9)), 'image is a Pillow image of mode P; `image.convert("RGB")` has colours'),
        (Image.new("CMYK", (9, 9)), "image is a Pillow image of mode CMYK"),
    ],
)
def test_what_is_not_an_image_is_refused_with_what_to_do(given: Any, message: str) -> None:
    for call in (lambda: convolve(given, "sharpen"), lambda: pool(given), lambda: network("relu").run(given)):
        with pytest.raises(ShapeError, match=re.escape(message)) as raised:
            call()
        assert "\n" not in str(raised.value)
    with pytest.raises(OutputError, match=re.escape(message)):
        encode_image(given, ".png")


@pytest.mark.parametrize("name", ["convolve", "pool"])
def test_several_images_go_through_a_network_or_a_loop(name: str) -> None:
    images = np.ones((2, 6, 7, 3))
    message = rf"image has 4 dimensions, \(2, 6, 7, 3\), and {name} takes one image.*`\[{name}\(one, ...\) for one in"
    with pytest.raises(ShapeError, match=message):
        _ = convolve(images, "sharpen") if name == "convolve" else pool(images)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"kernel": "sharpn"}, KernelError, "nearest: sharpen.*`cnnfilter.kernel_names\\(\\)` lists all"),
        ({"kernel": None}, KernelError, "^kernel is None, not an array$"),
        ({"kernel": [[1, 2], [3]]}, KernelError, "kernel, of type list, has rows of 2 and 1 values"),
        ({"kernel": [1, 2, 1]}, KernelError, r"shape \(3,\); .*; `kernel\[None, :\]` is one row"),
        ({"kernel": 3}, KernelError, r"kernel has the shape \(\); a kernel is \(kh, kw\)"),
        ({"kernel": np.ones((3, 3, 4))}, ShapeError, r"kernel of shape \(3, 3, 4\) has 4 slices for 3 channels"),
        ({"padding": "sme"}, LanguageError, "'sme' is unknown: .*; nearest: same"),
        (
            {"padding": (1, 2, 3)},
            ShapeError,
            r"give one, or two \(height, width\), or four \(top, left, bottom, right\)",
        ),
        ({"border": None}, LanguageError, "border 'None' is unknown"),
        ({"bias": "x"}, ShapeError, "bias 'x' is not a number"),
        ({"bias": None}, ShapeError, "bias None is not a finite number"),
        ({"bias": np.nan}, ShapeError, "bias nan is not a finite number"),
        ({"bias": [1, 2]}, ShapeError, r"bias has the shape \(2,\), and the kernel has 1 output: give \(1,\)"),
        ({"groups": "2", "kernel": np.ones((1, 1, 3, 2))}, ShapeError, "groups '2' is not a whole number"),
        ({"stride": None}, ShapeError, "stride None is not a whole number"),
    ],
    ids=str,
)
def test_other_wrong_arguments_are_named(options: dict[str, Any], error: type[CnnFilterError], message: str) -> None:
    arguments: dict[str, Any] = {"image": IMAGE, "kernel": "sharpen", **options}
    with pytest.raises(error, match=message):
        convolve(**arguments)


def test_a_bias_for_each_output_is_added_to_its_map() -> None:
    bank = np.random.default_rng(1).integers(-3, 4, (3, 3, 3, 2))
    plain = convolve(IMAGE, bank)
    assert np.array_equal(convolve(IMAGE, bank, bias=[1, -2.5]), plain + np.array([1, -2.5], np.float32))
    assert np.array_equal(convolve(IMAGE, bank, bias=np.array([4])[0]), plain + 4)
    assert np.array_equal(convolve(IMAGE, "sharpen", bias=[7]), convolve(IMAGE, "sharpen") + 7)
    with pytest.raises(ShapeError, match=r"bias has the shape \(3,\), and the kernel has 2 outputs: give \(2,\)"):
        convolve(IMAGE, bank, bias=[1, 2, 3])


def test_a_number_is_a_border_that_holds_it() -> None:
    padded = np.pad(IMAGE.astype(float), ((1, 1), (1, 1), (0, 0)), constant_values=7.5)
    assert np.array_equal(convolve(IMAGE, "sharpen", border=7.5), convolve(padded, "sharpen"))
    assert np.array_equal(convolve(IMAGE, "sharpen", border=np.float64(0)), convolve(IMAGE, "sharpen", padding="same"))


@pytest.mark.parametrize(
    ("call", "arguments", "error", "message"),
    [
        (network, [["relu"]], LanguageError, "network takes the layers as text or the path of a file, not list"),
        (network("fc:2").run, [IMAGE, 3], KernelError, "weights are a path or a mapping .*, not int"),
        (
            network("fc:2").run,
            [IMAGE, {"a.weight": [[1, 2], [3]]}],
            KernelError,
            r"a\.weight, .* rows of 2 and 1 values",
        ),
        (network("relu").run, [np.ones((1,) * 5)], ShapeError, r"\(H, W\), \(H, W, C\) and \(N, H, W, C\) are images"),
        (network("relu").summary, [224], ShapeError, r"shape 224 is not \(height, width\) or"),
        (network("relu").summary, [(2.5, 2)], ShapeError, r"shape \(2\.5, 2\) is not"),
        (kernel, [np.ones((3, 3))], KernelError, "kernel takes a name, a path or a matrix as text, not ndarray"),
        (read_image, [IMAGE], OSError, "read_image takes a path, bytes or a binary file, not ndarray"),
        (read_image, ["nostore://a/b.png"], ImportError, "nostore://a/b.png: "),
        (write_image, [IMAGE, "a.png"], OutputError, r"it comes first, as in write_image\(path, image\)"),
        (encode_image, [IMAGE, 3], OutputError, "suffix is of type int"),
        (
            partial(fit, channels="grey"),  # type: ignore[arg-type]
            [IMAGE, IMAGE],
            LanguageError,
            "'grey' is unknown: each, sum, gray; nearest: gray",
        ),
        (trace, [IMAGE, "sharpen", 3], ShapeError, r"at 3 is not \(row, column\)"),
        (trace, [IMAGE, "sharpen", (0, -1)], ShapeError, r"at \(0, -1\) is negative"),
        (trace, [IMAGE, "sharpen", (9, 0)], ShapeError, "outside the output of 4x5x3"),
    ],
)
def test_other_functions_name_what_they_take(
    call: Callable[..., object], arguments: list[Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as raised:
        call(*arguments)
    assert isinstance(raised.value, CnnFilterError)
