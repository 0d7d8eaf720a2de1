"""What of a conversation can be begun again when its container at the vendor is gone. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from toolweft.core.calls import TextContent
from toolweft.core.json import JsonObject
from toolweft.core.messages import AssistantMessage, UserMessage
from toolweft.core.programs import CONTAINER_LOST
from toolweft.providers.anthropic.responses import Said
from toolweft.providers.anthropic.said import ReadMessage
from toolweft.providers.anthropic.target import API

__all__ = ("FreshStart", "plan_fresh_start")


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshStart:
    """How to ask again without the container, or why not."""

    # To be read and sent in place of those before; empty where `obstacle` speaks against it.
    messages: tuple[Said, ...] = ()
    # The tool whose calls cannot be made twice.
    obstacle: str = ""


def plan_fresh_start(read: Sequence[ReadMessage], *, read_only: frozenset[str]) -> FreshStart:
    """The conversation without what the lost container still had to do.

    A program that waits is dropped with everything since it began, but for what the user said: the
    model writes it again, and its calls are made again. So nothing is begun again after a call, of
    any program or since that one began, of a tool that changes something.

    Args:
        read: the conversation so far.
        read_only: names of tools that change nothing.
    """
    start = _find_open_program(read)
    for number, item in enumerate(read):
        for message in _list_answers(item):
            for call in message.calls:
                ran_there = _is_own(message) and call.caller.type == "programmatic"
                if (ran_there or number >= start) and call.name not in read_only:
                    return FreshStart(obstacle=call.name)
    kept = [item.given for item in read[:start]]
    said = [said for item in read[start:] for said in _keep_said(item)]
    return FreshStart(messages=(*kept, *said, UserMessage(content=(TextContent(CONTAINER_LOST),))))


def _find_open_program(read: Sequence[ReadMessage]) -> int:
    """Where the first program began that has not ended; past the end where all have."""
    ended = {block.get("tool_use_id") for item in read for block in _list_blocks(item)}
    for number, item in enumerate(read):
        programs = {
            block.get("id")
            for block in _list_blocks(item)
            if block.get("type") == "server_tool_use"
        }
        # One that began before the conversation as it is told here.
        programs |= {
            call.caller.program_id
            for message in _list_answers(item)
            if _is_own(message)
            for call in message.calls
            if call.caller.type == "programmatic"
        }
        if programs - ended:
            return number
    return len(read)


def _list_answers(item: ReadMessage) -> list[AssistantMessage]:
    return [message for message in item.messages if isinstance(message, AssistantMessage)]


def _list_blocks(item: ReadMessage) -> Iterator[JsonObject]:
    for message in _list_answers(item):
        if message.raw is not None and _is_own(message):
            yield from message.raw.items


def _is_own(message: AssistantMessage) -> bool:
    """Whether it is the vendor's: programs of others ran elsewhere."""
    return message.raw is not None and message.raw.api == API


def _keep_said(item: ReadMessage) -> list[Said]:
    return [message for message in item.messages if isinstance(message, UserMessage)]
