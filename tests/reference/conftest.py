"""The scripts that ask PyTorch are no tests, and PyTorch is not installed for the tests."""

collect_ignore = ["make_forward.py", "make_gradients.py", "make_layers.py", "make_digits_table.py"]
