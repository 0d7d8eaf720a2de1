"""The requests that one server works on, and which of them a question of its belongs to.

Only HTTP links a question to a call, by the stream it comes on. Where the wire gives no link it
belongs to the only request under way, or to none: nothing is guessed. Knows nothing of what
questions say.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from enum import Enum
from typing import Final

import anyio

from toolweft.core.calls import ToolCall, Verbatim
from toolweft.core.client import NOBODY, CallingClient, session_of
from toolweft.core.contents import ContentUse
from toolweft.core.countdown import Countdown
from toolweft.core.principals import Principal

__all__ = (
    "Exchange",
    "Invitation",
    "Unclear",
    "Underway",
    "current_exchange",
    "exchange_of",
    "forget_exchange",
)

# Set while a request is sent. The SDK reads an HTTP answer in the context of who sent the request,
# so what comes on its stream sees it too.
_current: ContextVar["Exchange | None"] = ContextVar("toolweft.mcp.exchange", default=None)


# How long a question waits for lists of our own to be read, and how often that is looked at.
_LISTS_S: Final = 5.0
_LOOK_AGAIN_S: Final = 0.02


class Unclear(Enum):
    """Why it is not known which request something belongs to."""

    NONE = "none of our requests is under way"
    ENDED = "the request that it belongs to is over"
    SEVERAL = "it does not say which of several requests it belongs to"
    LEFT = "a request that was given up may still be running in the server"


class Exchange:
    """One thing that a client wants of a server; several requests where the server asks back.

    Args:
        client: who wants it, and can be asked.
        countdown: stands still while somebody is asked; None where nothing runs out.
        about: the tool, prompt or resource; "" for none.
        is_own: no client wants it, but we do, to keep the server's lists.
        verbatim: how the client wants answers as they were sent; None for clients that do not.
        principal: on whose behalf; None where it is our own.
    """

    __slots__ = (
        "_asks",
        "about",
        "asked",
        "client",
        "countdown",
        "is_own",
        "principal",
        "verbatim",
    )

    def __init__(
        self,
        *,
        client: CallingClient = NOBODY,
        countdown: Countdown | None = None,
        about: str = "",
        is_own: bool = False,
        verbatim: Verbatim | None = None,
        principal: Principal | None = None,
    ) -> None:
        self.client = client
        self.countdown = countdown
        self.about = about
        self.is_own = is_own
        self.verbatim = verbatim
        self.principal = principal
        # How many questions there were so far.
        self.asked = 0
        self._asks: set[anyio.CancelScope] = set()

    @property
    def takes_questions(self) -> bool:
        """Whether questions are its answer, in place of being asked."""
        return self.verbatim is not None and self.verbatim.takes_questions

    @property
    def takes_url_errors(self) -> bool:
        """Whether its client knows the error that wants an address opened."""
        return self.verbatim is not None and self.verbatim.takes_url_errors

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Let every clock stand still; the block is cancelled when the request under way ends."""
        self.asked += 1
        held = nullcontext() if self.countdown is None else self.countdown.hold()
        with anyio.CancelScope() as scope, held:
            self._asks.add(scope)
            try:
                yield
            finally:
                self._asks.discard(scope)

    def withdraw(self) -> None:
        """Take back every question that is still open."""
        for scope in tuple(self._asks):
            scope.cancel()


def exchange_of(use: ToolCall | ContentUse, *, about: str) -> Exchange:
    """What a call of a tool, or a use of something else, wants of its server."""
    return Exchange(
        client=use.client,
        countdown=use.countdown,
        about=about,
        verbatim=use.verbatim,
        principal=use.principal,
    )


class Invitation(Exchange):
    """Nothing that a client wants of a server, but something it said that the server may ask about.

    Attributes:
        begun: set with the first question.
        over: set once a question has its answer, or none.
    """

    __slots__ = ("begun", "over")

    def __init__(self, *, client: CallingClient) -> None:
        super().__init__(client=client)
        self.begun = anyio.Event()
        self.over = anyio.Event()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """As of `Exchange`; no clock runs here."""
        self.begun.set()
        try:
            with super().asking():
                yield
        finally:
            self.over.set()


class _Several:
    """In place of a client or principal: there were more than one."""


_SEVERAL: Final = _Several()


