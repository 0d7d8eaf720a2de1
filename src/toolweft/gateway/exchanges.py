"""One call and what is asked during it, in the way of the client's protocol revision.

A handshake client is asked by requests of ours, sent while its own is under way, from the tasks of
the handler: cancelled with it, they take the prompt back. A client of the stateless revision is
asked by the answer to its request; `parked` has that half. Every handler whose work may ask goes
through `Exchanges.serve`.
"""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias, TypeVar

import anyio
import mcp_types
from anyio.abc import TaskGroup
from mcp.server.lowlevel import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from toolweft.core.errors import AskRefused
from toolweft.core.json import Json, JsonObject
from toolweft.gateway.asides import Asides
from toolweft.gateway.asking import RawAnswer
from toolweft.gateway.clients import FrontClient, Question
from toolweft.gateway.conversations import RequestContext, principal_of
from toolweft.gateway.options import AskOptions
from toolweft.gateway.outbox import Outbox
from toolweft.gateway.parked import ParkedCalls

__all__ = ("Asking", "Exchanges", "lifespan")

log = logging.getLogger(__name__)

Answer = TypeVar("Answer", bound=mcp_types.Result | JsonObject)
# The requests that a client of the stateless revision repeats with answers.
Asking: TypeAlias = mcp_types.InputResponseRequestParams

# Where the gateway's address does not say whose state it is.
_AUDIENCE: Final = "toolweft"
# Beyond the park time, so that what is too late hears of that and not of a bad state.
_STATE_GRACE_S: Final = 60.0


@asynccontextmanager
async def lifespan(_server: Server[Json]) -> AsyncIterator[TaskGroup]:
    """The tasks of calls that outlive the requests that began them; for `Server(lifespan=…)`."""
    async with anyio.create_task_group() as tasks:
        yield tasks
        tasks.cancel_scope.cancel()


class Exchanges:
    """Answers requests whose work may ask.

    Args:
        options: how long asks wait, and under which keys their states are sealed.
        log_level_of: the least level of log lines that a handshake client wants.
        asides: know what handshake clients hear after their calls; None: nothing.
    """

    def __init__(
        self,
        options: AskOptions,
        *,
        log_level_of: Callable[[RequestContext], str | None],
        asides: Asides | None = None,
    ) -> None:
        self._park_s = options.park_s
        self._progress_s = options.progress_s
        self._asides = asides
        self._log_level_of = log_level_of
        self._parked = ParkedCalls(options)
        ttl_s = options.park_s + _STATE_GRACE_S
        keys = [key.reveal() for key in options.state_keys]
        if keys:
            security = RequestStateSecurity(keys=keys, ttl=ttl_s, bind_principal=_bound_to)
        else:
            security = RequestStateSecurity.ephemeral(ttl=ttl_s)
            security.bind_principal = _bound_to
        # For `Server.middleware`: seals the states of parked calls, and opens them.
        self.boundary = RequestStateBoundary(security, default_audience=_AUDIENCE)

    async def serve(
        self,
        request: RequestContext,
        params: Asking,
        work: Callable[[FrontClient], Awaitable[Answer]],
    ) -> Answer | mcp_types.InputRequiredResult:
        """What the work answers, or what it asks.

        Args:
            request: of the client.
            params: with the client's answers, where it was asked before.
            work: done once, however often the client repeats the request; cancelled when the
                client gives up. It raises `MCPError` only.

        Raises:
            MCPError: of the work; or the state belongs to nothing that waits.
        """
        if request.protocol_version in MODERN_PROTOCOL_VERSIONS:
            parked: Answer | mcp_types.InputRequiredResult
            parked = await self._parked.serve(request, params, work)
            return parked
        level = self._log_level_of(request)
        client = FrontClient(request, log_level=level, asides=self._asides)
        result: Answer | MCPError
        async with anyio.create_task_group() as tasks:
            outbox = Outbox(request, tasks=tasks, log_level=level)
            is_kept = False

            def put_soon(question: Question) -> None:
                nonlocal is_kept
                tasks.start_soon(self._put, request, client, question)
                if client.wants_progress and not is_kept:
                    is_kept = True
                    tasks.start_soon(self._keep_waiting, client, outbox)

            client.on_question = put_soon
            with client.attached(outbox):
                try:
                    result = await work(client)
                except MCPError as exc:
                    # Raised below: a task group would wrap it.
                    result = exc
            await outbox.flush()
            tasks.cancel_scope.cancel()
        if isinstance(result, MCPError):
            raise result
        return result

    async def _keep_waiting(self, client: FrontClient, outbox: Outbox) -> None:
        """Keep a client from giving up its own request while it is asked something."""
        while True:
            await anyio.sleep(self._progress_s)
            if client.questions:
                outbox.keep_waiting()

    async def _put(self, request: RequestContext, client: FrontClient, question: Question) -> None:
        with question.scope, anyio.move_on_after(self._park_s) as limit:
            try:
                fault = question.answer(await _send(request, question))
            except MCPError as exc:
                fault = exc.error.message
            except ValueError as exc:
                fault = str(exc)
            if fault:
                question.refuse(
                    AskRefused(
                        f"{question.ask.source!r} asked for {question.ask.kind}, and the client"
                        f" gave no answer that can be used: {fault[:300]}"
                    )
                )
        if limit.cancelled_caught:
            client.give_up(self._park_s)


async def _send(request: RequestContext, question: Question) -> Json:
    metadata = ServerMessageMetadata(related_request_id=request.request_id)
    answer = await request.session.send_request(question.request, RawAnswer, metadata=metadata)
    return answer.root


def _bound_to(request: Any) -> str:
    principal = principal_of(request)
    return json.dumps([principal.tenant, principal.user, principal.key])
