"""Prints what a program prints, as it prints it, without holding up the event loop."""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

import anyio
from anyio import to_thread
from anyio.streams.memory import MemoryObjectReceiveStream

from toolweft.cli.output import write

__all__ = ("stream_to_stdout",)


@asynccontextmanager
async def stream_to_stdout() -> AsyncIterator[Callable[[str], None]]:
    """A function that takes text to print; leaving waits until all of it is written.

    Where the reader of stdout goes away, the body is cancelled and `ReaderGone` raised, in a group.
    """
    # A slow reader holds up nothing but itself; how much waits is bounded by what a run keeps.
    to_print, texts = anyio.create_memory_object_stream[str](math.inf)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_print_all, texts)

        def print_soon(text: str) -> None:
            # Nobody reads it any more: the group is about to cancel whoever prints.
            with suppress(anyio.BrokenResourceError):
                to_print.send_nowait(text)

        with to_print:
            yield print_soon


async def _print_all(texts: MemoryObjectReceiveStream[str]) -> None:
    async with texts:
        async for text in texts:
            await to_thread.run_sync(partial(write, text, end=""), abandon_on_cancel=True)
