"""Which request something belongs to that a server sends without saying so."""

import contextvars

import anyio
import pytest
from tests.sources.mcp.asked import AskedClient

from toolweft.core.client import NOBODY
from toolweft.core.countdown import Countdown
from toolweft.sources.mcp.exchange import Exchange, Unclear, Underway, forget_exchange
from toolweft.testing import FakeClock

pytestmark = pytest.mark.promise("ask.own")


def find_unlinked(underway: Underway) -> Exchange | Unclear:
    """As from a task that no request started."""
    return contextvars.Context().run(underway.find)


def test_with_nothing_under_way_it_belongs_to_nobody() -> None:
    assert find_unlinked(Underway()) is Unclear.NONE


def test_the_only_request_under_way_is_the_one() -> None:
    underway, exchange = Underway(), Exchange(client=AskedClient())
    with underway.enter(exchange):
        assert find_unlinked(underway) is exchange
    assert find_unlinked(underway) is Unclear.NONE


def test_of_several_none_is_guessed_unless_it_is_linked() -> None:
    underway = Underway()
    first, second = Exchange(client=AskedClient()), Exchange(client=AskedClient())
    with underway.enter(first):
        linked = contextvars.copy_context()
        with underway.enter(second):
            assert find_unlinked(underway) is Unclear.SEVERAL
            assert underway.is_contended
            assert linked.run(underway.find) is first
            assert underway.find() is second
    assert linked.run(underway.find) is Unclear.ENDED


def test_what_we_want_ourselves_makes_a_question_unclear_too() -> None:
    underway = Underway()
    with underway.enter(Exchange(is_own=True)), underway.enter(Exchange(client=AskedClient())):
        assert find_unlinked(underway) is Unclear.SEVERAL
        # One of a client's own is not several: its server is no reason for a queue.
        assert not underway.is_contended


def test_where_nobody_can_be_asked_no_queue_is_needed() -> None:
    underway = Underway()
    with underway.enter(Exchange(client=NOBODY)), underway.enter(Exchange(client=NOBODY)):
        assert not underway.is_contended


def test_a_link_to_another_connection_is_none_here() -> None:
    here, there = Underway(), Underway()
    exchange = Exchange(client=AskedClient())
    with here.enter(exchange), there.enter(Exchange(client=AskedClient())):
        assert here.find() is Unclear.ENDED

        def as_new_task() -> Exchange | Unclear:
            forget_exchange()
            return here.find()

        assert contextvars.copy_context().run(as_new_task) is exchange


async def test_after_a_request_was_given_up_only_its_own_client_is_clear() -> None:
    underway = Underway()
    gone, other = AskedClient(), AskedClient()
    with anyio.CancelScope() as scope, underway.enter(Exchange(client=gone)):
        scope.cancel()
        await anyio.sleep_forever()
    with underway.enter(mine := Exchange(client=gone)):
        assert find_unlinked(underway) is mine
    with underway.enter(Exchange(client=other)):
        assert find_unlinked(underway) is Unclear.LEFT
        underway.renew()
        # Not before what is under way ended.
        assert not underway.is_ending
    assert underway.is_ending
    with anyio.CancelScope() as scope, underway.enter(Exchange(client=other)):
        scope.cancel()
        await anyio.sleep_forever()
    for client in (gone, other):
        with underway.enter(Exchange(client=client)):
            assert find_unlinked(underway) is Unclear.LEFT


async def test_what_is_asked_ends_with_its_request_and_holds_its_clocks(clock: FakeClock) -> None:
    underway = Underway()
    countdown = Countdown(5.0, clock=clock)
    exchange = Exchange(client=AskedClient(), countdown=countdown)
    async with anyio.create_task_group() as tasks:
        ended = anyio.Event()

        async def ask() -> None:
            with exchange.asking():
                await anyio.sleep_forever()
            ended.set()

        with underway.enter(exchange):
            tasks.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            clock.advance(60.0)
            assert countdown.left_s() == pytest.approx(5.0)
        with anyio.fail_after(5):
            await ended.wait()
    assert countdown.held_s() == pytest.approx(60.0)
