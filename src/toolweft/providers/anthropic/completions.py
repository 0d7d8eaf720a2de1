"""One turn of a model in the vendor's shape: plain messages and tools in, a view of the reply out.

Calls no tool and keeps no conversation. What it may not repeat it does not: a lost container is
replaced once, and only where nothing is done twice by that.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

import anyio

from toolweft.core.clock import Clock
from toolweft.core.errors import RemoteContainerGone
from toolweft.core.given import check_given, check_number, check_sequence
from toolweft.core.messages import ModelReply, ModelRequest
from toolweft.core.models import DEFAULT_MAX_TOKENS
from toolweft.providers.anthropic.client import AnthropicProvider
from toolweft.providers.anthropic.declared_tools import DeclaredTools, Define, GivenTool, read_tools
from toolweft.providers.anthropic.fresh_container import plan_fresh_start
from toolweft.providers.anthropic.responses import CompletionResponse, Said
from toolweft.providers.anthropic.said import ReadMessage, list_messages, read_messages
from toolweft.providers.anthropic.target import Platform
from toolweft.providers.anthropic.tools import CODE_TOOL

__all__ = ("CompletionClient",)

log = logging.getLogger(__name__)

_CALLER_WORDS: Final = {"direct": "by the model itself", "programmatic": "by a program"}


class CompletionClient:
    """A model that is asked turn by turn.

    Opens itself when it is first asked; `close` it, or use it as an async context manager.
    """

    def __init__(
        self, provider: AnthropicProvider, *, platform: Platform, define: Define, clock: Clock
    ) -> None:
        """Nothing is loaded or connected.

        Args:
            provider: owned, and opened and closed, by the client.
            platform: where it asks.
            define: decides what a tool's declaration leaves open.
            clock: for containers.
        """
        self._provider = provider
        self._platform: Platform = platform
        self._define = define
        self._clock = clock
        self._is_open = False
        self._opening = anyio.Lock()

    async def __aenter__(self) -> Self:
        """Load the SDK.

        Raises:
            ConfigError: it is not installed.
        """
        await self._open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections; asked again, the client opens new ones."""
        if self._is_open:
            self._is_open = False
            await self._provider.__aexit__(None, None, None)

    async def complete(
        self,
        messages: Sequence[Said],
        tools: Iterable[GivenTool] | None = None,
        *,
        system: str = "",
        container_id: str | None = None,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        temperature: float | None = None,
    ) -> CompletionResponse:
        """The model's answer to a conversation.

        Args:
            messages: in the vendor's shape or the project's; answers go back as they came.
            tools: specs, or plain objects with "name" and "parameters"; the same, in the same
                order, in every request of a conversation.
            system: instructions.
            container_id: a container at the vendor to go on in. Where it is gone, and no tool that
                changes something was called by its programs, the model is asked once more without:
                see `container_was_lost` of the response, and go on from its `messages`.
            max_tokens: what the model may write.
            temperature: sent only when set, and only to models that have one.

        Raises:
            InvalidValue: a message, a tool or a number cannot be used; its place is named.
            RemoteContainerGone: the container is gone and asking again could do something twice.
            ProviderError: the model could not be asked or did not answer.
        """
        _check_words(system, container_id)
        check_number(max_tokens, name="max_tokens", hint="1 or more", is_whole=True, least=1)
        if temperature is not None:
            check_number(temperature, name="temperature", hint="0 or more, or leave it out")
        check_given(tools, Iterable | None, name="tools", hint="a list of specs, or leave it out")
        has_programs = self._provider.capabilities.programs == "python"
        declared = read_tools(tools or (), define=self._define, has_programs=has_programs)
        read = self._read(messages)
        request = ModelRequest(
            system=system,
            tools=declared.tools,
            messages=list_messages(read),
            max_tokens=max_tokens,
            temperature=temperature,
            container_id=container_id,
        )
        await self._open()
        try:
            reply = await self._provider.complete(request)
        except RemoteContainerGone as exc:
            read = self._begin_again(read, request, declared, exc)
            fresh = replace(request, messages=list_messages(read), container_id=None)
            reply = await self._provider.complete(fresh)
            return self._respond(reply, declared, read, container_was_lost=True)
        return self._respond(reply, declared, read, container_was_lost=False)

    def _read(self, messages: Sequence[Said]) -> tuple[ReadMessage, ...]:
        check_sequence(messages, name="messages", hint='[{"role": "user", "content": "..."}]')
        return read_messages(messages, platform=self._platform, now=self._clock.now())

    async def _open(self) -> None:
        async with self._opening:
            if not self._is_open:
                await self._provider.__aenter__()
                self._is_open = True

    def _begin_again(
        self,
        read: Sequence[ReadMessage],
        request: ModelRequest,
        declared: DeclaredTools,
        gone: RemoteContainerGone,
    ) -> tuple[ReadMessage, ...]:
        # As programs call them, too.
        names = self._provider.name_for_programs(request)
        spelled = {names.get(name, name) for name in declared.read_only}
        start = plan_fresh_start(read, read_only=declared.read_only | spelled)
        if start.obstacle:
            raise RemoteContainerGone(
                gone.message,
                hint=f"{start.obstacle!r} was called for its programs and is not declared"
                " read_only, so they are not begun again by themselves",
                status=gone.status,
            ) from gone
        log.warning("anthropic.container_lost", extra={"model": self._provider.name})
        return self._read(start.messages)

    def _respond(
        self,
        reply: ModelReply,
        declared: DeclaredTools,
        read: Sequence[ReadMessage],
        *,
        container_was_lost: bool,
    ) -> CompletionResponse:
        prices = self._provider.prices
        response = CompletionResponse.from_reply(
            reply,
            clock=self._clock,
            cost_usd=None if prices is None else prices.cost_usd(reply.usage),
            faults=_find_faults(reply, declared),
        )
        given = (item.given for item in read)
        return replace(
            response,
            container_was_lost=container_was_lost,
            messages=(*given, response.message) if response.raw else (*given,),
        )


def _check_words(system: str, container_id: str | None) -> None:
    check_given(system, str, name="system", hint="instructions as one text")
    check_given(
        container_id,
        str | None,
        name="container_id",
        hint="the id of a response's container: response.container.id",
    )


def _find_faults(reply: ModelReply, declared: DeclaredTools) -> dict[str, str]:
    """What the vendor only steers: that calls are of tools, and from callers, that were allowed."""
    allowed = {tool.name: tool.callers for tool in declared.tools if tool != CODE_TOOL}
    faults = {}
    for call in reply.message.calls:
        if call.name not in allowed:
            faults[call.id] = f"there is no tool {call.name!r:.80}; there are: {', '.join(allowed)}"
        elif call.caller.type not in allowed[call.name]:
            words = _CALLER_WORDS[call.caller.type]
            faults[call.id] = f"the tool {call.name!r} may not be called {words}"
    return faults
