"""The package as it is installed: from a wheel, editable, and straight from a checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cnnfilter.kernels.spec import fixed_kernels
from tests.conftest import ROOT

ASK = (
    "from cnnfilter.kernels.spec import fixed_kernels, kernel_shape; "
    "print(fixed_kernels()['sobel-x'].parent, kernel_shape('sobel-x'))"
)


def build(hook: str, folder: Path) -> Path:
    """Return the wheel that a hook of the build backend makes."""
    code = f"from hatchling import build; print(build.{hook}({str(folder)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return folder / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an unpacked wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(build("build_wheel", folder)) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_a_wheel_holds_every_kernel_the_help_pages_and_the_mark_of_types(wheel: Path) -> None:
    assert {path.stem for path in (wheel / "cnnfilter" / "_kernels").glob("*.txt")} == set(fixed_kernels())
    assert (wheel / "cnnfilter" / "py.typed").exists()
    pages = {path.name for path in (ROOT / "cnnfilter" / "help").glob("*.md")}
    assert {path.name for path in (wheel / "cnnfilter" / "help").iterdir()} == pages


def test_a_wheel_runs_outside_the_repository(wheel: Path, tmp_path: Path, samples: Path) -> None:
    command = [sys.executable, "-m", "cnnfilter", "convolve", str(samples / "sharpen-5x5.txt"), "-k", "sharpen"]
    environment = {**os.environ, "PYTHONPATH": str(wheel)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["89", "111", "101", "85", "111", "101", "98", "117", "113"]


@pytest.fixture
def site(way: str, wheel: Path, tmp_path: Path) -> Path:
    """Return the folder that Python looks into, after the package has been installed in this way."""
    if way != "editable":
        return {"wheel": wheel, "checkout": ROOT}[way]
    with zipfile.ZipFile(build("build_editable", tmp_path)) as archive:
        archive.extractall(tmp_path / "site")
    return tmp_path / "site"


@pytest.mark.parametrize("way", ["wheel", "editable", "checkout"])
def test_the_fixed_kernels_are_found(way: str, site: Path, wheel: Path, tmp_path: Path) -> None:
    # Without `site`, nothing but the folder named is on the path, wherever the tests themselves run from.
    code = f"import site; site.addsitedir({str(site)!r}); {ASK}"
    command = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    kernels = wheel / "cnnfilter" / "_kernels" if way == "wheel" else ROOT / "kernels"
    assert done.stdout.split(maxsplit=1) == [str(kernels), "(3, 3)\n"]


@pytest.mark.parametrize("way", ["wheel", "editable", "checkout"])
def test_the_known_networks_are_found_with_their_weights(way: str, site: Path, tmp_path: Path) -> None:
    code = (
        f"import site; site.addsitedir({str(site)!r});"
        "from cnnfilter.network_files import known_networks, load_document;"
        "networks = known_networks(); print(*networks);"
        "print(load_document('digits').weights.stat().st_size, networks['digits'].parent.name)"
    )
    command = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    names, weights = done.stdout.splitlines()
    assert set(names.split()) == {path.stem for path in (ROOT / "samples").glob("*.toml")}
    size, folder = weights.split()
    assert int(size) == (ROOT / "samples" / "digits.npz").stat().st_size
    assert folder == ("_networks" if way == "wheel" else "samples")


def test_the_entry_point_is_the_command() -> None:
    from importlib.metadata import entry_points  # noqa: PLC0415  only this test needs it

    from cnnfilter.__main__ import run  # noqa: PLC0415

    (entry,) = entry_points(group="console_scripts", name="cnnfilter")
    assert entry.load() is run
