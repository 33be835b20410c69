"""OpenCV that cannot be loaded: one line that says what brings it, and no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cnnfilter.io.opencv import cv2, explain_import_error

_LOADER = "{}: cannot open shared object file: No such file or directory"


@pytest.mark.parametrize(
    ("library", "package"),
    [
        ("libGL.so.1", "libgl1"),
        ("libgthread-2.0.so.0", "libglib2.0-0"),
        ("libglib-2.0.so.0", "libglib2.0-0"),
    ],
)
def test_a_missing_library_is_named_with_its_package(library: str, package: str) -> None:
    line = explain_import_error(ImportError(_LOADER.format(library)))
    assert f"{library} is missing" in line
    assert f"the package {package} " in line
    assert "pip install opencv-python-headless" in line
    assert "\n" not in line


@pytest.mark.parametrize("reason", [_LOADER.format("libfoo.so.7"), "No module named 'cv2'", "numpy is too old"])
def test_another_reason_is_told_in_its_own_words(reason: str) -> None:
    line = explain_import_error(ImportError(reason))
    assert reason in line
    assert "the package" not in line
    assert "opencv-python-headless" in line


def test_opencv_is_handed_out_by_its_own_name() -> None:
    assert cv2.__name__ == "cv2"


@pytest.fixture
def broken(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which `import cv2` finds no libGL."""
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "cv2.py").write_text(f"raise ImportError({_LOADER.format('libGL.so.1')!r})\n")
    return {**os.environ, "PYTHONPATH": str(tmp_path / "fake")}


def test_a_command_prints_one_line_and_fails(broken: dict[str, str], samples: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.png"
    words = ["convolve", str(samples / "sprite.png"), "-k", "sharpen", "-o", str(output)]
    done = subprocess.run(
        [sys.executable, "-m", "cnnfilter", *words], capture_output=True, text=True, check=False, env=broken
    )
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("cnnfilter: OpenCV cannot be loaded: libGL.so.1 is missing; ")
    assert "libgl1" in line
    assert "opencv-python-headless" in line
    assert not output.exists()


def test_as_a_library_it_is_an_import_error_and_one_of_ours(broken: dict[str, str]) -> None:
    code = (
        "import cnnfilter.errors\n"
        "try:\n    cnnfilter.read_image('x.png')\n"
        "except ImportError as error:\n    print(isinstance(error, cnnfilter.errors.CnnFilterError), error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=broken)
    assert done.stdout.startswith("True OpenCV cannot be loaded: libGL.so.1 is missing; ")


def test_a_library_that_cannot_be_loaded_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text(
        "raise ImportError('a page\\nof advice') from ImportError('libgfortran.so: failed to map segment')\n"
    )
    words = ["-m", "cnnfilter", "convolve", "a.png", "-k", "1", "-o", "b.png"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])}
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, env=environment, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (
        1,
        "cnnfilter: a library cannot be loaded: libgfortran.so: failed to map segment\n",
    )


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only there a limit of addresses is seen")
def test_too_little_memory_is_said_before_opencv_is_loaded() -> None:
    words = ["-m", "cnnfilter", "convolve", "a.png", "-k", "1", "-o", "b.png"]
    script = f"ulimit -v 450000 && exec {sys.executable} {' '.join(words)}"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "cnnfilter: not enough memory to load OpenCV: it needs 360 MB, and `ulimit -v` leaves "
    )
    assert done.stderr.count("\n") == 1
