"""Calls of stateless clients that ask: they outlive the request that began them.

What is asked ends the request, and the call waits, parked. The client repeats its request with
answers and the state it was given; that resumes the same call, whose work is not begun again. Who
sends a state twice gets the same answer twice, for as long as the call might still have waited.
"""

import logging
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias, cast

import anyio
import mcp_types
from anyio.abc import TaskGroup
from mcp.shared.exceptions import MCPError

from toolweft.core.asks import MAX_ROUNDS
from toolweft.core.errors import AskRefused
from toolweft.core.json import JsonObject
from toolweft.core.principals import Principal
from toolweft.gateway.clients import FrontClient, Question
from toolweft.gateway.conversations import RequestContext, principal_of
from toolweft.gateway.options import AskOptions
from toolweft.gateway.outbox import open_outbox

__all__ = ("ParkedCalls",)

log = logging.getLogger(__name__)

Outcome: TypeAlias = mcp_types.Result | JsonObject
Work: TypeAlias = Callable[[FrontClient], Awaitable[Outcome]]

# Asks of one gather come together; they are put to the client in one round.
_GATHER_S: Final = 0.01
# What nobody answered may end by itself within this; then it is cancelled.
_END_S: Final = 5.0
# Answered rounds of one principal that are kept for whoever repeats them.
_MAX_KEPT: Final = 64


class _Call:
    """The work of one call, however many requests it takes."""

    def __init__(self, client: FrontClient, *, principal: Principal, tasks: TaskGroup) -> None:
        self.client = client
        self.principal = principal
        self.tasks = tasks
        self.scope = anyio.CancelScope()
        # Requests that were answered with questions.
        self.rounds = 0
        self.ended = anyio.Event()
        self.result: Outcome | MCPError = _over("the call was cancelled")

    async def do(self, work: Work) -> None:
        try:
            with self.scope:
                self.result = await work(self.client)
        except MCPError as exc:
            self.result = exc
        except Exception:
            log.exception("gateway.work_failed")
            message = "the call failed inside toolweft; the log of the gateway says why"
            self.result = MCPError(code=mcp_types.INTERNAL_ERROR, message=message)
        finally:
            self.ended.set()
            self.client.changed.set()


class _Round:
    """One request of a call: it ends with the call's result, or with questions."""

    def __init__(self, call: _Call, *, questions: dict[str, Question]) -> None:
        self.call = call
        # What the client was asked before this request; it answers that.
        self.questions = questions
        self.taken = anyio.Event()
        self.done = anyio.Event()
        self.waiting = 0
        # Cancelled when it is forgotten before its time.
        self.kept = anyio.CancelScope()
        self._outcome: Outcome | MCPError | None = None

    def settle(self, outcome: Outcome | MCPError) -> None:
        self._outcome = outcome
        self.done.set()

    def outcome(self) -> Outcome:
        if isinstance(self._outcome, MCPError):
            raise self._outcome
        assert self._outcome is not None, "it was settled"
        return self._outcome


