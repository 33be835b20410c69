"""The script that asks PyTorch is no test, and PyTorch is not installed for the tests."""

collect_ignore = ["make_forward.py"]
