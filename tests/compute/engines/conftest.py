"""Images of tests are cut into strips as large ones are."""

from collections.abc import Iterator

import pytest

from cnnfilter.compute import threads as tiles


@pytest.fixture(autouse=True, scope="package")
def _small_strips() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "_LEAST_AT_ONCE", 1)
        yield
