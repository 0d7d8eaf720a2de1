"""A backend that starts when it is first needed."""

from contextlib import AsyncExitStack

import anyio
import pytest

from toolweft.core.errors import SandboxUnavailable
from toolweft.core.ports import IsolationReport, SandboxCapabilities
from toolweft.core.programs import ProgramLimits
from toolweft.sandbox import LazyBackend

EXPECTED = SandboxCapabilities(backend="process", tier="unproven", language="CPython 3")
PROVEN = SandboxCapabilities(backend="process", tier="ns", language="CPython 3")


class Backend:
    """Counts what is done to it."""

    def __init__(self, *, failure: Exception | None = None) -> None:
        self.log: list[str] = []
        self.failure = failure
        self.capabilities = PROVEN
        self.reports = (IsolationReport(tier="ns", holds=True),)

    async def __aenter__(self):
        self.log.append("entered")
        if self.failure is not None:
            raise self.failure
        return self

    async def __aexit__(self, *_details):
        self.log.append("left")

    async def open(self, limits, *, environment=None):
        self.log.append("opened")
        return limits


async def test_nothing_starts_until_a_session_is_opened():
    backend = Backend()
    async with LazyBackend(backend, expected=EXPECTED) as lazy:
        assert (lazy.capabilities, lazy.reports, backend.log) == (EXPECTED, (), [])
    assert backend.log == []


async def test_the_first_session_starts_it_once_and_leaving_ends_it():
    backend = Backend()
    async with LazyBackend(backend, expected=EXPECTED) as lazy:
        with anyio.fail_after(5):
            await lazy.open(ProgramLimits())
            await lazy.open(ProgramLimits())
        assert lazy.capabilities == PROVEN
        assert lazy.reports == backend.reports
    assert backend.log == ["entered", "opened", "opened", "left"]


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (SandboxUnavailable("nothing holds", hint="try elsewhere"), "nothing holds"),
        (OSError(24, "Too many open files"), "cannot be started: OSError: .*Too many open files"),
    ],
)
async def test_a_failed_start_is_told_and_tried_again_by_the_next(failure, said):
    backend = Backend(failure=failure)
    async with AsyncExitStack() as stack:
        lazy = await stack.enter_async_context(LazyBackend(backend, expected=EXPECTED))
        with anyio.fail_after(5):
            for _ in range(2):
                with pytest.raises(SandboxUnavailable, match=said):
                    await lazy.open(ProgramLimits())
            assert lazy.capabilities == EXPECTED
            backend.failure = None
            await lazy.open(ProgramLimits())
        assert lazy.capabilities == PROVEN
    assert backend.log == ["entered", "entered", "entered", "opened", "left"]


async def test_wanting_it_starts_it_without_waiting():
    backend = Backend()
    async with LazyBackend(backend, expected=EXPECTED) as lazy:
        lazy.want()
        assert backend.log == []
        await anyio.wait_all_tasks_blocked()
        assert backend.log == ["entered"]
