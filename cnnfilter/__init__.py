"""Filter images with the arithmetic of convolutional networks.

Images are NumPy arrays (H, W) or (H, W, C), RGB; kernels (kh, kw), (kh, kw, in) or (kh, kw, in, out):

    convolve(image, kernel)         lay a kernel on every place of an image: convolve(image, "sharpen")
    pool(image, size)               take one value from each window: pool(image, 2, mode="max")
    correlate(image, pattern)       compare an image with a pattern, shift by shift
    fit(before, after)              the kernel that makes one image of another
    train(text, images, labels)     train a network on arrays: classes, or images made of images
    export(text, path)              write a network for other programs: ONNX, PyTorch, files of weights
    network(text).run(image)        run layers: network("conv:sobel-x,sobel-y magnitude")
    network(text).summary(shape)    the size, weights and multiplications of each layer
    kernel(name), kernel_names()    a kernel as an array; the names of all kernels
    trace(image, kernel, at)        explain one value, product by product
    read_image(path)                an image file, its bytes or an open file as an array
    write_image(path, image)        an array as an image file
    encode_image(image, suffix)     an array as the bytes of an image file
    set_threads(number)             the number of threads that calculations use

Errors about what you give are a CnnFilterError: those about values are also a ValueError, those about files an OSError.
Warnings are a UserWarning.

Example:

    image = cnnfilter.read_image("photo.jpg")
    sharp = cnnfilter.convolve(image, "sharpen", border="edge")
    cnnfilter.write_image("sharp.png", sharp)
"""

from typing import TYPE_CHECKING

# The names below are loaded on first use, so that `import cnnfilter` costs next to nothing.

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cnnfilter.api.correlations import correlate
    from cnnfilter.api.exports import export
    from cnnfilter.api.filters import convolve, kernel, kernel_names, pool, set_threads, trace
    from cnnfilter.api.fitting import fit
    from cnnfilter.api.images import encode_image, read_image, write_image
    from cnnfilter.api.learning import train
    from cnnfilter.api.networks import network
    from cnnfilter.errors import (
        CnnFilterError,
        DivergenceError,
        ImageFileError,
        KernelError,
        LanguageError,
        OutputError,
        ShapeError,
    )

__all__ = [
    "CnnFilterError",
    "DivergenceError",
    "ImageFileError",
    "KernelError",
    "LanguageError",
    "OutputError",
    "ShapeError",
    "__version__",
    "convolve",
    "correlate",
    "encode_image",
    "export",
    "fit",
    "kernel",
    "kernel_names",
    "network",
    "pool",
    "read_image",
    "set_threads",
    "trace",
    "train",
    "write_image",
]

_MODULES = {
    "correlations": ("correlate",),
    "exports": ("export",),
    "filters": ("convolve", "kernel", "kernel_names", "pool", "set_threads", "trace"),
    "fitting": ("fit",),
    "images": ("encode_image", "read_image", "write_image"),
    "learning": ("train",),
    "networks": ("network",),
}
"""The modules of `api`, and what they define: a program that filters images does not load what learns."""

if not TYPE_CHECKING:  # a type checker that saw it would accept every name

    def __getattr__(name: str) -> object:
        """Load a public name from where it is defined."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module  # noqa: PLC0415

        module = next((f"api.{module}" for module, names in _MODULES.items() if name in names), "errors")
        value = getattr(import_module(f"{__name__}.{module}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return sorted({name for name in globals() if name.startswith("__")} | set(__all__))
