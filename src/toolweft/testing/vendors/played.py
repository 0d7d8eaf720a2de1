"""One model for every vendor: a turn is decided once, and said in each vendor's wire words.

    async with VENDOR_FORMS["openai"].open(play) as server: ...

where `play` gets what the conversation's calls were answered with so far, by the calls' ids, and
decides what the model says next. A program at the vendor is played too: nothing runs there, the
turn says which calls it makes and what it printed.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from toolweft.core.json import Json, JsonObject
from toolweft.core.models import Native
from toolweft.testing.vendors import (
    anthropic,
    anthropic_blocks,
    gemini,
    gemini_parts,
    openai_chat,
    openai_http,
    openai_items,
)
from toolweft.testing.vendors.anthropic import AnthropicServer
from toolweft.testing.vendors.gemini import GeminiServer
from toolweft.testing.vendors.openai import OpenAIServer
from toolweft.testing.vendors.openai_chat import OpenAIChatServer
from toolweft.testing.vendors.scripts import VendorServer

__all__ = ("VENDOR_FORMS", "Play", "Said", "SaidCall", "VendorForm")

# What long conversations need, which are played whatever a model's own bound is.
_CONTEXT_TOKENS: Final = 1_000_000

_Search = Literal["tool", "item"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidCall:
    """A call that a model makes."""

    # Of letters, digits and "_"; what the vendor puts before its ids comes by itself.
    id: str
    name: str
    arguments: JsonObject
    # A search took this tool out of hiding, which some vendors say again in the call.
    is_revealed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One turn of a model."""

    text: str = ""
    calls: tuple[SaidCall, ...] = ()
    # The program at the vendor that makes the calls, or that ends here.
    program: str | None = None
    # Where it begins with this turn.
    code: str | None = None
    # Where it ends with this turn: what it printed.
    printed: str | None = None


# Answers so far, by the ids of their calls, to the model's next turn.
Play: TypeAlias = Callable[[Mapping[str, str]], Said]


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorForm:
    """One vendor's API, as the agent names it and as its server speaks."""

    # As users write it, the vendor first.
    name: str
    build: Callable[[Callable[[JsonObject], Any]], VendorServer[Any, Any, Any]]
    write: Callable[[Said, _Search], Any]
    read: Callable[[JsonObject], Iterable[tuple[str, Json]]]
    # How a search goes out where hidden tools are known to the vendor; None: they are not.
    search: _Search | None = None
    has_programs: bool = False

    def open(self, play: Play, *, native: Native = "off") -> VendorServer[Any, Any, Any]:
        """The vendor's server whose model is played, to be entered.

        Args:
            play: decides each turn.
            native: "on" where the model uses the vendor's own form of search.
        """
        form = self.search if native == "on" and self.search is not None else "tool"

        def answer(body: JsonObject) -> Any:
            seen = {_strip(call_id): _as_text(value) for call_id, value in self.read(body)}
            return self.write(play(seen), form)

        return self.build(answer)


def _strip(call_id: str) -> str:
    return call_id.removeprefix("toolu_").removeprefix("call_")


