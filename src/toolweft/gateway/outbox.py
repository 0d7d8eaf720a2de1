"""What a client hears while its request is worked on: printed text, progress and log lines.

All of it goes on the request's own stream, in order, and none of it holds anybody up.
"""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

import anyio
from anyio.abc import TaskGroup
from mcp_types import (
    LoggingLevel,
    LoggingMessageNotification,
    LoggingMessageNotificationParams,
)

from toolweft.core.client import Progress
from toolweft.core.json import Json
from toolweft.gateway.conversations import RequestContext

__all__ = ("LOG_LEVELS", "Outbox", "open_outbox")

# From the least to the gravest.
LOG_LEVELS: Final = (
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
)
# `print` writes its text and its line end apart; what comes within this time is sent together.
_GATHER_S: Final = 0.02
# A client that does not read misses what comes beyond.
_MAX_WAITING: Final = 1_000
# Progress has to grow with each report. This much is never seen, and leaves the next one that a
# tool makes the larger.
_LEAST_STEP: Final = 1e-9


@dataclass(frozen=True, slots=True)
class _Line:
    level: LoggingLevel
    data: Json
    logger: str | None


@dataclass(frozen=True, slots=True)
class _Completed:
    elicitation_id: str


class _StillWaiting:
    """That somebody is asked something."""


_STILL_WAITING: Final = _StillWaiting()
_Item: TypeAlias = str | Progress | _Line | _Completed | _StillWaiting


class Outbox:
    """What is still to be sent to one request.

    Args:
        request: of the client.
        tasks: where it is sent, once there is something.
        log_level: the least level of log lines that the client wants; None for none.
    """

    def __init__(self, request: RequestContext, *, tasks: TaskGroup, log_level: str | None) -> None:
        self._request = request
        self._tasks = tasks
        self._log_level = log_level
        self._waiting: deque[_Item] = deque()
        self._sent_characters = 0
        # The last report of progress that was sent, and its total.
        self._reported: float | None = None
        self._total: float | None = None
        self._has_stepped = False
        self._is_sending = False
        self._is_last = anyio.Event()
        self._all_sent = anyio.Event()

    def print(self, text: str) -> None:
        """Send printed text, as the message of a progress that counts characters."""
        if self._waiting and isinstance(self._waiting[-1], str):
            self._waiting[-1] += text
        else:
            self._put(text)

    def report(self, progress: Progress) -> None:
        """Send how far a tool is."""
        self._put(progress)

    def log(self, level: str, data: Json, *, logger: str | None) -> None:
        """Send a log line, where the client wants those of its level."""
        if self._log_level is None or level not in LOG_LEVELS:
            return
        if LOG_LEVELS.index(level) >= LOG_LEVELS.index(self._log_level):
            self._put(_Line(cast("LoggingLevel", level), data, logger))

    def complete(self, elicitation_id: str) -> None:
        """Send that an opened address has done its work."""
        self._put(_Completed(elicitation_id))

    def keep_waiting(self) -> None:
        """Send that the call goes on, as a progress that is hardly any."""
        if not self._waiting:
            self._put(_STILL_WAITING)

    async def flush(self) -> None:
        """Return once all is sent; nothing more may come."""
        self._is_last.set()
        if self._is_sending:
            await self._all_sent.wait()

    def _put(self, item: _Item) -> None:
        if len(self._waiting) >= _MAX_WAITING:
            return
        self._waiting.append(item)
        if not self._is_sending:
            self._is_sending = True
            self._all_sent = anyio.Event()
            self._tasks.start_soon(self._send_as_it_comes)

    async def _send_as_it_comes(self) -> None:
        while self._waiting:
            with anyio.move_on_after(_GATHER_S):
                await self._is_last.wait()
            while self._waiting:
                await self._send_one(self._waiting.popleft())
        self._is_sending = False
        self._all_sent.set()

    async def _send_one(self, item: _Item) -> None:
        session = self._request.session
        match item:
            case str():
                if item:
                    self._sent_characters += len(item)
                    await self._report(float(self._sent_characters), None, item)
            case Progress():
                await self._report(item.progress, item.total, item.message)
            case _StillWaiting():
                self._has_stepped = True
                await self._report(self._least_progress(), self._total, "waiting for an answer")
            case _Completed():
                await session.send_elicit_complete(item.elicitation_id, self._request.request_id)
            case _Line():
                line = LoggingMessageNotificationParams(
                    level=item.level, data=item.data, logger=item.logger
                )
                await session.send_notification(
                    LoggingMessageNotification(params=line), self._request.request_id
                )

    async def _report(self, progress: float, total: float | None, message: str | None) -> None:
        if self._has_stepped:
            progress = max(progress, self._least_progress())
        self._reported, self._total = progress, total
        await self._request.session.report_progress(progress, total, message)

    def _least_progress(self) -> float:
        """The least that is more than what was reported."""
        last = self._reported
        return 0.0 if last is None else last + max(abs(last), 1.0) * _LEAST_STEP


@asynccontextmanager
async def open_outbox(request: RequestContext, *, log_level: str | None) -> AsyncIterator[Outbox]:
    """An outbox whose contents are sent as they come, all of them before the block ends."""
    async with anyio.create_task_group() as tasks:
        outbox = Outbox(request, tasks=tasks, log_level=log_level)
        yield outbox
        await outbox.flush()
