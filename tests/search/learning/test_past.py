import logging
from collections.abc import Awaitable, Callable, Sequence

import anyio
import pytest
from tests.search.learning.happenings import finished, searched, started, used

from toolweft.core.errors import LedgerUnavailable
from toolweft.core.events import Event
from toolweft.search.learning.past import LearnedUses

Read = Callable[[], Awaitable[Sequence[Event]]]


def gives(*events: Event) -> Read:
    async def read() -> Sequence[Event]:
        return events

    return read


async def test_what_was_learned_before_is_known_again() -> None:
    with anyio.fail_after(10):
        async with LearnedUses(read=gives(*used("open issues", "git.list"))) as uses:
            await uses.past_known.wait()

            assert uses.lifts("open issues", tenant="acme").keys() == {"git.list"}


async def test_what_happens_while_the_past_is_read_is_learned_at_once_and_kept() -> None:
    may_end = anyio.Event()

    async def read() -> Sequence[Event]:
        await may_end.wait()
        # The search was before the start, the call comes after it.
        return [*used("old mail", "mail.find"), searched(("open issues", ["git.list"]))]

    with anyio.fail_after(10):
        async with LearnedUses(read=read) as uses:
            for event in used("weather", "sky.ask"):
                uses.observe(event)
            uses.observe(started("git.list", when=3))
            assert uses.lifts("weather", tenant="acme").keys() == {"sky.ask"}
            may_end.set()
            await uses.past_known.wait()
            uses.observe(finished(when=4))

            known = [
                tuple(uses.lifts(query, tenant="acme"))
                for query in ("old mail", "weather", "open issues")
            ]
    assert known == [("mail.find",), ("sky.ask",), ("git.list",)]


@pytest.mark.parametrize(
    "error", [LedgerUnavailable("the disk is gone", hint="mend it"), RuntimeError("a fault")]
)
async def test_a_past_that_cannot_be_read_is_logged_and_the_present_goes_on(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def read() -> Sequence[Event]:
        raise error

    with anyio.fail_after(10), caplog.at_level(logging.WARNING):
        async with LearnedUses(read=read) as uses:
            await uses.past_known.wait()
            for event in used("open issues", "git.list"):
                uses.observe(event)

            assert uses.lifts("open issues", tenant="acme").keys() == {"git.list"}
    assert [record.message for record in caplog.records] == ["search.past_not_learned"]


async def test_closing_does_not_wait_for_the_past_and_passes_errors_on_as_they_are() -> None:
    async def read() -> Sequence[Event]:
        await anyio.sleep_forever()
        raise AssertionError("never reached")

    with anyio.fail_after(10), pytest.raises(KeyError, match="of the body"):
        async with LearnedUses(read=read):
            raise KeyError("of the body")