def _as_text(value: Json) -> str:
    """An answer in words; definitions that a search brought, and all else, as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(p, dict) and "text" in p for p in value):
        return "\n".join(piece["text"] for piece in value)
    return json.dumps(value, ensure_ascii=False)


# ------------------------------------------------------------------------------------- anthropic


def _write_anthropic(said: Said, _search: _Search) -> anthropic.Turn:
    program = None if said.program is None else f"srvtoolu_{said.program}"
    content: list[JsonObject] = []
    if program is not None and said.printed is not None:
        content.append(anthropic_blocks.code_result(said.printed, program=program))
    if said.text:
        content.append(anthropic_blocks.say(said.text))
    if program is not None and said.code is not None:
        content.append(anthropic_blocks.code(said.code, program=program))
    content += [
        anthropic_blocks.use(c.name, c.arguments, call_id=f"toolu_{c.id}", program=program)
        for c in said.calls
    ]
    return anthropic.Turn(blocks=tuple(content))


def _read_anthropic(body: JsonObject) -> Iterator[tuple[str, Json]]:
    for message in body["messages"]:
        for block in message["content"]:
            if isinstance(block, dict) and block["type"] == "tool_result":
                yield block["tool_use_id"], block["content"]


# ---------------------------------------------------------------------------------------- openai


def _write_openai(said: Said, search: _Search) -> openai_http.Turn:
    program = None if said.program is None else f"prog_{said.program}"
    output: list[JsonObject] = [] if program else [openai_items.reasoning()]
    if program is not None and said.printed is not None:
        output.append(openai_items.program_output(said.printed, call_id=program))
    if said.text:
        output.append(openai_items.message(said.text))
    if program is not None and said.code is not None:
        output.append(openai_items.program(said.code, call_id=program))
    for call in said.calls:
        call_id = f"call_{call.id}"
        if search == "item" and call.name == "search_tools":
            output.append(openai_items.tool_search_call(call.arguments, call_id=call_id))
            continue
        output.append(
            openai_items.function_call(
                call.name,
                call.arguments,
                call_id=call_id,
                namespace=call.name if call.is_revealed else None,
                program=program,
            )
        )
    return openai_http.Turn(items=tuple(output))


def _read_openai(body: JsonObject) -> Iterator[tuple[str, Json]]:
    for item in body["input"]:
        if item.get("type") in {"function_call_output", "tool_search_output"}:
            yield item["call_id"], item.get("output", item.get("tools"))


def _write_chat(said: Said, _search: _Search) -> openai_http.Turn:
    calls = [openai_chat.call(c.name, c.arguments, call_id=f"call_{c.id}") for c in said.calls]
    return openai_http.Turn(items=(openai_chat.say(said.text or None, *calls),))


def _read_chat(body: JsonObject) -> Iterator[tuple[str, Json]]:
    for message in body["messages"]:
        if message["role"] == "tool":
            yield message["tool_call_id"], message["content"]


# ---------------------------------------------------------------------------------------- gemini


def _write_gemini(said: Said, _search: _Search) -> gemini.Turn:
    words = [gemini_parts.say_part(said.text)] if said.text else []
    calls = [gemini_parts.call_part(c.name, c.arguments, call_id=c.id) for c in said.calls]
    return gemini.Turn(items=(*words, *calls))


def _read_gemini(body: JsonObject) -> Iterator[tuple[str, Json]]:
    for content in body["contents"]:
        for part in content["parts"]:
            if "functionResponse" in part:
                response = part["functionResponse"]
                told = response["response"]
                yield response["id"], told.get("output", told.get("error"))


def _write_interactions(said: Said, search: _Search) -> gemini.Turn:
    steps = [gemini_parts.say_step(said.text)] if said.text else []
    for call in said.calls:
        if search == "item" and call.name == "search_tools":
            steps.append(gemini_parts.search_step(call.arguments, call_id=call.id))
        else:
            steps.append(gemini_parts.call_step(call.name, call.arguments, call_id=call.id))
    return gemini.Turn(items=tuple(steps))


def _read_interactions(body: JsonObject) -> Iterator[tuple[str, Json]]:
    for step in body["input"]:
        if step.get("type") in {"function_result", "tool_search_result"}:
            yield step["call_id"], step["result"]


# ----------------------------------------------------------------------------------------- forms


def _anthropic_server(script: Callable[[JsonObject], Any]) -> AnthropicServer:
    return AnthropicServer(script, context_tokens=_CONTEXT_TOKENS)


def _chat_server(script: Callable[[JsonObject], Any]) -> OpenAIChatServer:
    return OpenAIChatServer(script, context_tokens=_CONTEXT_TOKENS)


# By vendor. Azure is OpenAI's client at another address, with what its table of models allows.
VENDOR_FORMS: Final[Mapping[str, VendorForm]] = MappingProxyType(
    {
        form.name.partition(":")[0]: form
        for form in (
            VendorForm(
                name="anthropic:claude-opus-5-5",
                build=_anthropic_server,
                write=_write_anthropic,
                read=_read_anthropic,
                search="tool",
                has_programs=True,
            ),
            VendorForm(
                name="openai:gpt-5.6-sol",
                build=OpenAIServer,
                write=_write_openai,
                read=_read_openai,
                search="item",
                has_programs=True,
            ),
            VendorForm(
                name="azure:gpt-5.4",
                build=OpenAIServer,
                write=_write_openai,
                read=_read_openai,
                search="item",
            ),
            VendorForm(
                name="openai_chat:local",
                build=_chat_server,
                write=_write_chat,
                read=_read_chat,
            ),
            VendorForm(
                name="gemini:gemini-3.8-flash",
                build=GeminiServer,
                write=_write_gemini,
                read=_read_gemini,
            ),
            VendorForm(
                name="gemini_interactions:gemini-3.8-flash",
                build=GeminiServer,
                write=_write_interactions,
                read=_read_interactions,
                search="item",
            ),
        )
    }
)