class ParkedCalls:
    """The calls of stateless clients, going and parked.

    Args:
        options: how long and how many may wait for answers.
    """

    def __init__(self, options: AskOptions) -> None:
        self._options = options
        # By state, oldest first.
        self._rounds: OrderedDict[str, _Round] = OrderedDict()

    async def serve(self, request: RequestContext, params: Any, work: Work) -> Any:
        """See `Exchanges.serve`."""
        if params.request_state is None:
            round_ = self._begin(request, work)
        else:
            round_ = self._resume(request, params.request_state)
        client, call = round_.call.client, round_.call
        client.adopt(request)
        round_.waiting += 1
        try:
            async with open_outbox(request, log_level=client.log_level) as outbox:
                with client.attached(outbox):
                    await round_.done.wait()
        finally:
            round_.waiting -= 1
            if not round_.waiting and not round_.done.is_set():
                # Whoever asked for it has gone away.
                call.scope.cancel()
        return round_.outcome()

    def _begin(self, request: RequestContext, work: Work) -> _Round:
        tasks = cast("TaskGroup", request.lifespan_context)
        client = FrontClient(request, log_level=None)
        call = _Call(client, principal=principal_of(request), tasks=tasks)
        round_ = _Round(call, questions={})
        round_.taken.set()
        tasks.start_soon(call.do, work)
        tasks.start_soon(self._advance, round_)
        return round_

    def _resume(self, request: RequestContext, state: str) -> _Round:
        round_ = self._rounds.get(state)
        if round_ is None or round_.call.principal != principal_of(request):
            raise _over(
                "the call that asked this is over: it waited too long for an answer, or toolweft"
                " was started anew; call again without requestState"
            )
        if not round_.taken.is_set():
            round_.taken.set()
            answers = (request.params or {}).get("inputResponses") or {}
            for key, question in round_.questions.items():
                if key in answers and (fault := question.answer(answers[key])):
                    log.info("gateway.answer_refused", extra={"key": key, "fault": fault[:200]})
            round_.call.tasks.start_soon(self._advance, round_)
            self._forget_some(round_.call.principal)
        return round_

    async def _advance(self, round_: _Round) -> None:
        """Wait for the call to end or to ask, and settle the round with that."""
        call = round_.call
        while not call.ended.is_set():
            # An answer takes effect in a task of its own, which is still to come.
            questions = self._open_questions(call)
            if questions:
                await anyio.sleep(_GATHER_S)
                questions = self._open_questions(call)
                if call.ended.is_set():
                    break
                if questions and self._may_park(call, questions):
                    round_.settle(self._park(call, questions))
                    return
                continue
            call.client.changed = anyio.Event()
            if not call.ended.is_set():
                await call.client.changed.wait()
        round_.settle(call.result)

    def _open_questions(self, call: _Call) -> dict[str, Question]:
        return {key: q for key, q in call.client.questions.items() if q.is_open}

    def _may_park(self, call: _Call, questions: dict[str, Question]) -> bool:
        first = next(iter(questions.values()))
        if call.rounds >= MAX_ROUNDS:
            call.client.refuse_all(call.client.rounds.refusal(first.ask))
            return False
        if self._count_parked(call.principal) >= self._options.max_parked:
            call.client.refuse_all(
                AskRefused(
                    f"{first.ask.source!r} asks for {first.ask.kind}, and"
                    f" {self._options.max_parked} calls wait for answers already",
                    hint="answer those first; [asks] max_parked allows more",
                )
            )
            return False
        return True

    def _count_parked(self, principal: Principal) -> int:
        return sum(
            round_.call.principal == principal and not round_.taken.is_set()
            for round_ in self._rounds.values()
        )

    def _park(self, call: _Call, questions: dict[str, Question]) -> mcp_types.InputRequiredResult:
        call.rounds += 1
        requests = cast("Any", {key: question.request for key, question in questions.items()})
        state = secrets.token_urlsafe(24)
        round_ = _Round(call, questions=questions)
        self._rounds[state] = round_
        call.tasks.start_soon(self._keep, state, round_)
        return mcp_types.InputRequiredResult(input_requests=requests, request_state=state)

    async def _keep(self, state: str, round_: _Round) -> None:
        """Know a round for the park time; a call that nobody resumed in it is ended."""
        with round_.kept:
            await anyio.sleep(self._options.park_s)
            if not round_.taken.is_set():
                log.info("gateway.unanswered", extra={"asks": len(round_.questions)})
                await self._end_unanswered(round_.call)
        del self._rounds[state]

    async def _end_unanswered(self, call: _Call) -> None:
        call.client.give_up(self._options.park_s)
        with anyio.move_on_after(_END_S):
            await call.ended.wait()
        call.scope.cancel()

    def _forget_some(self, principal: Principal) -> None:
        """Keep no more than so many answered rounds of one principal."""
        kept = [
            state
            for state, round_ in self._rounds.items()
            if round_.call.principal == principal and round_.done.is_set()
        ]
        for state in kept[:-_MAX_KEPT]:
            self._rounds[state].kept.cancel()


def _over(message: str) -> MCPError:
    return MCPError(
        code=mcp_types.INVALID_PARAMS, message=message, data={"reason": "invalid_request_state"}
    )
