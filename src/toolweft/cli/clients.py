"""What the commands about MCP clients share: options, surroundings, and how plans are told."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Protocol, TypeVar

import typer

from toolweft.cli.consent import can_ask, is_agreed
from toolweft.cli.output import note, write
from toolweft.config import read_environment, read_home
from toolweft.config.clients import Choice, Scope, Surroundings, Verdict
from toolweft.core.json import JsonObject

__all__ = (
    "ChangeOptions",
    "MoveOptions",
    "own_command",
    "plan_with_consent",
    "read_surroundings",
    "verdicts_to_dict",
    "write_verdicts",
)


class _Sorted(Protocol):
    @property
    def verdicts(self) -> tuple[Verdict, ...]: ...


Plan = TypeVar("Plan", bound=_Sorted)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeOptions:
    """Which file, and whether to change it."""

    scope: Annotated[
        Scope, typer.Option("--scope", help="The user's file, or that of this folder's project.")
    ] = "user"
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, change nothing.")
    ] = False
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveOptions:
    """Which servers."""

    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="NAME", help="Leave this server alone; may be repeated."),
    ] = None
    move_secrets: Annotated[
        bool,
        typer.Option(
            "--move-secrets", help="Also servers whose secrets are written out in the file."
        ),
    ] = False


def read_surroundings() -> Surroundings:
    """What this process finds around it."""
    return Surroundings(
        platform=sys.platform, environ=read_environment(), home=read_home(), cwd=Path.cwd()
    )


def own_command() -> tuple[str, ...]:
    """How a client starts this toolweft, whatever its PATH is."""
    python = Path(sys.executable)
    script = python.with_name("toolweft.exe" if sys.platform == "win32" else "toolweft")
    if "archive-v0" in python.parts or ".tmp" in python.parts:
        note(
            f"note: {str(python)!r} looks like a cache, which may be emptied: install toolweft"
            " itself (uv tool install toolweft), then run this again"
        )
    if script.is_file() and os.access(script, os.X_OK):
        return (str(script),)
    return (str(python), "-m", "toolweft")


def plan_with_consent(plan: Callable[[Choice], Plan], options: MoveOptions, *, asks: bool) -> Plan:
    """The plan, made anew once somebody agreed to move secrets.

    Args:
        plan: makes it.
        options: what was decided on the command line.
        asks: whether questions may be asked.
    """
    choice = Choice(keep=options.keep or (), move_secrets=options.move_secrets or None)
    made = plan(choice)
    waiting = [verdict for verdict in made.verdicts if verdict.waits]
    if not waiting or not asks or not can_ask():
        return made
    for verdict in waiting:
        note(f"{verdict.name}: secrets are written out in {', '.join(verdict.secrets)}")
    agreed = is_agreed("Copy them to toolweft's configuration, readable by you alone?")
    return plan(replace(choice, move_secrets=agreed))


def verdicts_to_dict(verdicts: Iterable[Verdict]) -> JsonObject:
    """The servers by what becomes of them."""
    told = [verdict for verdict in verdicts if verdict.outcome != "own"]
    return {
        "moved": [verdict.name for verdict in told if verdict.outcome == "moved"],
        "shared": [verdict.name for verdict in told if verdict.outcome == "shared"],
        "kept": [
            {"name": verdict.name, "reason": verdict.reason}
            for verdict in told
            if verdict.outcome == "kept"
        ],
    }


def write_verdicts(verdicts: Sequence[Verdict], *, moved: str) -> None:
    """Tell what becomes of each server, a line each.

    Args:
        verdicts: one a server.
        moved: what is said of those that move.
    """
    said = {"moved": moved, "shared": f"{moved} (it is there already)", "kept": "stays"}
    for verdict in verdicts:
        if verdict.outcome != "own":
            reason = f": {verdict.reason}" if verdict.reason else ""
            write(f"{verdict.name}: {said[verdict.outcome]}{reason}")
