"""What every client of a vendor's API stands on: one model, asked over one connection.

A vendor's client says how requests are encoded and answers decoded; here they are sent, tried
again, held back while the place fails, and streamed. Knows no vendor.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Generic, Protocol, Self, TypeVar

from toolweft.core.breaker import Breaker, BreakerOptions
from toolweft.core.clock import Clock
from toolweft.core.errors import (
    ConfigError,
    ContextFull,
    ProviderError,
    RemoteContainerGone,
)
from toolweft.core.json import JsonObject
from toolweft.core.messages import ModelEvent, ModelReply, ModelRequest, ReplyDone, TextPrinted
from toolweft.core.models import TokenPrices
from toolweft.core.providers import ModelCapabilities
from toolweft.core.secret import Secret
from toolweft.providers.connection import Connection
from toolweft.providers.gate import Gate
from toolweft.providers.retry import with_retries

__all__ = (
    "ClientOptions",
    "Exchange",
    "Fold",
    "ProviderClient",
    "Target",
    "choose_base_url",
    "find_key",
)

T = TypeVar("T")

# An answer takes so much longer than a request that one of them shows that the model is back.
_SUCCESSES_TO_CLOSE: Final = 1
# What takes longer than this share of its time is about to fail.
_SLOW_SHARE: Final = 0.8
# No token is longer, and no vendor goes far beyond the tokens that it was allowed.
_MAX_TOKEN_CHARACTERS: Final = 128
_LEAST_ALLOWED_CHARACTERS: Final = 1024**2


class Fold(Protocol):
    """Events of one stream, put together."""

    @property
    def is_ended(self) -> bool:
        """The answer is complete."""
        ...

    @property
    def body(self) -> JsonObject:
        """What a plain answer would have been."""
        ...

    def add(self, event: JsonObject) -> Iterable[ModelEvent]:
        """What one event says to whoever reads along; `ProviderError` where it cannot be."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request as it is sent, and how its answer is read."""

    path: str
    body: JsonObject
    headers: Mapping[str, str] = field(default_factory=dict)
    # Where, and with what beside, the answer is asked for as a stream.
    stream_path: str
    stream_fields: JsonObject = field(default_factory=dict)
    # Takes the answer's body and the request's id.
    decode: Callable[[JsonObject, str], ModelReply]
    begin: Callable[[], Fold]
    # What comes after the end of an answer is left unread. Else it is read: it may hold more, and
    # the connection can be used again.
    leaves_at_end: bool = False
    # A second try does not repeat what the first one may have done at the vendor.
    may_repeat: bool = True


class Target(Protocol):
    """The model that requests go to."""

    @property
    def model(self) -> str:
        """As its platform names it."""
        ...

    @property
    def platform(self) -> str:
        """Who runs it."""
        ...

    @property
    def capabilities(self) -> ModelCapabilities:
        """What it does natively."""
        ...


class ClientOptions(Protocol):
    """What the base reads of the options of a vendor's client."""

    @property
    def prices(self) -> TokenPrices | None:
        """None: from the table, if it has them."""
        ...


OptionsT = TypeVar("OptionsT", bound=ClientOptions)
TargetT = TypeVar("TargetT", bound=Target)


