from importlib import import_module

import pytest
import typer
from typer.main import get_command

from toolweft.cli.lazy import COMMANDS, module_name
from toolweft.cli.options import Common


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_of_the_table_is_the_first_line_of_the_commands_own_help(name: str) -> None:
    app: typer.Typer = import_module(f"toolweft.cli.commands.{module_name(name)}").app

    assert (get_command(app).help or "").splitlines()[0] == COMMANDS[name]


def test_options_after_the_command_win_and_counts_add_up() -> None:
    before = Common(verbosity=1, json=True)
    after = Common(verbosity=-2, progress=False)

    merged = before.merged(after)

    assert merged == Common(verbosity=-1, json=True, progress=False)
