"""One script for every vendor: what a model says, in each of their wire formats."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from toolweft.config import Settings, load_settings
from toolweft.core.json import JsonObject
from toolweft.testing.vendors import anthropic, gemini, gemini_parts, openai_chat, openai_http
from toolweft.testing.vendors import anthropic_blocks as blocks
from toolweft.testing.vendors import openai_items as items
from toolweft.testing.vendors.anthropic import AnthropicServer
from toolweft.testing.vendors.gemini import GeminiServer
from toolweft.testing.vendors.openai import OpenAIServer
from toolweft.testing.vendors.openai_chat import OpenAIChatServer

__all__ = ("FORMS", "Call", "Form", "Say", "Search", "load", "serve")


@dataclass(frozen=True)
class Say:
    text: str


@dataclass(frozen=True)
class Call:
    name: str
    arguments: JsonObject
    # A search revealed it, which some vendors want to see in its call.
    is_revealed: bool = False


@dataclass(frozen=True)
class Search:
    query: str


Step: TypeAlias = Say | Call | Search


@dataclass(frozen=True)
class Form:
    """One vendor's API, as tests reach it."""

    # "vendor:model"
    name: str
    open: Callable[[list[Any]], Any]
    # A step as the model writes it there, natively or not; the number names its call.
    write: Callable[[Step, int, bool], Any]
    has_native: bool = True
    environ_key: str = "test-key"

    def __str__(self) -> str:
        return self.name.partition(":")[0]


def _anthropic(step: Step, number: int, _native: bool) -> Any:
    if isinstance(step, Say):
        return anthropic.Turn(blocks=(blocks.think("hm"), blocks.say(step.text)))
    name, arguments = _plain(step)
    block = blocks.use(name, arguments, call_id=f"toolu_{number}")
    return anthropic.Turn(blocks=(blocks.think("hm"), block))


def _openai(step: Step, number: int, native: bool) -> Any:
    call_id = f"call_{number}"
    if isinstance(step, Say):
        return openai_http.Turn(items=(items.reasoning(), items.message(step.text)))
    if isinstance(step, Search) and native:
        arguments = {"queries": [step.query]}
        return openai_http.Turn(items=(items.tool_search_call(arguments, call_id=call_id),))
    name, arguments = _plain(step)
    namespace = name if native and isinstance(step, Call) and step.is_revealed else None
    called = items.function_call(name, arguments, call_id=call_id, namespace=namespace)
    return openai_http.Turn(items=(items.reasoning(), called))


def _openai_chat(step: Step, number: int, _native: bool) -> Any:
    if isinstance(step, Say):
        return openai_http.Turn(items=(openai_chat.say(step.text),))
    name, arguments = _plain(step)
    called = openai_chat.call(name, arguments, call_id=f"call_{number}")
    return openai_http.Turn(items=(openai_chat.say(None, called),))


def _gemini(step: Step, number: int, _native: bool) -> Any:
    if isinstance(step, Say):
        return gemini.Turn(items=(gemini_parts.say_part(step.text),))
    name, arguments = _plain(step)
    return gemini.Turn(items=(gemini_parts.call_part(name, arguments, call_id=f"c{number}"),))


def _interactions(step: Step, number: int, native: bool) -> Any:
    if isinstance(step, Say):
        return gemini.Turn(items=(gemini_parts.think_step("hm"), gemini_parts.say_step(step.text)))
    if isinstance(step, Search) and native:
        arguments = {"queries": [step.query]}
        return gemini.Turn(items=(gemini_parts.search_step(arguments, call_id=f"t{number}"),))
    name, arguments = _plain(step)
    return gemini.Turn(items=(gemini_parts.call_step(name, arguments, call_id=f"f{number}"),))


def _plain(step: Call | Search) -> tuple[str, JsonObject]:
    if isinstance(step, Search):
        return "search_tools", {"queries": [step.query]}
    return step.name, step.arguments


FORMS = (
    Form("anthropic:claude-opus-5-5", AnthropicServer, _anthropic),
    Form("openai:gpt-5.6-sol", OpenAIServer, _openai),
    Form("azure:gpt-5.4", OpenAIServer, _openai),
    Form("openai_chat:local", OpenAIChatServer, _openai_chat, has_native=False),
    Form("gemini:gemini-3.8-flash", GeminiServer, _gemini, has_native=False),
    Form("gemini_interactions:gemini-3.8-flash", GeminiServer, _interactions),
)


@asynccontextmanager
async def serve(form: Form, steps: Sequence[Step], *, native: bool = False) -> AsyncIterator[Any]:
    """The vendor's server, whose model says these steps."""
    script = [form.write(step, number, native) for number, step in enumerate(steps, 1)]
    async with form.open(script) as server:
        yield server


def load(folder: Path, *served: tuple[Form, Any], more: str = "", native: str = "off") -> Settings:
    """Settings under which the forms' models are at these servers."""
    tables = [
        f'[models."{form.name}"]\nbase_url = "{server.base_url}"\nkey = "env:TEST_KEY"\n'
        for form, server in served
    ]
    file = folder / "toolweft.toml"
    text = f'[catalog]\ndefer_above_tokens = 0\n[models]\nnative = "{native}"\n'
    # Servers of Chat Completions have no native forms, nor a key for one.
    file.write_text("\n".join([text, more, *tables]), encoding="utf-8")
    return load_settings(
        config=file, environ={"TEST_KEY": "test-key"}, cwd=folder, home=folder / "home"
    )
