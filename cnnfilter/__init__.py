"""Filter images with the arithmetic of convolutional networks.

The names below are loaded on first use, so that `import cnnfilter` costs next to nothing.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cnnfilter.api import convolve, kernel, network, pool, read_image, write_image
    from cnnfilter.errors import CnnFilterError, ImageFileError, KernelError, LanguageError, OutputError, ShapeError

__all__ = [
    "CnnFilterError",
    "ImageFileError",
    "KernelError",
    "LanguageError",
    "OutputError",
    "ShapeError",
    "__version__",
    "convolve",
    "kernel",
    "network",
    "pool",
    "read_image",
    "write_image",
]


def __getattr__(name: str) -> object:
    """Load a public name from where it is defined."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    value = getattr(import_module(f"{__name__}.{'errors' if name.endswith('Error') else 'api'}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return sorted({*globals(), *__all__})
