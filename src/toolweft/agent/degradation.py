"""What is left when something is away: listed tools, a saved program, an error that helps."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from toolweft.core.budgets import estimate_tokens
from toolweft.core.calls import Failure
from toolweft.core.errors import ProviderError, ToolweftError
from toolweft.core.ids import QualifiedName, SourceName
from toolweft.core.json import JsonObject
from toolweft.core.snapshot import Snapshot
from toolweft.programs.stubs import render_stub
from toolweft.toolbox import Toolbox

__all__ = ("FindSaved", "SavedMatch", "describe_unavailable", "list_tools", "saved_in")

# The source of saved programs, by name and by kind: a server may have the name.
_SAVED = SourceName("saved")


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedMatch:
    """A saved program that fits a request; calling it needs no model."""

    tool: QualifiedName
    description: str
    arguments: JsonObject = field(default_factory=dict)
    # Values of its own, which the request may not have meant.
    defaults: JsonObject = field(default_factory=dict)

    def render(self, text: str) -> str:
        """What it printed, behind the values that nobody chose."""
        if not self.defaults:
            return text
        values = ", ".join(f"{name}={value!r}" for name, value in self.defaults.items())
        return f"[{self.tool} ran with values of its own: {values}]\n{text}"


FindSaved: TypeAlias = Callable[[str], Awaitable[SavedMatch | None]]


def list_tools(snapshot: Snapshot, *, budget_tokens: int) -> str:
    """Terse signatures of as many tools as fit, for a model that cannot search."""
    lines: list[str] = []
    room = budget_tokens
    callable_ = [t for t in snapshot.tools.values() if t.callers and t.status == "available"]
    for tool in callable_:
        stub = render_stub(tool, detail="brief")
        room -= estimate_tokens(len(stub.encode("utf-8", "replace")) + 1)
        if room < 0:
            break
        lines.append(stub)
    rest = len(callable_) - len(lines)
    if rest:
        lines.append(f"[and {rest:,} more tools, which do not fit here]")
    return "\n".join(lines)


def saved_in(toolbox: Toolbox) -> FindSaved:
    """Finds the saved program that a toolbox's own search takes to fit a request.

    Only one that changes nothing and needs no arguments: without a planner nobody decides that
    something is to be changed, or chooses values.
    """

    async def find(task: str) -> SavedMatch | None:
        snapshot = toolbox.snapshot
        source = snapshot.sources.get(_SAVED)
        if source is None or source.kind != _SAVED or not task.strip():
            return None
        try:
            answer = await toolbox.search(task, limit=1, namespace=_SAVED)
        except ToolweftError:
            return None
        query = answer.queries[0]
        tool = snapshot.find(query.hits[0].qualified) if query.hits else None
        if tool is None or query.is_weak or tool.status != "available":
            return None
        schema = tool.definition.input_schema
        if tool.severity != "read_only" or schema.get("required"):
            return None
        parameters = schema.get("properties", {}).items()
        return SavedMatch(
            tool=tool.qualified,
            description=tool.definition.description,
            defaults={name: part["default"] for name, part in parameters if "default" in part},
        )

    return find


def describe_unavailable(error: ProviderError, *, retry_after_s: float) -> Failure:
    """The error of a task that no model and no saved program could answer.

    Args:
        error: of the last model that was asked.
        retry_after_s: where the vendor does not say. A key that is wrong stays wrong, and nothing
            is said of waiting.
    """
    wait_s = None
    hint = error.hint or "name another planner to stand in"
    if error.is_retryable:
        wait_s = retry_after_s if error.retry_after_s is None else error.retry_after_s
        hint = f"ask again in {wait_s:,g} s; {hint}"
    return Failure(
        code="model_unavailable",
        message=f"no model answered: {error.message}",
        hint=hint,
        retryable=error.is_retryable,
        retry_after_s=wait_s,
    )
