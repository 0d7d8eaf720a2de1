"""Questions of servers as asks, and answers as servers want them. Pure; trusts neither.

A question that reaches a person seems to come from toolweft, so its text begins with the name of
the server, and with the host of an address to open.
"""

import unicodedata
from typing import Final
from urllib.parse import urlsplit

import mcp_types as types
from pydantic import BaseModel, ValidationError

from toolweft.core.asks import asks_for_tools
from toolweft.core.client import Ask, AskKind
from toolweft.core.errors import AskRefused
from toolweft.core.forms import find_form_faults
from toolweft.core.ids import SourceName
from toolweft.core.json import Json, JsonObject
from toolweft.sources.mcp.faults import render_exception

__all__ = ("ASK_KINDS", "build_ask", "check_answer", "clean_meta", "read_answer")

# By the protocol's methods.
ASK_KINDS: Final[dict[str, AskKind]] = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}
# What belongs to one hop.
_OWN_PREFIX: Final = "io.modelcontextprotocol/"
_OWN_KEYS: Final = frozenset({"progressToken", "progress_token"})
_MAX_MESSAGE_CHARACTERS: Final = 16 * 1024
# Cc control, Cf format (bidi marks, zero width), Cs lone surrogates, Co private use: with them a
# text could hide whose it is.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co"})


def build_ask(
    kind: AskKind, params: JsonObject, *, source: SourceName, about: str, is_labelled: bool
) -> Ask:
    """The question as its client is asked it.

    Args:
        kind: which of the protocol's three.
        params: as the server sent them.
        source: the server.
        about: the tool, prompt or resource.
        is_labelled: whether texts begin with the source; False leaves them alone.

    Raises:
        AskRefused: it wants an address opened that nobody should open.
    """
    # Tasks are not passed on.
    kept = {key: value for key, value in params.items() if key not in {"task", "_meta"}}
    meta = clean_meta(params.get("_meta"))
    if meta:
        kept["_meta"] = meta
    if kind == "elicitation":
        host = _read_host(kept.get("url"), source) if kept.get("mode") == "url" else ""
        if is_labelled:
            kept["message"] = _label(kept.get("message"), source=source, host=host)
    return Ask(kind=kind, source=source, about=about, params=kept)


def check_answer(ask: Ask, answer: JsonObject) -> JsonObject:
    """The answer as the server may have it.

    Raises:
        AskRefused: it is no answer to this, or does not fit the form.
    """
    checked = {key: value for key, value in answer.items() if key != "_meta"}
    meta = clean_meta(answer.get("_meta"))
    if meta:
        checked["_meta"] = meta
    if ask.kind == "elicitation":
        checked = _check_filled(ask, checked)
    read_answer(ask, checked)
    return checked


def read_answer(ask: Ask, answer: JsonObject) -> BaseModel:
    """The answer as the SDK takes it.

    Raises:
        AskRefused: it is no answer to this.
    """
    try:
        return _answer_type(ask).model_validate(answer, by_name=False)
    except ValidationError as exc:
        raise AskRefused(
            f"the answer to {ask.source!r} cannot be used: {render_exception(exc)}",
            hint=f"answer as the protocol's {ask.kind} wants it",
        ) from exc


def clean_meta(meta: Json) -> JsonObject:
    """What of `_meta` is meant for the far end, as the trace context is."""
    if not isinstance(meta, dict):
        return {}
    return {
        key: value
        for key, value in meta.items()
        if key not in _OWN_KEYS and not key.startswith(_OWN_PREFIX)
    }


def _check_filled(ask: Ask, answer: JsonObject) -> JsonObject:
    is_form = ask.params.get("mode") != "url"
    if answer.get("action") != "accept" or not is_form:
        return {key: value for key, value in answer.items() if key != "content"}
    content = answer.get("content")
    content = {} if content is None else content
    schema = ask.params.get("requestedSchema")
    if not isinstance(content, dict) or not isinstance(schema, dict):
        raise AskRefused(f"the answer to {ask.source!r} is no filled-in form")
    faults = find_form_faults(content, schema)
    if faults:
        raise AskRefused(
            f"the answer to {ask.source!r} does not fit its form: {'; '.join(faults)}",
            hint="call again and fill in what the form asks for",
        )
    return {**answer, "content": content}


def _answer_type(ask: Ask) -> type[BaseModel]:
    if ask.kind == "sampling":
        wants_tools = asks_for_tools(ask.params)
        return types.CreateMessageResultWithTools if wants_tools else types.CreateMessageResult
    return types.ListRootsResult if ask.kind == "roots" else types.ElicitResult


def _read_host(url: Json, source: SourceName) -> str:
    """Where an address leads, in ASCII so that no letter passes for another.

    Raises:
        AskRefused: it is no http(s) address.
    """
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except ValueError:
        parts, host = None, ""
    if parts is None or parts.scheme not in {"http", "https"} or not host:
        raise AskRefused(
            f"{source!r} asks to open an address that is not http:// or https://",
            hint="only whoever runs that server can change this",
        )
    return host


def _label(message: Json, *, source: SourceName, host: str) -> str:
    text = "".join(
        character
        for character in str(message or "")[:_MAX_MESSAGE_CHARACTERS]
        if character in "\n\t" or unicodedata.category(character) not in _HIDDEN
    )
    return f"{source} asks to open {host}: {text}" if host else f"{source} asks: {text}"
