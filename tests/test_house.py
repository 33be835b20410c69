"""The house: which floor imports which, and what is loaded when."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import cnnfilter
from cnnfilter.cli import COMMANDS

PACKAGE = Path(cnnfilter.__file__).parent

FLOORS = (
    "log",
    "errors",
    "numbers",
    "arrays",
    "nn",
    "io",
    "kernels",
    "network_files",
    "compute",
    "explain",
    "learn",
    "exchange",
    "api",
    "plot",
    "run",
    "cli",
)
"""The rooms of the package from the lowest floor to the highest; `__init__` and `__main__` are doors."""

HEAVY = (
    *("numpy", "cv2", "matplotlib", "scipy", "numpy.ma", "numpy.random", "safetensors", "tomllib"),
    *("dask", "distributed", "zarr", "fsspec", "onnx"),
)
"""What a command loads only if it needs it: `numpy.ma` and `numpy.random` come with a careless call of numpy."""


def imports_of(path: Path) -> Iterator[str]:
    """Yield the parts of the package that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cnnfilter."):
            yield (node.module or "").split(".")[1]
        elif isinstance(node, ast.ImportFrom) and node.module == "cnnfilter":
            yield from (alias.name for alias in node.names if alias.name in FLOORS)
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("cnnfilter."))


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem in FLOORS)


def room_of(path: Path) -> str:
    """Return the room of a module: a folder of the package, or the module itself."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_imports_from_floors_below_its_own(path: Path) -> None:
    floor = FLOORS.index(room_of(path))
    assert {name for name in imports_of(path) if FLOORS.index(name) >= floor} <= {room_of(path)}


def test_every_room_of_the_package_has_a_floor() -> None:
    assert {room_of(path) for path in PACKAGE.rglob("*.py")} - {"__init__", "__main__"} == set(FLOORS)


def test_no_two_modules_have_one_name_but_for_the_files_of_commands() -> None:
    names = [path.name for path in MODULES if path.name != "__init__.py"]
    names = [name for name in names if name.removesuffix(".py") not in COMMANDS]
    assert sorted(names) == sorted(set(names))


def test_no_two_classes_have_one_name() -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in MODULES]
    names = [node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
    assert sorted(names) == sorted(set(names))


def loaded_after(*arguments: str) -> set[str]:
    """Return which heavy libraries a command has loaded, in a process of its own."""
    code = (
        "import sys\n"
        "from cnnfilter.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit:\n    pass\n"
        f"print('LOADED', *[name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["convolve", "--help"],
        ["help"],
        ["help", "formats"],
        ["conv"],
        ["sharpen", "photo.jpg"],
        ["shape", "224x224x3", "conv:7x7,64,s2,p3", "conv:sobel-x,same", "dwconv:gaussian:5"],
        ["shape", "224x224x3", "2x res(conv:3x3,64,p1 bn)", "lrn", "gap", "--json"],
        ["shape", "224x224x3", "conv:7x7,64", "--explain"],
        ["shape", "224", "--kernel", "7", "--solve", "stride", "--target", "112"],
        ["shape", "224x224x3", "conw:3x3"],
        ["convolve", "nothing.png", "-k", "sobelx", "-o", "out.png"],
        ["convolve", "nothing.png", "-k", "sharpen", "-o", "out.xyz"],
        ["kernels"],
        ["kernels", "sobel-x", "--plot", "out.jpg"],
        ["activations", "rellu"],
        ["activations", "relu", "--plot", "out.jpg"],
        ["shape", "28", "relu", "--plot", "nowhere/out.png"],
        ["shape", "28", "relu", "--plot", "out.png", "--fields", "--unit", "28,0"],
    ],
    ids=" ".join,
)
def test_help_shape_and_usage_errors_load_no_array_library(arguments: list[str]) -> None:
    assert loaded_after(*arguments) == set()


def test_a_network_file_needs_its_reader_and_no_array_library(samples: Path) -> None:
    assert loaded_after("shape", str(samples / "vgg16.toml")) == {"tomllib"}


def test_known_networks_need_no_more_than_their_reader() -> None:
    assert loaded_after("shape", "resnet18") == loaded_after("shape", "--list") == {"tomllib"}


def test_matplotlib_is_loaded_to_draw_and_no_part_of_it_for_windows(tmp_path: Path) -> None:
    target = str(tmp_path / "net.png")
    assert "matplotlib" not in loaded_after("kernels", "sobel-x")
    assert "matplotlib" in loaded_after("shape", "28", "conv:3x3", "--plot", target)
    code = (
        "import sys\nfrom cnnfilter.cli import main\n"
        f"main(['kernels', 'sobel-x', '--plot', {target!r}], standalone_mode=False)\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_convolve_loads_no_more_than_it_needs(tmp_path: Path, samples: Path) -> None:
    loaded = loaded_after(
        "convolve", str(samples / "sprite.png"), "-k", "sharpen", "-q", "-o", str(tmp_path / "out.png")
    )
    assert loaded == {"numpy", "cv2"}


def test_an_explanation_is_text_and_loads_no_matplotlib(samples: Path) -> None:
    assert loaded_after("pool", str(samples / "pool-4x4.txt"), "--explain", "0,1") == {"numpy", "cv2"}


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = f"import sys, cnnfilter; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_function_of_the_library_loads_nothing_that_learns() -> None:
    code = "import sys, cnnfilter; cnnfilter.convolve, cnnfilter.read_image; print('cnnfilter.learn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("name", cnnfilter.__all__)
def test_every_public_name_is_handed_out_and_documented(name: str) -> None:
    value = getattr(cnnfilter, name)
    assert name in dir(cnnfilter)
    assert isinstance(value, str) or value.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'convolv'"):
        getattr(cnnfilter, "convolv")  # noqa: B009  mypy sees a plain one
