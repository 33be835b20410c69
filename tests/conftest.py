"""What all tests share."""

import logging
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from click.testing import CliRunner
from hypothesis import settings

settings.register_profile("cnnfilter", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("cnnfilter")

for number in (signal.SIGINT, signal.SIGHUP):  # a shell lets what runs behind it ignore them, and so would our commands
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def samples() -> Path:
    """Return the folder of sample pictures and matrices."""
    return ROOT / "samples"


@pytest.fixture(scope="session")
def photo() -> Path:
    """Return a real photo: 600x512 RGB, a JPEG that matplotlib ships."""
    return Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"


@pytest.fixture
def runner() -> CliRunner:
    """Return what runs commands in this process."""
    return CliRunner()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """Return a Dask cluster of two workers in processes of their own."""
    distributed, dask = pytest.importorskip("distributed"), pytest.importorskip("dask")
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
        ) as started,
    ):
        yield started
