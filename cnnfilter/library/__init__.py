"""The functions that Python programs call: the commands' work on arrays."""

from cnnfilter.library.filters import convolve, kernel, pool
from cnnfilter.library.images import read_image, write_image
from cnnfilter.library.networks import Network, network

__all__ = ["Network", "convolve", "kernel", "network", "pool", "read_image", "write_image"]
