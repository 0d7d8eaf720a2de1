"""The client of one call, as what answers the call sees it.

It keeps what is asked until somebody who can reach the client takes it: `exchanges` for clients of
the handshake revisions, `parked` for those of the stateless one, over as many requests as it takes.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, cast

import anyio
import mcp_types
from anyio.abc import TaskGroup
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from toolweft.core.asks import Rounds, check_askable
from toolweft.core.client import Ask, Progress
from toolweft.core.errors import AskRefused, AskUnanswered, ToolweftError
from toolweft.core.ids import SourceName
from toolweft.core.json import Json, JsonObject
from toolweft.gateway.asides import Asides
from toolweft.gateway.asking import build_request, find_answer_fault, usable_capabilities
from toolweft.gateway.conversations import RequestContext, connection_of
from toolweft.gateway.outbox import LOG_LEVELS, Outbox

__all__ = ("FrontClient", "Question")

_OWN_META: Final = "io.modelcontextprotocol/"
_PROGRESS_TOKENS: Final = frozenset({"progressToken", "progress_token"})


class Question:
    """An ask that waits for its answer."""

    def __init__(self, ask: Ask, *, key: str, request: mcp_types.ServerRequest) -> None:
        self.ask = ask
        # The same, for the client's protocol revision.
        self.request = request
        # Of this call only.
        self.key = key
        # Cancelled once nobody waits for the answer any more.
        self.scope = anyio.CancelScope()
        self._answered = anyio.Event()
        self._answer: JsonObject | ToolweftError | None = None

    @property
    def is_open(self) -> bool:
        """Whether it still has no answer."""
        return not self._answered.is_set()

    def answer(self, answer: Json) -> str:
        """Answer it; says why where the answer does not fit, and it stays open."""
        fault = find_answer_fault(self.ask, answer)
        if not fault and self.is_open:
            self._settle(answer)
        return fault

    def refuse(self, error: ToolweftError) -> None:
        """End it without an answer."""
        if self.is_open:
            self._settle(error)

    async def wait(self) -> JsonObject:
        """The answer.

        Raises:
            AskRefused: it got none.
        """
        await self._answered.wait()
        if isinstance(self._answer, ToolweftError):
            raise self._answer
        assert self._answer is not None, "it was settled"
        return self._answer

    def _settle(self, answer: JsonObject | ToolweftError) -> None:
        self._answer = answer
        self._answered.set()


class FrontClient:
    """The `CallingClient` of one call that came over MCP.

    Args:
        request: the first of the call.
        log_level: the least level of log lines that it wants; None for none.
        asides: know what its session hears after the call; None: nothing.
    """

    def __init__(
        self, request: RequestContext, *, log_level: str | None, asides: Asides | None = None
    ) -> None:
        self.request = request
        self._asides = asides
        self.log_level = log_level
        self.revision = request.protocol_version
        self.capabilities: JsonObject = {}
        self.meta: Mapping[str, Json] = {}
        self.wants_progress = False
        # Those without an answer, by key, in the order asked.
        self.questions: dict[str, Question] = {}
        # Set with every question that comes or goes; whoever waits for it puts a new one.
        self.changed = anyio.Event()
        # Hears of every question, at once; must not wait.
        self.on_question: Callable[[Question], None] | None = None
        self.rounds = Rounds()
        self._asked = 0
        self._end: ToolweftError | None = None
        self._outboxes: list[Outbox] = []
        self.adopt(request)

    @property
    def session(self) -> object:
        """The same for all calls of a handshake client; see `core.client.session_of`."""
        return connection_of(self.request)

    @contextmanager
    def attached(self, outbox: Outbox) -> Iterator[None]:
        """For as long as its request waits: what is reported goes there."""
        self._outboxes.append(outbox)
        try:
            yield
        finally:
            self._outboxes.remove(outbox)

    async def ask(self, ask: Ask) -> JsonObject:
        """Put a question to it; see `CallingClient.ask`."""
        check_askable(ask, self.capabilities)
        if self._asides is None:
            return await self._put(ask)
        answer: JsonObject = {}
        shown = self._asides.begin(self, ask)
        try:
            answer = await self._put(shown)
            return answer
        finally:
            self._asides.end(self, ask, answer)

    async def _put(self, ask: Ask) -> JsonObject:
        try:
            made = build_request(ask, revision=self.revision)
        except ValueError as exc:
            raise AskRefused(
                f"{ask.source!r} asks for {ask.kind} in a way that no client knows: {exc}"
            ) from exc
        if self._end is not None:
            raise self._end
        self.rounds.open(ask)
        self._asked += 1
        question = Question(ask, key=f"ask-{self._asked}", request=made)
        self.questions[question.key] = question
        self.changed.set()
        if self.on_question is not None:
            self.on_question(question)
        try:
            return await question.wait()
        finally:
            self.rounds.close()
            del self.questions[question.key]
            self.changed.set()
            question.scope.cancel()

    def report(self, progress: Progress) -> None:
        """Pass on how far the call is, to the request that waits now."""
        if self._outboxes and self.wants_progress:
            self._outboxes[-1].report(progress)

    def log(self, level: str, data: Json, *, logger: str | None = None) -> None:
        """Pass on a log line, to the request that waits now."""
        if self._outboxes:
            self._outboxes[-1].log(level, data, logger=logger)

    def print(self, text: str) -> None:
        """Pass on what a program printed, to the request that waits now."""
        if self._outboxes and self.wants_progress:
            self._outboxes[-1].print(text)

    def completed(self, elicitation_id: str) -> None:
        """Say that an address has done its work: beside the answer, or after it."""
        if self._outboxes:
            self._outboxes[-1].complete(elicitation_id)
            return
        tasks = cast("TaskGroup", self.request.lifespan_context)
        tasks.start_soon(self.request.session.send_elicit_complete, elicitation_id)

    def failed(self, error: MCPError, *, source: SourceName) -> MCPError:
        """The error of a source in its words, as this client is told it."""
        return error if self._asides is None else self._asides.begin_error(self, source, error)

    def give_up(self, waited_s: float) -> None:
        """Let everything that is asked, and whatever comes, end as unanswered."""
        for question in tuple(self.questions.values()):
            question.refuse(_unanswered(question.ask, waited_s))
            self._end = _unanswered(question.ask, waited_s)

    def refuse_all(self, error: AskRefused) -> None:
        """Refuse everything that is asked now."""
        for question in tuple(self.questions.values()):
            question.refuse(error)

    def adopt(self, request: RequestContext) -> None:
        """Go on as whoever makes this request; a later one may declare other capabilities."""
        declared = request.session.client_capabilities
        self.capabilities = usable_capabilities(declared, revision=self.revision)
        meta: Mapping[str, Json] = request.meta or {}
        self.wants_progress = meta.get("progress_token") is not None
        self.meta = {
            key: value
            for key, value in meta.items()
            if key not in _PROGRESS_TOKENS and not key.startswith(_OWN_META)
        }
        if self.revision in MODERN_PROTOCOL_VERSIONS:
            wanted = meta.get(mcp_types.LOG_LEVEL_META_KEY)
            self.log_level = wanted if wanted in LOG_LEVELS else None


def _unanswered(ask: Ask, waited_s: float) -> AskUnanswered:
    return AskUnanswered(
        f"{ask.source!r} asked for {ask.kind}, and nobody answered within {waited_s:g} s",
        hint="call it again when somebody is there to answer",
    )
