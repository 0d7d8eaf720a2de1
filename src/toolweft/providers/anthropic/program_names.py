"""Names of tools as programs at the vendor can call them. Pure.

There every tool is a Python function of the tool's name, so that "crm-find" could never be called:
Python reads a difference. Tools that programs may call go out under a name that Python takes,
"crm_find", and come back under their own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from itertools import chain
from keyword import iskeyword
from typing import Final

from toolweft.core.messages import (
    AssistantMessage,
    Message,
    ModelCall,
    ModelReply,
    ModelRequest,
    ModelTool,
    ResultsMessage,
    ToolsMessage,
)
from toolweft.core.names import python_name
from toolweft.providers.anthropic.target import Target

__all__ = ("name_for_programs", "spell_back", "spell_messages")

# With its hash a name stays below what every model takes.
_KEPT_CHARACTERS: Final = 54
_DIGEST_DIGITS: Final = 8


def name_for_programs(request: ModelRequest, target: Target) -> dict[str, str]:
    """Names of the request's tools -> what they are called there; those that differ.

    Which they are depends on the tools and their order alone: what was told once stays.
    """
    if target.capabilities.programs != "python":
        return {}
    later = (message.tools for message in request.messages if isinstance(message, ToolsMessage))
    return _spell(request.tools, chain.from_iterable(later))


def spell_messages(messages: Iterable[Message], names: Mapping[str, str]) -> tuple[Message, ...]:
    """The history under these names; what goes back as it came has them already."""
    return tuple(_spell_message(message, names) for message in messages)


def spell_back(reply: ModelReply, names: Mapping[str, str]) -> ModelReply:
    """The reply with its calls under the tools' own names; its raw items stay."""
    own = {wire: name for name, wire in names.items()}
    calls = _spell_calls(reply.message.calls, own)
    return replace(reply, message=replace(reply.message, calls=calls))


def _spell(told: Iterable[ModelTool], later: Iterable[ModelTool]) -> dict[str, str]:
    at_start = tuple(told)
    kept = frozenset(tool.name for tool in at_start if not _is_renamed(tool))
    taken = set(kept)
    given: dict[str, str] = {}
    for tool in chain(at_start, later):
        name = tool.name
        if name in given or name in kept:
            continue
        wire = python_name(name) if _is_renamed(tool) else name
        if wire in taken:
            digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_DIGITS]
            wire = f"{wire[:_KEPT_CHARACTERS]}_{digest}"
        taken.add(wire)
        given[name] = wire
    return {name: wire for name, wire in given.items() if wire != name}


def _is_renamed(tool: ModelTool) -> bool:
    is_function = tool.name.isidentifier() and not iskeyword(tool.name)
    return "programmatic" in tool.callers and not is_function


def _spell_message(message: Message, names: Mapping[str, str]) -> Message:
    match message:
        case AssistantMessage() if message.calls:
            return replace(message, calls=_spell_calls(message.calls, names))
        case ResultsMessage():
            results = (
                replace(result, revealed=tuple(names.get(name, name) for name in result.revealed))
                if result.revealed
                else result
                for result in message.results
            )
            return replace(message, results=tuple(results))
        case ToolsMessage():
            tools = (replace(t, name=names.get(t.name, t.name)) for t in message.tools)
            return replace(message, tools=tuple(tools))
        case _:
            return message


def _spell_calls(calls: Iterable[ModelCall], names: Mapping[str, str]) -> tuple[ModelCall, ...]:
    return tuple(replace(call, name=names.get(call.name, call.name)) for call in calls)
