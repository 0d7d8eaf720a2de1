"""Sessions of the interpreter, for tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.sandbox.process.guests import LIMITS, Guest

from toolweft.core.clock import SystemClock
from toolweft.core.programs import ProgramLimits
from toolweft.sandbox.monty import MontySession


@asynccontextmanager
async def open_monty_guest(limits: ProgramLimits = LIMITS) -> AsyncIterator[Guest]:
    """One session, unproven."""
    session = await MontySession.open(limits, clock=SystemClock())
    try:
        yield Guest(session)
    finally:
        await session.close()
