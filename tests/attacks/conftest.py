"""What the tests of hostile programs share."""

from collections.abc import Iterator

import pytest
from tests.attacks.host import Host, open_host


@pytest.fixture
def host(tmp_path) -> Iterator[Host]:
    """A host with bait of its own."""
    folder = tmp_path / "host"
    folder.mkdir()
    with open_host(folder) as opened:
        yield opened
