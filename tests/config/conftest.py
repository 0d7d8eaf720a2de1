"""The desk of each test."""

from pathlib import Path

import pytest
from tests.config.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(cwd=tmp_path / "project", home=tmp_path / "home")
    desk.cwd.mkdir()
    desk.home.mkdir()
    return desk
