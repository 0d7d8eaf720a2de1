"""Thousands of tools that look real: the same plain functions for toolweft and every peer.

Standard library only, so that a peer's environment can import it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Literal

__all__ = ("functions", "names", "timing_functions")

_AREAS = (
    "accounts", "archive", "assets", "audits", "backups", "badges", "budgets", "campaigns",
    "carriers", "cases", "claims", "courses", "deliveries", "devices", "forecasts", "grants",
    "leases", "meters", "orders", "parcels", "permits", "projects", "quotas", "recipes", "tenants",
)  # fmt: skip
_ACTIONS = (
    "add", "approve", "assign", "cancel", "check", "close", "compare", "copy", "count", "fetch",
    "find", "freeze", "import", "list", "lock", "merge", "notify", "open", "print", "remove",
    "rename", "renew", "split", "update",
)  # fmt: skip
_THINGS = ("entry", "history", "note", "owner", "plan", "rule", "schedule", "summary", "target")

# The 50 ms tool of the parallel figures.
_SLOW_S = 0.05

Tool = Callable[..., Awaitable[Any]]


def names(count: int) -> Iterator[tuple[str, str, str, str]]:
    """`count` distinct (area, action, thing, name)."""
    for number in range(count):
        area = _AREAS[number % len(_AREAS)]
        action = _ACTIONS[number // len(_AREAS) % len(_ACTIONS)]
        block = number // (len(_AREAS) * len(_ACTIONS))
        thing = _THINGS[block % len(_THINGS)]
        name = f"{action}_{area}_{thing}"
        yield area, action, thing, name if block < len(_THINGS) else f"{name}_{block}"


def functions(count: int) -> list[Tool]:
    """`count` typed async functions that answer at once."""
    return [_function(*words) for words in names(count)]


def _function(area: str, action: str, thing: str, name: str) -> Tool:
    async def tool(
        identifier: str,
        limit: int = 25,
        status: Literal["active", "done", "failed"] = "active",
        since: str | None = None,
    ) -> dict[str, str]:
        return {"id": identifier, "tool": name}

    tool.__name__ = tool.__qualname__ = name
    tool.__doc__ = (
        f"{action.capitalize()} the {thing} of one record in {area}. "
        f"Takes the record's identifier as the {area} list gives it; {status_note(area)}"
    )
    return tool


def status_note(area: str) -> str:
    """A sentence that differs by area, as real descriptions do."""
    return f"only {area} in the given state and since the given ISO 8601 date count."


def timing_functions() -> list[Tool]:
    """`bench_fast` answers at once, `bench_slow` after 50 ms."""

    async def bench_fast(i: int) -> dict[str, int]:
        """Answer at once."""
        return {"i": i}

    async def bench_slow(i: int) -> dict[str, int]:
        """Answer after 50 ms."""
        await asyncio.sleep(_SLOW_S)
        return {"i": i}

    return [bench_fast, bench_slow]
