"""Project folders for commands to run in."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.desktop import write_shop
from tests.cli.shell import Shell, render_config


@pytest.fixture
def bare(tmp_path: Path) -> Shell:
    """A folder without any configuration."""
    (tmp_path / "home").mkdir()
    return Shell(tmp_path)


@pytest.fixture
def shell(bare: Shell) -> Shell:
    """A folder whose configuration has one Python source, `desk`."""
    bare.write("toolweft.toml", render_config())
    return bare


@pytest.fixture
def with_config(bare: Shell) -> Callable[[str], Shell]:
    """A folder with the source `desk` and more configuration behind it."""

    def build(more: str) -> Shell:
        bare.write("toolweft.toml", render_config() + more)
        return bare

    return build


@pytest.fixture
def shop(bare: Shell) -> Shell:
    """A folder with a client's file of one server, whose tools are recorded."""
    write_shop(bare)
    return bare
