"""What the tests of the exchange share with those of the commands."""

from tests.cli.conftest import folder, run

__all__ = ["folder", "run"]

collect_ignore = ["make_models.py"]  # asks PyTorch, which is not installed for the tests
