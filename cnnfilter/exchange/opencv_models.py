"""Models of ONNX that OpenCV runs: a layer that is a whole model, and what comes out of one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np

from cnnfilter.arrays import Array, Floats
from cnnfilter.compute.operations import RUN
from cnnfilter.errors import ShapeError
from cnnfilter.io.opencv import capture_stderr, cv2
from cnnfilter.nn.layers import Layer, Shape, show_shape


class OpenCVModel(Layer):
    """A whole model, which OpenCV runs; `path` is its file."""

    ROWS = "whole"
    ALPHA = "none"
    KEEPS_CHANNELS = False
    TRAINABLE = False
    op = "model"

    path: str

    @property
    def text(self) -> str:
        """The path of the model."""
        return self.path

    def output(self, shape: Shape) -> Shape:
        """Return the shape of what comes out, which a run tells."""
        return _find_output(self.path, self.volume(shape))


def load_model(model: str | bytes) -> cv2.dnn.Net:
    """Return the model in a file, or in its bytes, as OpenCV has it."""
    return cv2.dnn.readNetFromONNX(model if isinstance(model, str) else np.frombuffer(model, np.uint8))


_load_file = cache(load_model)


def run_opencv(load: Callable[[], cv2.dnn.Net], volume: Array) -> Floats:
    """Return what OpenCV makes of a volume (H, W, C) by a model: (H', W', C') or (length,)."""

    def run() -> Array:
        net = load()
        net.setInput(np.ascontiguousarray(volume.transpose(2, 0, 1)[None], np.float32))
        return np.asarray(net.forward())

    try:
        result, _ = capture_stderr(run)
    except cv2.error as error:
        reason = str(error).strip().splitlines()[-1].rpartition("error: ")[2]
        raise ShapeError(f"OpenCV cannot run the model on {show_shape(volume.shape)} ({reason})") from error
    values: Floats = np.asarray(result, np.float32)[0]
    return np.ascontiguousarray(values.transpose(1, 2, 0)) if values.ndim == 3 else values.reshape(-1)


@cache
def _find_output(path: str, shape: Shape) -> Shape:
    return run_opencv(partial(_load_file, path), np.zeros(shape, np.float32)).shape


RUN[OpenCVModel] = lambda values, layer, *_: run_opencv(partial(_load_file, layer.path), values)
