"""Asks the client behind a request what its server asks, and hears what else the server says.

The SDK runs these callbacks in tasks of its own, where an exception would say nothing to anybody:
they answer with an error instead.
"""

import logging
from collections.abc import Callable
from typing import Final

import mcp_types as types
from mcp.client import ClientRequestContext
from pydantic import BaseModel

from toolweft.core.asks import check_askable
from toolweft.core.client import NOBODY, AskKind, CallingClient
from toolweft.core.errors import AskRefused
from toolweft.core.ids import SourceName
from toolweft.core.json import JsonObject
from toolweft.sources.mcp.asks import build_ask, check_answer, read_answer
from toolweft.sources.mcp.exchange import Exchange, Unclear, Underway

__all__ = ("LOG_LEVELS", "Asker", "Callbacks", "is_loud_enough")

log = logging.getLogger(__name__)

# Of one call; far above what a person answers, and below what fills a screen without end.
_MAX_ASKS: Final = 64
# The least important first.
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


class Asker:
    """Puts the questions of one server to whom they belong.

    Args:
        source: the server.
        is_labelled: whether questions begin with its name.
        on_completed: given the id of every opened address that has done its work.
    """

    def __init__(
        self,
        source: SourceName,
        *,
        is_labelled: bool,
        on_completed: Callable[[str], None] | None = None,
    ) -> None:
        self.source = source
        self._is_labelled = is_labelled
        self._on_completed = on_completed

    def hear(self, message: object) -> None:
        """The server sent something of its own accord."""
        if self._on_completed and isinstance(message, types.ElicitCompleteNotification):
            self._on_completed(message.params.elicitation_id)

    async def ask(
        self, kind: AskKind, params: JsonObject, *, exchange: Exchange
    ) -> tuple[JsonObject, BaseModel]:
        """Ask the client of an exchange, while every clock of it stands still.

        Returns:
            The answer, as it is and as the SDK takes it.

        Raises:
            AskRefused: there is no answer, or one that the server must not have.
        """
        ask = build_ask(
            kind,
            params,
            source=self.source,
            about=exchange.about,
            # A client that speaks for itself is shown what the server wrote.
            is_labelled=self._is_labelled and exchange.verbatim is None,
        )
        client = exchange.client
        # Nobody says by itself why it is not asked.
        if client is not NOBODY:
            check_askable(ask, client.capabilities)
        if exchange.asked >= _MAX_ASKS:
            raise AskRefused(f"{self.source!r} asked {_MAX_ASKS} questions, and may ask no more")
        given: JsonObject | None = None
        with exchange.asking():
            given = await client.ask(ask)
        if given is None:
            raise AskRefused(f"what {self.source!r} asked for is not needed any more")
        answer = check_answer(ask, given)
        return answer, read_answer(ask, answer)


class Callbacks:
    """What the SDK calls when a server before 2026-07-28 asks, and when any server logs.

    Args:
        asker: asks clients.
        underway: tells which request a message belongs to.
        on_contended: called when a question came that could belong to several calls.
    """

    def __init__(
        self, asker: Asker, *, underway: Underway, on_contended: Callable[[], None]
    ) -> None:
        self._asker = asker
        self._underway = underway
        self._on_contended = on_contended

    async def elicit(
        self, context: ClientRequestContext, params: types.ElicitRequestParams
    ) -> types.ElicitResult | types.ErrorData:
        """Answer `elicitation/create`."""
        answer = await self._answer("elicitation", params)
        assert isinstance(answer, types.ElicitResult | types.ErrorData)
        return answer

    async def sample(
        self, context: ClientRequestContext, params: types.CreateMessageRequestParams
    ) -> types.CreateMessageResult | types.CreateMessageResultWithTools | types.ErrorData:
        """Answer `sampling/createMessage`."""
        answer = await self._answer("sampling", params)
        assert isinstance(
            answer,
            types.CreateMessageResult | types.CreateMessageResultWithTools | types.ErrorData,
        )
        return answer

    async def list_roots(
        self, context: ClientRequestContext
    ) -> types.ListRootsResult | types.ErrorData:
        """Answer `roots/list`."""
        answer = await self._answer("roots", None)
        assert isinstance(answer, types.ListRootsResult | types.ErrorData)
        return answer

    async def hear_log(self, params: types.LoggingMessageNotificationParams) -> None:
        """Pass on a log line to the client it is for, where that is known."""
        exchange = self._underway.find()
        if isinstance(exchange, Unclear):
            log.debug("source.log_line_unclaimed", extra={"source": self._asker.source})
        elif is_loud_enough(params.level, exchange.client):
            exchange.client.log(params.level, params.data, logger=params.logger)

    async def _answer(self, kind: AskKind, params: BaseModel | None) -> BaseModel:
        exchange = await self._underway.find_settled(kind)
        if isinstance(exchange, Unclear):
            return self._refuse(exchange)
        if kind == "roots":
            self._underway.has_asked_roots = True
        shown = (
            {}
            if params is None
            else params.model_dump(by_alias=True, mode="json", exclude_none=True)
        )
        try:
            _, answer = await self._asker.ask(kind, shown, exchange=exchange)
        except AskRefused as exc:
            return _error(types.INVALID_REQUEST, str(exc))
        except Exception:
            log.exception("source.ask_failed", extra={"source": self._asker.source})
            # What went wrong here is none of the server's business.
            return _error(types.INTERNAL_ERROR, "the client could not be asked")
        return answer

    def _refuse(self, unclear: Unclear) -> types.ErrorData:
        log.warning(
            "source.ask_unclear",
            extra={"source": self._asker.source, "reason": unclear.value},
        )
        if unclear is Unclear.SEVERAL and self._underway.is_contended:
            self._on_contended()
        elif unclear is Unclear.LEFT:
            self._underway.renew()
        return _error(types.INVALID_REQUEST, f"nobody was asked: {unclear.value}")


def is_loud_enough(level: str, client: CallingClient) -> bool:
    """Whether a client wants to read log lines of a level."""
    least = client.log_level
    if least not in LOG_LEVELS or level not in LOG_LEVELS:
        return False
    return LOG_LEVELS.index(level) >= LOG_LEVELS.index(least)


def _error(code: int, message: str) -> types.ErrorData:
    return types.ErrorData(code=code, message=message)
