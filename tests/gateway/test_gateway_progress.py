"""Printed text as progress."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolweft.core.client import Progress
from toolweft.gateway.outbox import _STILL_WAITING, Outbox, open_outbox


@asynccontextmanager
async def printed(session: "FakeSession") -> AsyncIterator[Callable[[str], None]]:
    request = SimpleNamespace(session=session, request_id=1)
    async with open_outbox(request, log_level=None) as outbox:
        yield outbox.print


class FakeSession:
    """A client that reads a notification only when the test lets it."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, str | None]] = []
        self.is_sending = anyio.Event()
        self.may_send = anyio.Event()
        self.may_send.set()

    async def report_progress(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None:
        self.is_sending.set()
        await self.may_send.wait()
        self.sent.append((progress, message))


async def test_what_is_printed_together_is_sent_together() -> None:
    session = FakeSession()

    async with printed(session) as on_output:
        on_output("one")
        on_output("\n")

    assert session.sent == [(4.0, "one\n")]


async def test_what_comes_while_sending_goes_into_the_next_notification() -> None:
    session = FakeSession()
    session.may_send = anyio.Event()

    with anyio.fail_after(5):
        async with printed(session) as on_output:
            on_output("a")
            await session.is_sending.wait()
            on_output("b")
            on_output("c")
            session.may_send.set()

    assert session.sent == [(1.0, "a"), (3.0, "bc")]


async def test_what_comes_while_the_last_one_is_sent_is_not_lost() -> None:
    session = FakeSession()
    session.may_send = anyio.Event()

    async def release() -> None:
        await session.is_sending.wait()
        session.may_send.set()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            async with printed(session) as on_output:
                on_output("a")
                tasks.start_soon(release)
            assert session.sent == [(1.0, "a")]


async def test_what_comes_after_a_pause_is_sent_before_the_end() -> None:
    session = FakeSession()
    request = SimpleNamespace(session=session, request_id=1)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            outbox = Outbox(request, tasks=tasks, log_level=None)
            outbox.print("a")
            await session.is_sending.wait()
            await anyio.wait_all_tasks_blocked()
            outbox.print("b")
            await outbox.flush()
            tasks.cancel_scope.cancel()

    assert session.sent == [(1.0, "a"), (2.0, "b")]


async def test_nothing_is_sent_where_nothing_is_printed() -> None:
    session = FakeSession()

    async with printed(session):
        pass

    assert session.sent == []


async def test_an_error_inside_ends_the_sending() -> None:
    session = FakeSession()
    session.may_send = anyio.Event()

    async def fail() -> None:
        async with printed(session) as on_output:
            on_output("a")
            raise KeyError("stop")

    with anyio.fail_after(5), pytest.raises(ExceptionGroup) as failure:
        await fail()

    assert failure.group_contains(KeyError)


async def test_what_comes_after_a_pause_is_sent_before_the_flush_ends() -> None:
    session = FakeSession()
    request = SimpleNamespace(session=session, request_id=1)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            outbox = Outbox(request, tasks=tasks, log_level=None)
            outbox.print("a")
            while not session.sent:  # noqa: ASYNC110 (the session has no event)
                await anyio.sleep(0.01)
            outbox.print("b")
            await outbox.flush()
            tasks.cancel_scope.cancel()

    assert session.sent == [(1.0, "a"), (2.0, "b")]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(0, 40).map(lambda n: n / 4)), max_size=12))
def test_waiting_is_reported_as_progress_that_always_grows(steps: list[float | None]) -> None:
    """None stands for a wait; what a tool reports may be anything, as long as it grows."""
    reported = sorted({step for step in steps if step is not None})
    session = FakeSession()
    request = SimpleNamespace(session=session, request_id=1)

    async def send() -> None:
        remaining = list(reported)
        async with anyio.create_task_group() as tasks:
            outbox = Outbox(request, tasks=tasks, log_level=None)
            for step in steps:
                if step is None:
                    await outbox._send_one(_STILL_WAITING)
                elif remaining:
                    await outbox._send_one(Progress(progress=remaining.pop(0), total=10.0))

    anyio.run(send)

    values = [progress for progress, _ in session.sent]
    assert values == sorted(set(values))
    own = [progress for progress, message in session.sent if message is None]
    assert own == pytest.approx(reported[: len(own)], abs=1e-6)
