"""What the library says: parameters are named, not options, and warnings point at the caller."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnnfilter
from cnnfilter.errors import CnnFilterError
from cnnfilter.log import PHRASES, in_words_of_python

PACKAGE = Path(cnnfilter.__file__).parent

ROOMS = ("numbers", "nn", "io", "kernels", "network_files", "compute", "explain", "api")
"""The rooms that the library uses."""

OF_COMMANDS = (
    "io/paths.py",
    "explain/chain.py",
    "compute/classes.py",
    "nn/lint.py",
    "list_kernels",
    "encode_pages",
    "_check_sizes",
)
"""Modules, or functions, with messages that only commands give."""

OPTION = re.compile(r"(?<![\w-])--?[a-z](?![\^)])")
"""An option, but not -x in a formula such as exp(-x)."""


def texts_of(node: ast.AST) -> Iterator[str]:
    """Yield the texts in a piece of a program, those of comments and docstrings aside."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.FunctionDef) and node.name in OF_COMMANDS:
        return
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from texts_of(child)


def modules() -> list[Path]:
    """Return the modules that the library uses."""
    paths = [path for room in ROOMS for path in [PACKAGE / f"{room}.py", *(PACKAGE / room).rglob("*.py")]]
    return [path for path in paths if path.exists() and str(path.relative_to(PACKAGE)) not in OF_COMMANDS]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_message_names_an_option_of_the_command(path: Path) -> None:
    texts = texts_of(ast.parse(path.read_text(encoding="utf-8")))
    said = [re.sub("`[^`]*`", "", in_words_of_python(text)) for text in texts]
    assert [text for text in said if OPTION.search(text)] == []


def test_every_phrase_that_is_replaced_is_in_a_message() -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py") if path.stem != "log"]
    said = "\n".join(text for tree in trees for text in texts_of(tree))
    assert [phrase for phrase in PHRASES if phrase not in said] == []


def test_errors_of_reading_name_parameters_that_read_image_has(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    jpeg = cnnfilter.encode_image(noise, ".jpg")[:5000]
    with pytest.raises(CnnFilterError, match="allow_truncated=True uses what is left"):
        cnnfilter.read_image(jpeg)
    with pytest.warns(UserWarning, match="the JPEG is cut off or damaged"):
        assert cnnfilter.read_image(jpeg, allow_truncated=True).shape == (64, 64, 3)
    with pytest.raises(CnnFilterError, match="64x64 pixels are more than the limit of 100; max_pixels=N"):
        cnnfilter.read_image(cnnfilter.encode_image(noise, ".png"), max_pixels=100)
    pages = [Image.fromarray(noise[:, :, channel]) for channel in range(3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    with pytest.warns(UserWarning, match=r"pages\.tif: the first of 3 pages is returned; page=N returns another"):
        first = cnnfilter.read_image(tmp_path / "pages.tif")
    assert np.array_equal(first, noise[:, :, 0])
    assert np.array_equal(cnnfilter.read_image(tmp_path / "pages.tif", page=3), noise[:, :, 2])
    with pytest.raises(CnnFilterError, match="has 3 pages, and page=4 does not exist"):
        cnnfilter.read_image(tmp_path / "pages.tif", page=4)
    with pytest.raises(CnnFilterError, match="page 0 is below 1"):
        cnnfilter.read_image(tmp_path / "pages.tif", page=0)


def test_an_error_keeps_its_path_and_its_reason_in_the_same_words(tmp_path: Path) -> None:
    with pytest.raises(CnnFilterError) as raised:
        cnnfilter.write_image(tmp_path / "nosuffix", np.zeros((2, 2)))
    assert str(raised.value) == f"{tmp_path / 'nosuffix'}: {raised.value.reason}"
    assert raised.value.reason.startswith("no suffix; known are .png")


def test_weights_that_are_missing_are_a_parameter_of_run() -> None:
    with pytest.raises(CnnFilterError, match=r"`run\(image, weights=\.\.\.\)` brings some"):
        cnnfilter.network("conv:3x3,2").run(np.ones((4, 4)))
    with pytest.raises(CnnFilterError, match=r"`model\.state_dict\(\)` of PyTorch can be given itself"):
        cnnfilter.network("conv:3x3,2").run(np.ones((4, 4)), "weights.pth")


def test_a_command_that_does_it_is_a_call() -> None:
    with pytest.raises(CnnFilterError, match=r'`pool\(image, 5, mode="median", stride=1, padding="same"\)`') as raised:
        cnnfilter.convolve(np.ones((9, 9)), "median:5")
    assert "cnnfilter pool" not in str(raised.value)
    with pytest.raises(CnnFilterError, match=r"only its size is known \(`summary\(shape\)`\)"):
        cnnfilter.network("conv:3x3,2").run(np.ones((4, 4)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cnnfilter.convolve(np.ones((3, 20, 20)), "box:3"), r"3 rows .*`image\.transpose\(1, 2, 0\)`"),
        (lambda: cnnfilter.pool(np.ones((3, 20, 20))), r"channels come first"),
        (
            lambda: cnnfilter.convolve(np.ones((20, 20, 3)), np.ones((16, 3, 3, 3))),
            r"\(16, 3, 3, 3\) is read as windows of 16x3 .*`kernel\.transpose\(2, 3, 1, 0\)` turns it",
        ),
        (lambda: cnnfilter.convolve(np.ones((9, 9)), "box:3", border="edge", padding=0), 'border="edge" has no effect'),
        (
            lambda: cnnfilter.network("conv:3x3,8").summary((3, 224, 224)),
            r"shape \(3, 224, 224\) is read as 3 rows; for 3 channels give \(224, 224, 3\)",
        ),
        (lambda: cnnfilter.encode_image(np.zeros((2, 2)), "png", quality=90), "quality .* changes nothing in PNG"),
        (lambda: cnnfilter.encode_image(np.full((2, 2), -9.0), "png"), 'were clipped; range="scale" shows them'),
    ],
    ids=["convolve", "pool", "kernel", "border", "summary", "quality", "clipped"],
)
def test_what_is_probably_not_meant_is_a_warning_at_the_callers_line(call: Callable[[], object], message: str) -> None:
    with pytest.warns(UserWarning, match=message) as caught:
        call()
    assert [warning.filename for warning in caught] == [__file__]


def test_channels_that_come_first_are_named_before_they_are_refused() -> None:
    with (
        pytest.warns(UserWarning, match=r"3 rows and 50 columns; .* `image\.transpose\(1, 2, 0\)` puts them last"),
        pytest.raises(CnnFilterError, match="holds 1, 3 or 4 channels"),
    ):
        cnnfilter.encode_image(np.zeros((3, 50, 40)), "png")


def test_an_image_smaller_than_its_kernel_is_refused_without_the_words_of_a_network() -> None:
    with (
        pytest.warns(UserWarning, match='border="edge" has no effect'),
        pytest.raises(CnnFilterError, match=r"^a window of 5x5 is larger than the input of 3x3; "),
    ):
        cnnfilter.convolve(np.ones((3, 3)), np.ones((5, 5)), border="edge", padding=0)


def test_a_range_that_clips_on_purpose_brings_no_warning() -> None:
    assert cnnfilter.encode_image(np.full((2, 2), -9.0), "png", range="clip")
    assert cnnfilter.encode_image(np.full((2, 2), -9.0), "png", range="max")
