"""Who is asked what a run asks: whoever waits for the run, and the next one who does.

A run may outlive the request that started it. What it asks then stays open until somebody waits
for the run again, or for so long that the run is stopped.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import anyio

from toolweft.core.asks import Rounds
from toolweft.core.client import Ask, CallingClient, Progress, session_of
from toolweft.core.countdown import Countdown
from toolweft.core.errors import AskUnanswered
from toolweft.core.json import Json, JsonObject

__all__ = ("RunClient",)


class _Waiter:
    """Somebody who waits for the run and can be asked meanwhile."""

    def __init__(self, client: CallingClient, countdown: Countdown | None) -> None:
        self.client = client
        self._countdown = countdown
        self._holds = ExitStack()
        # Of the questions that are with it.
        self.scopes: set[anyio.CancelScope] = set()

    def hold(self) -> None:
        """Its wait stands still from here on."""
        if self._countdown is not None:
            self._holds.enter_context(self._countdown.hold())

    def go_on(self) -> None:
        """Its wait goes on."""
        self._holds.close()

    def leave(self) -> None:
        """Withdraw what it was asked."""
        self.go_on()
        for scope in tuple(self.scopes):
            scope.cancel()


class RunClient:
    """The client of all calls of one run.

    Args:
        client: whoever started it.
        park_s: an ask that nobody comes to answer ends after this, and the run with it.
        stop: ends the run; given the reason.
    """

    # What a program prints is its progress; that of several calls at once has no single scale.
    wants_progress = False

    def __init__(
        self, client: CallingClient, *, park_s: float, stop: Callable[[str], None]
    ) -> None:
        self._last = client
        self._park_s = park_s
        self._stop = stop
        self._waiters: list[_Waiter] = []
        self._arrived = anyio.Event()
        self._rounds = Rounds()

    @property
    def capabilities(self) -> JsonObject:
        """Of whoever waits, or waited last."""
        return self._last.capabilities

    @property
    def log_level(self) -> str | None:
        """Of whoever waits, or waited last."""
        return self._last.log_level

    @property
    def meta(self) -> Mapping[str, Json]:
        """Of whoever waits, or waited last."""
        return self._last.meta

    @property
    def session(self) -> object | None:
        """Of whoever waits, or waited last."""
        return session_of(self._last)

    @property
    def is_parked(self) -> bool:
        """Whether an ask is open and nobody is there to answer it."""
        return self._rounds.opened > 0 and not self._waiters

    @contextmanager
    def attend(self, client: CallingClient, countdown: Countdown | None = None) -> Iterator[None]:
        """Let a client be asked meanwhile; at the end what it has not answered is withdrawn.

        Args:
            client: the latest that attends is asked.
            countdown: stands still while an ask is open.
        """
        waiter = _Waiter(client, countdown)
        self._waiters.append(waiter)
        self._last = client
        if self._rounds.opened:
            waiter.hold()
        self._arrived.set()
        self._arrived = anyio.Event()
        try:
            yield
        finally:
            self._waiters.remove(waiter)
            waiter.leave()
            if self._waiters:
                self._last = self._waiters[-1].client

    async def ask(self, ask: Ask) -> JsonObject:
        """Put a question to whoever waits; see `CallingClient.ask`.

        Raises:
            AskRefused: it cannot be asked this, or enough was asked.
            AskUnanswered: nobody answered in time; the run is being stopped.
        """
        self._rounds.open(ask)
        try:
            if self._rounds.opened == 1:
                for waiter in self._waiters:
                    waiter.hold()
            return await self._ask(ask)
        except AskUnanswered:
            self._stop("unanswered")
            raise
        finally:
            self._rounds.close()
            if not self._rounds.opened:
                for waiter in self._waiters:
                    waiter.go_on()

    def report(self, progress: Progress) -> None:
        """Drop it: see `wants_progress`."""

    def log(self, level: str, data: Json, *, logger: str | None = None) -> None:
        """Pass it on to whoever waits."""
        if self._waiters:
            self._waiters[-1].client.log(level, data, logger=logger)

    async def _ask(self, ask: Ask) -> JsonObject:
        while True:
            waiter = await self._next_waiter(ask)
            with anyio.CancelScope() as scope:
                waiter.scopes.add(scope)
                try:
                    return await waiter.client.ask(ask)
                finally:
                    waiter.scopes.discard(scope)

    async def _next_waiter(self, ask: Ask) -> _Waiter:
        with anyio.move_on_after(self._park_s):
            while not self._waiters:
                await self._arrived.wait()
            return self._waiters[-1]
        raise AskUnanswered(
            f"{ask.source!r} asked for {ask.kind}, and nobody came to answer within"
            f" {self._park_s:g} s",
            hint="wait for the run with its run_id, and answer what it asks",
        )
