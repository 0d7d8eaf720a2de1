"""`toolweft init`: a starter toolweft.toml that includes the mcp.json files beside it."""

import json
from pathlib import Path
from typing import Annotated

import typer

from toolweft.cli.errors import UsageFault
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import write, write_json

__all__ = ("app", "init", "render_starter")

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_NAME = "toolweft.toml"
# Where clients keep the servers of a project.
_CLIENT_FILES = ("mcp.json", ".mcp.json", ".cursor/mcp.json", ".vscode/mcp.json")

_STARTER = """\
# toolweft: https://modelcontextprotocol.io servers and Python functions behind four tools.
# `toolweft config explain` shows every key and where its value comes from.

# open: programs may call everything. standard: destructive tools only directly, or after opt-in.
# strict: programs may call read-only tools only.
profile = "standard"
{include}
# An MCP server, started as a child process:
# [servers.git]
# command = "mcp-server-git"
# args = ["--repository", "."]
# env = {{ TOKEN = "env:MY_TOKEN" }}          # a secret stays in the environment

# Decisions about its tools, by name; globs are allowed:
# [servers.git.configs."git_*"]
# allowed_callers = ["direct", "programmatic"]

# An MCP server over HTTP:
# [servers.docs]
# url = "https://example.com/mcp"

# Python functions marked with @toolweft.tool:
# [python.team]
# target = "tools.py"

[limits]
memory_bytes = "1 GiB"
wall_s = 300
"""


@app.command()
@with_common
def init(
    common: Common,
    folder: Annotated[Path, typer.Argument(help="Where to write it.")] = Path(),
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a starter toolweft.toml.

    The mcp.json files of the folder are included. An existing toolweft.toml stays as it is
    without --force.
    """
    path = folder / _NAME
    try:
        included = _write_starter(folder, path, force=force)
    except OSError as exc:
        raise UsageFault(
            f"{str(path)!r} cannot be written: {exc.strerror or exc}",
            hint="choose a folder you may write to: toolweft init FOLDER",
        ) from exc
    if common.json:
        write_json({"path": str(path), "include": included})
        return
    write(f"wrote {path}" + (f", which includes {', '.join(included)}" if included else ""))
    write("next: toolweft doctor")


def _write_starter(folder: Path, path: Path, *, force: bool) -> list[str]:
    """Write the starter file; the client files it includes."""
    if path.exists() and not force:
        raise UsageFault(f"{str(path)!r} exists already", hint="--force replaces it")
    if not folder.is_dir():
        raise UsageFault(f"{str(folder)!r} is no folder", hint="create it first")
    included = [name for name in _CLIENT_FILES if (folder / name).is_file()]
    path.write_text(render_starter(included), encoding="utf-8")
    return included


def render_starter(included: list[str]) -> str:
    """The text of the starter file.

    Args:
        included: client files beside it, relative to its folder.
    """
    line = f"\ninclude = {json.dumps(included)}\n" if included else ""
    return _STARTER.format(include=line)
