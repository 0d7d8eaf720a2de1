"""Marking Python functions as tools. Imports nothing heavy; the signature is read later.

@tool
async def total(category: str) -> float: ...

@tool(name="delete-report", severity="destructive", timeout_s=5)
def delete_report(report: int) -> None: ...
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from toolweft.core.tools import Severity, ToolDefinition, ToolExample

__all__ = ("BoundTool", "Declaration", "find_declaration", "tool")

_Function = TypeVar("_Function", bound=Callable[..., Any])

# Read from functions, methods and instances alike; methods pass their function's attributes on.
_ATTRIBUTE = "__toolweft_tool__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What `@tool` was told; None where the function itself says it."""

    name: str | None = None
    description: str | None = None
    category: str | None = None
    # The caller's own code, so not destructive unless said.
    severity: Severity = "write"
    timeout_s: float | None = None
    examples: tuple[ToolExample, ...] = ()
    version: str | None = None
    defer_loading: bool | None = None
    always_listed: bool = False
    allowed_callers: Collection[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundTool:
    """A ready definition and the function that answers it.

    The function gets the arguments as they come, by keyword under their original names, so
    `**arguments` takes them all. The definition's namespace is replaced by the source's name.
    """

    definition: ToolDefinition
    handler: Callable[..., Any]


@overload
def tool(function: _Function, /) -> _Function: ...


@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    category: str | None = None,
    severity: Severity = "write",
    timeout_s: float | None = None,
    examples: Sequence[ToolExample] = (),
    version: str | None = None,
    defer_loading: bool | None = None,
    always_listed: bool = False,
    allowed_callers: Collection[str] | None = None,
) -> Callable[[_Function], _Function]: ...


def tool(
    function: _Function | None = None, /, *, examples: Sequence[ToolExample] = (), **options: Any
) -> _Function | Callable[[_Function], _Function]:
    """Mark a function, sync or async, as a tool; it stays callable as before.

    Args:
        function: given when used without parentheses.
        examples: worked uses, best first.
        **options: `name` (the function's own by default), `description` (the first paragraph of
            its docstring), `category`, `severity` ("write"; "read_only" or "destructive" where
            that is the truth), `timeout_s`, `version`, `defer_loading`, `always_listed`,
            `allowed_callers` ("direct", "programmatic"; by severity).

    Raises:
        TypeError: an option is unknown, or an example is no `ToolExample`.
    """
    for position, example in enumerate(examples):
        if not isinstance(example, ToolExample):
            raise TypeError(
                f"examples[{position}] is {example!r:.80}: write "
                'toolweft.ToolExample(scenario="...", input={...})'
            )
    declaration = Declaration(examples=tuple(examples), **options)

    def mark(marked: _Function) -> _Function:
        # Above @classmethod too: what is bound later shows the attributes of the function alone.
        function = getattr(marked, "__func__", marked)
        setattr(function, _ATTRIBUTE, declaration)
        return marked

    return mark if function is None else mark(function)


def find_declaration(candidate: object) -> Declaration | None:
    """What `@tool` was told about a function; None where it is not marked."""
    found = getattr(candidate, _ATTRIBUTE, None)
    return found if isinstance(found, Declaration) else None