class Underway:
    """What one connection has under way."""

    def __init__(self) -> None:
        self._open: set[Exchange] = set()
        # Of the requests that were given up: the server was told, and says nothing of whether it
        # goes on with them.
        self._left: CallingClient | _Several | None = None
        # On whose behalf it was used so far.
        self._served: Principal | _Several | None = None
        self._invited: set[Invitation] = set()
        # Whether the server ever asked for the folders of a client.
        self.has_asked_roots = False
        self._is_stale = False
        # Set once the connection is of no more use: it takes no request any more.
        self.is_ending = False
        self.ending = anyio.Event()

    @contextmanager
    def enter(self, exchange: Exchange) -> Iterator[None]:
        """For one request of an exchange; ends what it asks when it ends."""
        token = _current.set(exchange)
        self._open.add(exchange)
        if exchange.principal is not None and exchange.principal is not self._served:
            self._note_served(exchange.principal)
        try:
            yield
        except anyio.get_cancelled_exc_class():
            self._leave(exchange.client)
            raise
        finally:
            self._open.discard(exchange)
            _current.reset(token)
            exchange.withdraw()
            self._end_if_stale()

    def find(self) -> Exchange | Unclear:
        """What a message belongs to that came just now, in whose context this runs."""
        linked = _current.get()
        if linked is not None:
            return linked if linked in self._open else Unclear.ENDED
        if len(self._open) != 1:
            return Unclear.SEVERAL if self._open else Unclear.NONE
        (only,) = self._open
        if self._left is not None and self._left is not only.client:
            return Unclear.LEFT
        return only

    @contextmanager
    def invite(self, invitation: Invitation) -> Iterator[None]:
        """For the block, let the server ask for folders while it works on nothing."""
        self._invited.add(invitation)
        try:
            yield
        finally:
            self._invited.discard(invitation)
            invitation.withdraw()

    def has_served_only(self, principal: Principal) -> bool:
        """Whether nobody else used this connection so far."""
        return self._served is not None and self._served == principal

    async def find_settled(self, kind: str = "") -> Exchange | Unclear:
        """As `find`, once lists of our own are read: what outlasts them is not theirs.

        Args:
            kind: of the question that came: "roots" may be of somebody who was invited.
        """
        if kind == "roots" and self._invited and _current.get() is None:
            return self._find_invited()
        found = self.find()
        calls = [exchange for exchange in self._open if not exchange.is_own]
        if found is not Unclear.SEVERAL or len(calls) != 1:
            return found
        lists = self._open - set(calls)
        with anyio.move_on_after(_LISTS_S):
            while lists & self._open:  # noqa: ASYNC110 (rare, and short)
                await anyio.sleep(_LOOK_AGAIN_S)
            if calls[0] not in self._open:
                return Unclear.ENDED
            is_clear = self._left is None or self._left is calls[0].client
            return calls[0] if is_clear else Unclear.LEFT
        return found

    @property
    def is_contended(self) -> bool:
        """Whether several calls are under way, one of them of somebody who could be asked."""
        calls = [exchange for exchange in self._open if not exchange.is_own]
        return len(calls) > 1 and any(call.client is not NOBODY for call in calls)

    def renew(self) -> None:
        """End the connection once nothing is under way: with it ends what was given up."""
        self._is_stale = True
        self._end_if_stale()

    def _find_invited(self) -> Exchange | Unclear:
        """Whose folders are asked for, now that somebody said that theirs are others.

        It may be a call's own question as well, so it is nobody's while another session has one
        under way.
        """
        only, *more = self._invited
        askers: list[object] = [one.client for one in self._open if not one.is_own]
        if self._left is not None and self._left is not NOBODY:
            askers.append(self._left)
        session = session_of(only.client)
        is_one = all(session is not None and session_of(asker) is session for asker in askers)
        return Unclear.SEVERAL if more or not is_one else only

    def _note_served(self, principal: Principal) -> None:
        is_first = self._served is None or self._served == principal
        self._served = principal if is_first else _SEVERAL

    def _leave(self, client: CallingClient) -> None:
        is_same = self._left is None or self._left is client
        self._left = client if is_same else _SEVERAL

    def _end_if_stale(self) -> None:
        if self._is_stale and not self._open:
            self.is_ending = True
            self.ending.set()


def current_exchange() -> Exchange | None:
    """What is being sent right now, for whoever writes it."""
    return _current.get()


def forget_exchange() -> None:
    """Belong to no request from here on, whoever started this task."""
    _current.set(None)
