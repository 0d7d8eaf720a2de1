"""What every test may ask for."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolweft.testing import CountingIds, FakeClock


@pytest.fixture(autouse=True)
def _own_log_level() -> Iterator[None]:
    """A command sets the level of our logs for its process; a test must not for the next."""
    yield
    logging.getLogger("toolweft").setLevel(logging.NOTSET)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ids() -> CountingIds:
    return CountingIds()


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of the large data sets; asking for it needs the marker `data`.

    Tests so marked are left out unless TOOLWEFT_DATA is set; once it is, a missing file fails.
    """
    return Path(os.environ["TOOLWEFT_DATA"])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("TOOLWEFT_DATA"):
        return
    large = [item for item in items if item.get_closest_marker("data")]
    if large:
        items[:] = [item for item in items if item not in large]
        config.hook.pytest_deselected(items=large)
