"""Starting tasks from callbacks of the event loop.

In a callback no task is current, so where sniffio is installed, as with some vendors' SDKs, anyio
does not know which loop runs: unless anyio itself started the program, it refuses to start tasks.
"""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar, copy_context
from typing import Any

from anyio.abc import TaskGroup

__all__ = ("start_soon",)

# None where sniffio is not installed: then anyio asks asyncio itself.
_library: ContextVar[str | None] | None = None
with suppress(ModuleNotFoundError):
    from sniffio import current_async_library_cvar as _library


def start_soon(
    tasks: TaskGroup, function: Callable[..., Coroutine[Any, Any, object]], *arguments: object
) -> None:
    """As `tasks.start_soon`, from wherever the loop calls."""
    context = copy_context()
    if _library is not None:
        context.run(_library.set, "asyncio")
    _handle = context.run(tasks.start_soon, function, *arguments)
