"""The types of the library, as a type checker sees them."""

import re
from pathlib import Path
from typing import get_args

import pytest
from mypy import api as mypy

from cnnfilter.api.arguments import BorderName, PaddingName, PoolName, RangeName
from cnnfilter.io.formats import Range
from cnnfilter.nn.geometry import BorderMode, PaddingWord
from cnnfilter.nn.other_layers import PoolMode

PROGRAM = """\
import io
from pathlib import Path
import cnnfilter
import numpy as np

image = cnnfilter.read_image("photo.jpg")
cnnfilter.read_image(Path("photo.jpg"), page=2)
cnnfilter.read_image(b"data")
cnnfilter.read_image(io.BytesIO(b"data"))
cnnfilter.convolve(image, "sharpen", border="edge")
cnnfilter.convolve([[1, 2], [3, 4]], [[1, 1]], padding=(1, 2), border=7.5)
cnnfilter.convolve(image, np.ones((3, 3, 3, 2)), bias=[1, 0], stride=(2, 1))
cnnfilter.pool(image, 2, mode="median")
cnnfilter.write_image("out.png", image, range="abs", quality=90)
data: bytes = cnnfilter.encode_image(image, ".png")
names: list[str] = cnnfilter.kernel_names()
net = cnnfilter.network("conv:3x3,8 relu")
net.run([[1.0]], {"conv1.weight": np.ones((8, 1, 3, 3))})
count: int = net.summary((8, 8, 1)).totals.parameters
print(cnnfilter.trace(image, "sobel-x", at=(0, 0)).result)
cnnfilter.set_threads(None)

cnnfilter.nonsense  # wrong
cnnfilter.convolv(image, "sharpen")  # wrong
cnnfilter.convolve(image, "sharpen", padding="sme")  # wrong
cnnfilter.convolve(image, "sharpen", border="egde")  # wrong
cnnfilter.convolve(image, "sharpen", strides=2)  # wrong
cnnfilter.convolve(image)  # wrong
cnnfilter.pool(image, mode="mean")  # wrong
cnnfilter.write_image("out.png", image, range="sclae")  # wrong
cnnfilter.trace(image, "sharpen", at=3)  # wrong
count = net.summary().rows  # wrong
net.runs(image)  # wrong
"""


def test_a_type_checker_accepts_what_works_and_refuses_misspelt_names_and_choices(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    package = str(Path(__file__).resolve().parents[2] / "pyproject.toml")
    output, errors, _ = mypy.run(["--strict", "--config-file", package, "--no-error-summary", str(program)])
    assert not errors
    found = {int(line) for line in re.findall(r"program\.py:(\d+): error", output)}
    lines = enumerate(PROGRAM.splitlines(), 1)
    assert found == {number for number, line in lines if line.endswith("# wrong")}, output


@pytest.mark.parametrize(
    ("written", "known"),
    [
        (PaddingName, set(PaddingWord)),
        (BorderName, set(BorderMode) - {BorderMode.CONSTANT}),
        (PoolName, set(PoolMode)),
        (RangeName, set(Range)),
    ],
    ids=["padding", "border", "mode", "range"],
)
def test_the_choices_that_types_list_are_those_that_work(written: object, known: set[str]) -> None:
    assert set(get_args(written)) == known
