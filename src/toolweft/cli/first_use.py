"""At first use, asks once which tools only read whose servers do not say; and remembers.

Asked on a terminal, about all of them together. Where nobody can be asked, nothing is: such tools
count as destructive, which is what they are taken for without an answer.
"""

import os
import sys
from collections.abc import Mapping

import anyio
import anyio.to_thread

from toolweft.bootstrap import App
from toolweft.catalog.suggestion import sounds_read_only
from toolweft.cli.consent import can_ask, read_answer
from toolweft.cli.options import Common
from toolweft.cli.output import note
from toolweft.cli.undecided import find_undecided, render_undecided
from toolweft.core.answers import Answer
from toolweft.core.errors import ConfigError
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.snapshot import CatalogTool

__all__ = ("ask_at_first_use",)


async def ask_at_first_use(common: Common, app: App) -> None:
    """Ask about tools that nobody answered for yet, and have the catalog know.

    Args:
        common: with `--json`, `--quiet` or `--recorded` nothing is asked.
        app: open, its sources settled.
    """
    if common.json or common.verbosity < 0 or common.recorded is not None or not can_ask():
        return
    answered = app.answers.known
    waiting = [
        tool
        for tool in find_undecided(app.catalog.snapshot, app.settings)
        if tool.status == "available" and not _is_answered(tool, answered.get(_source(tool), {}))
    ]
    if not waiting:
        return
    suggested: set[str] = {t.qualified for t in waiting if sounds_read_only(t.definition.name)}
    note(
        "servers do not say of these tools whether they only read; without an answer they count"
        " as destructive, and programs may not call them:"
    )
    note(render_undecided(waiting, suggested).rstrip())
    is_agreed = await _ask(_question(len(waiting), len(suggested)))
    if is_agreed is None:
        note("note: nothing was answered, so it is asked again next time")
        return
    answers: dict[SourceName, dict[ToolName, Answer]] = {}
    for tool in waiting:
        reads = is_agreed and tool.qualified in suggested
        answer = Answer(pin_hash=tool.pin_hash, severity="read_only" if reads else "destructive")
        answers.setdefault(_source(tool), {})[tool.definition.name] = answer
    try:
        await app.answers.add(answers)
    except (ConfigError, OSError) as exc:
        note(f"warning: the answer counts now, but cannot be kept: {exc}")
    note("note: a tool that changes is asked about again; `toolweft import` decides tool by tool")


def _question(count: int, suggested: int) -> str:
    if not suggested:
        return "Keep all of them as destructive? (yes and no do the same; `toolweft import` opens)"
    if suggested == count:
        return f"Do these {count} tools only read?"
    return (
        f"Do the {suggested} marked tools only read? (The other {count - suggested} stay closed.)"
    )


async def _ask(question: str) -> bool | None:
    note(f"{question} [y/N]")
    if os.name == "nt":
        return await anyio.to_thread.run_sync(read_answer, abandon_on_cancel=True)
    # Servers are talked to meanwhile, and an interrupt ends it at once.
    await anyio.wait_readable(sys.stdin)
    return read_answer()


def _source(tool: CatalogTool) -> SourceName:
    return tool.definition.namespace


def _is_answered(tool: CatalogTool, known: Mapping[ToolName, Answer]) -> bool:
    answer = known.get(tool.definition.name)
    return answer is not None and answer.pin_hash == tool.pin_hash
