"""What Python programs call."""

from cnnfilter.api.correlations import correlate
from cnnfilter.api.filters import TracedValue, convolve, kernel, kernel_names, pool, set_threads, trace
from cnnfilter.api.fitting import fit
from cnnfilter.api.images import encode_image, read_image, write_image
from cnnfilter.api.learning import Training, train
from cnnfilter.api.networks import RunnableNetwork, network

__all__ = [
    "RunnableNetwork",
    "TracedValue",
    "Training",
    "convolve",
    "correlate",
    "encode_image",
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