class ProviderClient(ABC, Generic[OptionsT, TargetT]):
    """The `Provider` of one model; an async context manager that owns its connections."""

    def __init__(
        self,
        options: OptionsT,
        *,
        environment: Mapping[str, str],
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        """Nothing is loaded or connected.

        Args:
            options: which model, where, and how.
            environment: where the key is taken from if `options` has none.
            clock: for deadlines and for dates in answers.
            random: a number of [0, 1) at each call, for jitter between tries.

        Raises:
            ConfigError: there is no key, or no address where none is known.
        """
        self._options = options
        self._clock = clock
        self._random = random
        self._target, listed = self._choose_target(options)
        self._prices = options.prices or listed
        self._connection = self._build_connection(options, environment)
        breaker = Breaker(
            BreakerOptions(
                successes=_SUCCESSES_TO_CLOSE,
                slow_s=_SLOW_SHARE * self._connection.options.timeout_s,
            ),
            clock=clock,
            random=random,
        )
        self._gate = Gate(breaker, name=self.name)

    async def __aenter__(self) -> Self:
        """Load the SDK.

        Raises:
            ConfigError: it is not installed, or the key cannot be sent.
        """
        await self._connection.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._connection.__aexit__(kind, error, traceback)

    @property
    def name(self) -> str:
        """Platform and model: "anthropic:claude-opus-5-5"."""
        return f"{self._target.platform}:{self._target.model}"

    @property
    def capabilities(self) -> ModelCapabilities:
        """See `toolweft.core.providers.Provider`."""
        return self._target.capabilities

    @property
    def prices(self) -> TokenPrices | None:
        """See `toolweft.core.providers.Provider`."""
        return self._prices

    async def complete(self, request: ModelRequest) -> ModelReply:
        """See `toolweft.core.providers.Provider`."""
        exchange = self._prepare(request)

        async def attempt() -> ModelReply:
            answer = await self._connection.post(
                exchange.path, exchange.body, headers=exchange.headers
            )
            # Within the try: an answer may say that it failed and may be asked for again.
            return self._decode(exchange, answer.body, answer.request_id)

        return await self._ask(attempt, may_repeat=exchange.may_repeat)

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """See `toolweft.core.providers.Provider`."""
        exchange = self._prepare(request)
        body = {**exchange.body, **exchange.stream_fields}
        stream = await self._ask(
            lambda: self._connection.open_stream(
                exchange.stream_path, body, headers=exchange.headers
            ),
            may_repeat=exchange.may_repeat,
        )
        fold, written = exchange.begin(), 0
        try:
            async for wire_event in stream:
                for event in fold.add(wire_event):
                    written += len(event.text) if isinstance(event, TextPrinted) else 0
                    yield event
                _check_written(written, max_tokens=request.max_tokens)
                if exchange.leaves_at_end and fold.is_ended:
                    break
        except (ContextFull, RemoteContainerGone) as exc:
            self._connection.mask(exc)
            raise
        except ProviderError as exc:
            raise self._cut_off(written, exc, may_repeat=exchange.may_repeat) from exc
        finally:
            await stream.aclose()
        if not fold.is_ended:
            early = ProviderError("it ended early", retryable=True)
            raise self._cut_off(written, early, may_repeat=exchange.may_repeat)
        try:
            reply = self._decode(exchange, fold.body, stream.request_id)
        except ProviderError as exc:
            exc.has_begun = True
            raise
        yield ReplyDone(reply)

    def _decode(self, exchange: Exchange, body: JsonObject, request_id: str) -> ModelReply:
        try:
            return exchange.decode(body, request_id)
        except ProviderError as exc:
            self._connection.mask(exc)
            raise

    async def _ask(self, attempt: Callable[[], Awaitable[T]], *, may_repeat: bool) -> T:
        self._gate.check()
        return await with_retries(
            lambda: self._gate.run(attempt),
            clock=self._clock,
            random=self._random,
            is_allowed=may_repeat,
        )

    def _cut_off(self, written: int, cause: ProviderError, *, may_repeat: bool) -> ProviderError:
        error = ProviderError(
            f"{self.name}: the answer broke off after {written:,} characters of text, and what was"
            f" written is lost: {cause.message.removeprefix(f'{self.name}: ')}",
            hint="the history is unchanged; ask again from there",
            retryable=may_repeat and cause.is_retryable,
            retry_after_s=cause.retry_after_s,
            status=cause.status,
            has_begun=True,
        )
        return self._connection.mask(error)

    @abstractmethod
    def _choose_target(self, options: OptionsT) -> tuple[TargetT, TokenPrices | None]:
        """The model that requests go to, and what the table says of its prices."""

    @abstractmethod
    def _build_connection(
        self, options: OptionsT, environment: Mapping[str, str]
    ) -> Connection[Any]:
        """The way there; `_target` is chosen. `ConfigError` where key or address is missing."""

    @abstractmethod
    def _prepare(self, request: ModelRequest) -> Exchange:
        """The request in the vendor's form."""


def _check_written(characters: int, *, max_tokens: int) -> None:
    if characters > max(_LEAST_ALLOWED_CHARACTERS, max_tokens * _MAX_TOKEN_CHARACTERS):
        raise ProviderError(f"it does not stop at {max_tokens:,} tokens")


def find_key(
    key: Secret | None, *variables: str, environment: Mapping[str, str], name: str
) -> Secret:
    """The key, or else the value of the first variable that has one.

    Args:
        key: what the options hold.
        variables: where it is looked for, in order.
        environment: variables and their values.
        name: of the model, for the message.

    Raises:
        ConfigError: there is none.
    """
    if key is not None:
        return key
    for variable in variables:
        if value := environment.get(variable, "").strip():
            return Secret(value, reference=f"env:{variable}")
    raise ConfigError(
        f"{name}: there is no key in {' or '.join(variables)}",
        hint=f"set {variables[0]} in the environment",
    )


def choose_base_url(given: str | None, default: str | None, *, name: str, example: str) -> str:
    """The address that was given, or the platform's own.

    Args:
        given: what the options hold.
        default: None where every account has its own.
        name: of the model, for the message.
        example: of an address, for the hint.

    Raises:
        ConfigError: there is none.
    """
    address = given or default
    if address is None:
        raise ConfigError(f"{name}: a deployment needs its base_url", hint=f'"{example}"')
    return address
