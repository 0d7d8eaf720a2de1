"""A server in the place of a vendor's, as far as it is the same for every one of them.

It keeps a script of what the model answers, lets requests in, logs and refuses them, and sends
answers whole or as events, which may break off. Rules, counts and shapes are each vendor's own.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import ClassVar, Generic, Self, TypeAlias, TypeVar, cast

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from toolweft.core.json import JsonObject
from toolweft.testing.vendors.serving import ServedApp

__all__ = (
    "Admitted",
    "Answer",
    "EventStream",
    "ScriptOf",
    "VendorFailure",
    "VendorRefusal",
    "VendorServer",
    "VendorTurn",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorTurn:
    """A step in which the model answers."""

    # The connection of a stream ends after so many events; None: after all of them.
    break_after: int | None = None
    # Told as an event after `break_after` events, instead of breaking the connection.
    stream_error: JsonObject | None = None
    # The stream ends after `break_after` events as if it were complete.
    ends_early: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorFailure:
    """A step in which the vendor fails, whatever was asked."""

    status: int
    message: str = "Internal server error"
    headers: Mapping[str, str] = field(default_factory=dict)


class VendorRefusal(Exception):
    """A request that breaks a rule of the vendor's."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


TurnT = TypeVar("TurnT", bound=VendorTurn)
FailureT = TypeVar("FailureT", bound=VendorFailure)
RefusalT = TypeVar("RefusalT", bound=VendorRefusal)

# The steps in order, or a function of the request's body that gives the next one.
ScriptOf: TypeAlias = Sequence[TurnT | FailureT] | Callable[[JsonObject], TurnT | FailureT]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one turn is sent as."""

    body: JsonObject
    # None: as it is, and not as events.
    events: Iterable[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted(Generic[TurnT]):
    """A request that was let in."""

    # As it is kept.
    body: JsonObject
    answer: Callable[[TurnT], Answer]


class VendorServer(ABC, Generic[TurnT, FailureT, RefusalT]):
    """An async context manager; serves from its start to its end.

    Attributes:
        base_url: set once it serves.
        key: what requests have to show; None lets everybody in.
        requests: bodies that were let in.
        headers: of every request, refused ones too, with names in lower case.
        paths: addresses of every request, refused ones too.
        peers: ports that requests came from: one for each connection.
        refusals: messages of what was refused.
    """

    # Where requests come in, below the server's address.
    routes: ClassVar[tuple[str, ...]]
    # What clients have to be told beside the server's address.
    base_path: ClassVar[str] = ""
    # Names an answer; empty: nothing does.
    id_header: ClassVar[str] = ""

    def __init__(self, script: ScriptOf[TurnT, FailureT], *, key: str | None) -> None:
        self.base_url = ""
        self.key = key
        self.requests: list[JsonObject] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.peers: set[int] = set()
        self.refusals: list[str] = []
        self._script = script
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Serve."""
        routes = [Route(path, self._respond, methods=["POST"]) for path in self.routes]
        address = await self._stack.enter_async_context(ServedApp(Starlette(routes=routes)))
        self.base_url = f"{address}{self.base_path}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        await self._stack.aclose()

    async def _respond(self, http: Request) -> Response:
        self.headers.append(dict(http.headers))
        self.paths.append(http.url.path)
        self.peers.add(http.client.port if http.client else 0)
        request_id = f"req_{len(self.headers)}"
        try:
            if self.key is not None:
                self._check_key(http.headers, self.key)
            admitted = self._admit(await self._read(http), http)
        except VendorRefusal as refusal:
            self.refusals.append(refusal.message)
            # The vendor's own: nothing else is raised by what was called.
            return self._fail(cast(RefusalT, refusal), request_id)
        step = self._next_step(admitted.body)
        if isinstance(step, VendorFailure):
            return self._fail(step, request_id)
        answer = admitted.answer(step)
        headers = self._name(request_id)
        if answer.events is None:
            return JSONResponse(answer.body, headers=headers)
        events = self._cut(answer.events, step)
        is_whole = step.break_after is None or step.ends_early or step.stream_error is not None
        return EventStream(events, headers=headers, is_broken=not is_whole)

    async def _read(self, http: Request) -> JsonObject:
        try:
            body = await http.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise self._refuse_body()
        return body

    def _next_step(self, body: JsonObject) -> TurnT | FailureT:
        self.requests.append(body)
        if callable(self._script):
            return self._script(body)
        asked = len(self.requests)
        assert asked <= len(self._script), f"the script has only {len(self._script)} steps"
        return self._script[asked - 1]

    def _fail(self, error: FailureT | RefusalT, request_id: str) -> Response:
        headers = self._name(request_id)
        if isinstance(error, VendorFailure):
            headers |= error.headers
        body = self._render_failure(error, request_id)
        return JSONResponse(body, status_code=error.status, headers=headers)

    def _cut(self, events: Iterable[str], turn: TurnT) -> Iterator[str]:
        for number, event in enumerate(events):
            if number == turn.break_after:
                if turn.stream_error is not None:
                    yield self._render_stream_error(turn.stream_error)
                return
            yield event

    def _name(self, request_id: str) -> dict[str, str]:
        return {self.id_header: request_id} if self.id_header else {}

    @abstractmethod
    def _check_key(self, headers: Mapping[str, str], key: str) -> None:
        """Raise the vendor's refusal of a wrong key."""

    @abstractmethod
    def _refuse_body(self) -> RefusalT:
        """The vendor's refusal of a body that is no JSON object."""

    @abstractmethod
    def _admit(self, body: JsonObject, http: Request) -> Admitted[TurnT]:
        """The request, held against every rule; its refusal is raised."""

    @abstractmethod
    def _render_failure(self, error: FailureT | RefusalT, request_id: str) -> JsonObject:
        """An error as the vendor sends it."""

    @abstractmethod
    def _render_stream_error(self, error: JsonObject) -> str:
        """An error as the vendor tells it among events."""


class EventStream(Response):
    """Events, each sent alone; a broken stream has no end."""

    def __init__(
        self, events: Iterable[str], *, headers: Mapping[str, str], is_broken: bool
    ) -> None:
        super().__init__(headers=dict(headers), media_type="text/event-stream; charset=utf-8")
        # Its length is not known.
        del self.headers["content-length"]
        self._events = list(events)
        self._is_broken = is_broken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send head and events."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        for event in self._events:
            await send({"type": "http.response.body", "body": event.encode(), "more_body": True})
        if not self._is_broken:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
