"""What a running program prints, as MCP progress notifications to the client that asked."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
from mcp.server.session import ServerSession

__all__ = ("report_output",)

# `print` writes its text and its line end apart; what comes within this time is sent together.
_GATHER_S = 0.02


@asynccontextmanager
async def report_output(session: ServerSession) -> AsyncIterator[Callable[[str], None]]:
    """A function that takes printed text; all it was given is sent before the block ends.

    Text that comes while a notification is on its way goes into the next one, so a client that
    reads slowly gets fewer and longer ones. `progress` counts the characters.
    """
    waiting: list[str] = []
    arrived = anyio.Event()
    over = anyio.Event()

    def on_output(text: str) -> None:
        waiting.append(text)
        arrived.set()

    async def send_as_it_comes() -> None:
        nonlocal arrived
        sent_characters = 0
        while waiting or not over.is_set():
            await arrived.wait()
            with anyio.move_on_after(_GATHER_S):
                await over.wait()
            arrived = anyio.Event()
            text = "".join(waiting)
            waiting.clear()
            if text:
                sent_characters += len(text)
                await session.report_progress(float(sent_characters), message=text)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send_as_it_comes)
        yield on_output
        over.set()
        arrived.set()
