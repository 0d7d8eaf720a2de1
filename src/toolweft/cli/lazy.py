"""The table of commands, and the group that imports a command only when it is used.

`toolweft --help` and completion read the table alone, so that they stay quick.
"""

from collections.abc import Callable
from importlib import import_module
from keyword import iskeyword
from typing import Any, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command

__all__ = ("COMMANDS", "LazyGroup", "add_commands", "module_name")

# Name -> its line in --help; the module in `toolweft.cli.commands` has an `app`.
COMMANDS: dict[str, str] = {
    "init": "Write a starter toolweft.toml.",
    "install": "Put toolweft into an MCP client and move the client's servers behind it.",
    "uninstall": "Take toolweft out of an MCP client and put its servers back.",
    "import": "Copy a client's servers to toolweft's configuration; ask which tools only read.",
    "login": "Log in to a server over HTTP, in a browser.",
    "logout": "Forget the tokens of a server, and have them taken back.",
    "serve": "Serve the toolbox over MCP: stdio, or HTTP with --http.",
    "tools": "List every tool with severity, callers and status.",
    "search": "Find tools that fit a need.",
    "show": "Show one tool: signature, schema, and why it is treated as it is.",
    "pin": "Show, compare or accept the definitions of tools.",
    "call": "Call one tool.",
    "resources": "List the resources of servers, or read one.",
    "prompts": "List the prompts of servers, or fill one in.",
    "run": "Run a Python program that calls tools, in the sandbox.",
    "ask": "Let a model work on a task with all tools.",
    "env": "Make, list or remove environments of Python packages for programs.",
    "cache": "Forget the remembered tools of servers.",
    "runs": "Show past runs, their calls and what models cost, or replay one.",
    "save": "Keep the program of a past run as a tool.",
    "saved": "Show, test or remove saved programs.",
    "doctor": "Check configuration, servers, sandbox and ledger.",
    "config": "Explain or validate the configuration.",
    "demo": "Show the whole road with real servers and one program.",
}


class LazyGroup(TyperGroup):
    """A group of stand-ins that fetches the real command once it is the one to run."""

    def resolve_command(self, ctx: Any, args: Any) -> Any:
        """The real command that `args` name, and the arguments left for it."""
        name, stand_in, rest = super().resolve_command(ctx, args)
        if name is None or stand_in is None:
            return name, stand_in, rest
        module = import_module(f"toolweft.cli.commands.{module_name(name)}")
        command = get_command(cast(typer.Typer, module.app))
        command.name = name
        return name, command, rest


def module_name(command: str) -> str:
    """The module of a command: its name, with a `_` behind a word of Python."""
    return f"{command}_" if iskeyword(command) else command


def add_commands(app: typer.Typer) -> None:
    """Add a stand-in for every command of the table: a name and a help line."""
    for name, line in COMMANDS.items():
        app.command(name, help=line)(_stand_in())


def _stand_in() -> Callable[[], None]:
    def stand_in() -> None:
        raise AssertionError("LazyGroup runs the real command instead")

    return stand_in
