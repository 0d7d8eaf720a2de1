import pytest
from tests.sources.support import WaitingListener


@pytest.fixture
def listener() -> WaitingListener:
    return WaitingListener()
