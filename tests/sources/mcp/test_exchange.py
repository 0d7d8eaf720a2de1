"""Which request something belongs to that a server sends without saying so."""

import contextvars

import anyio
import pytest
from tests.sources.mcp.asked import AskedClient

from toolweft.core.client import NOBODY
from toolweft.core.countdown import Countdown
from toolweft.core.principals import Principal
from toolweft.sources.mcp.exchange import (
    Exchange,
    Invitation,
    Unclear,
    Underway,
    forget_exchange,
)
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


async def find_invited(underway: Underway, kind: str = "roots") -> Exchange | Unclear:
    forget_exchange()
    return await underway.find_settled(kind)


class Calling(AskedClient):
    """One call of a client that has a session."""

    def __init__(self, session: object) -> None:
        super().__init__()
        self.session = session


async def test_who_was_invited_is_asked_for_folders_and_for_nothing_else() -> None:
    underway, invitation = Underway(), Invitation(client=Calling("s"))
    assert await find_invited(underway) is Unclear.NONE
    with underway.invite(invitation):
        assert await find_invited(underway) is invitation
        assert await find_invited(underway, "elicitation") is Unclear.NONE
    assert await find_invited(underway) is Unclear.NONE


@pytest.mark.parametrize("session", ["s", "other", None])
async def test_an_invitation_counts_beside_calls_of_its_own_session_only(
    session: str | None,
) -> None:
    underway, invitation = Underway(), Invitation(client=Calling("s"))
    call = Exchange(client=AskedClient() if session is None else Calling(session))
    with underway.invite(invitation), underway.enter(call):
        expected = invitation if session == "s" else Unclear.SEVERAL
        assert await find_invited(underway) is expected
        # What is linked is the call's, and that is no reason for a queue.
        assert not underway.is_contended


async def test_of_two_who_were_invited_nobody_is_asked() -> None:
    underway = Underway()
    first, second = Invitation(client=Calling("s")), Invitation(client=Calling("s"))
    with underway.invite(first), underway.invite(second):
        assert await find_invited(underway) is Unclear.SEVERAL


async def test_a_call_that_was_given_up_may_be_the_one_that_asks() -> None:
    underway, invitation = Underway(), Invitation(client=Calling("s"))
    with anyio.CancelScope() as scope, underway.enter(Exchange(client=Calling("other"))):
        scope.cancel()
        await anyio.sleep_forever()
    with underway.invite(invitation):
        assert await find_invited(underway) is Unclear.SEVERAL


def test_whom_a_connection_served_is_known() -> None:
    underway = Underway()
    anna, ben = Principal("t", "anna"), Principal("t", "ben")
    assert not underway.has_served_only(anna)
    with underway.enter(Exchange(is_own=True)), underway.enter(Exchange(principal=anna)):
        pass
    assert underway.has_served_only(Principal("t", "anna", "another key"))
    with underway.enter(Exchange(principal=ben)):
        pass
    with underway.enter(Exchange(principal=ben)):
        pass
    assert not underway.has_served_only(anna)
    assert not underway.has_served_only(ben)


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
