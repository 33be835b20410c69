"""Networks of other programs: ONNX in and out, and the source of a module for PyTorch."""
