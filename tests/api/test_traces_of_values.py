"""`trace`: what one value of `convolve` is made of."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import cnnfilter
from cnnfilter import convolve, trace
from cnnfilter.cli import main
from cnnfilter.compute.threads import count_cores

IMAGE = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ("", {}),
        ("-p same --border edge", {"padding": "same", "border": "edge"}),
        ("-s 2 --bias 3 --flip", {"stride": 2, "bias": 3, "flip": True}),
    ],
)
def test_print_shows_what_the_command_explains(options: str, given: dict[str, Any], tmp_path: Path) -> None:
    np.savetxt(tmp_path / "m.txt", IMAGE[:, :, 0], fmt="%d")
    command = ["convolve", str(tmp_path / "m.txt"), "-k", "sobel-x", "--explain", "1,2", *options.split()]
    printed = CliRunner().invoke(main, command).stdout
    explained = trace(IMAGE[:, :, 0].astype(float), "sobel-x", at=(1, 2), **given)
    assert f"{explained}\n".splitlines()[1:] == printed.splitlines()[1:]
    assert str(explained).startswith("image, sobel-x: output [1,2], ")
    described = json.loads(CliRunner().invoke(main, [*command, "--json"]).stdout)
    data = json.loads(json.dumps(explained.data))
    assert data["maps"] == described["maps"]
    assert data["window"] == described["window"]


@pytest.mark.parametrize(
    ("weights", "options"),
    [
        (np.arange(9).reshape(3, 3), {}),
        (np.arange(18).reshape(2, 3, 3), {"bias": 2}),
        (np.arange(54).reshape(3, 3, 3, 2), {"bias": [1, -2], "stride": (2, 1), "padding": 1, "border": "reflect"}),
        (np.arange(18).reshape(3, 3, 1, 2).repeat(3, axis=3), {"groups": 3, "flip": True}),
    ],
    ids=["each channel", "sum", "bank", "groups"],
)
def test_the_value_is_that_of_convolve_and_the_sum_of_the_products(weights: Any, options: dict[str, Any]) -> None:
    expected = convolve(IMAGE, weights, **options)[1, 2]
    explained = trace(IMAGE, weights, at=(1, 2), **options)
    assert np.array_equal(explained.result, np.atleast_1d(expected))
    if "groups" not in options:
        assert explained.trace.sums().tolist() == pytest.approx(np.atleast_1d(expected).tolist())


def test_a_notebook_shows_a_line() -> None:
    assert repr(trace([[1, 2, 4]], [[1, 10, 100]], at=(0, 0))) == "<TracedValue at [0, 0]: 421; print shows it>"
    assert len(repr(trace(IMAGE, np.ones((1, 1, 3, 99)), at=(0, 0)))) < 300


def test_the_number_of_threads_changes_no_value() -> None:
    image = np.random.default_rng(1).random((700, 900))
    try:
        results = []
        for number in (1, 3, None):
            cnnfilter.set_threads(number)
            results.append(convolve(image, "gaussian:9:2"))
        assert all(np.array_equal(results[0], result) for result in results)
        cnnfilter.set_threads(1)
        assert count_cores() == 1
    finally:
        cnnfilter.set_threads(None)
    for wrong in (0, -1, 1.5, "2"):
        with pytest.raises(cnnfilter.ShapeError, match="number of threads"):
            cnnfilter.set_threads(wrong)  # type: ignore[arg-type]


def test_the_names_are_those_of_the_command() -> None:
    names = cnnfilter.kernel_names()
    assert names == sorted(names)
    assert {"sharpen", "sobel-x", "gaussian", "box"} <= set(names)
