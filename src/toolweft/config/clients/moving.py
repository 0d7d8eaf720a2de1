"""Decides which servers of a client move behind toolweft, and why the others do not. Pure."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Literal

from pydantic import ValidationError

from toolweft.config.client_files import convert_server
from toolweft.config.clients.codex import CODEX_UNUSED, find_codex_key, from_codex
from toolweft.config.clients.secrets import clear_secrets
from toolweft.config.documents import Document, KeyPath
from toolweft.config.models import ServerModel
from toolweft.config.own_entry import own_arguments
from toolweft.config.servers import check_transport
from toolweft.core.errors import ConfigError
from toolweft.core.json import Json, JsonObject
from toolweft.core.saved import SAVED_SOURCE

__all__ = ("DECISIONS", "Choice", "Verdict", "check_name", "sort_servers")

# moved: leaves the client for toolweft. shared: leaves it too, and is there already. kept: stays.
# own: toolweft itself.
Outcome = Literal["moved", "shared", "kept", "own"]

# What is said of a server's tools, however it is reached.
DECISIONS = frozenset({"configs", "default_config"})
# Keys by which only the client itself can reach the server.
_CLIENT_ONLY: Mapping[str, str] = {
    "envFile": "its variables come from a file that only the client reads",
    "oauth": "the client signs in to it",
    "auth": "the client signs in to it",
    "authorization": "the client signs in to it",
    "oauth_resource": "the client signs in to it",
    "scopes": "the client signs in to it",
    "headersHelper": "a program of the client makes its headers",
}
_HALF = re.compile("[\ud800-\udfff]")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_USABLE = re.compile(r"(?:env:)?(?!workspaceFolder|pathSeparator)[A-Za-z_][A-Za-z0-9_]*(?::-.*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the user decided beforehand."""

    # Servers that stay.
    keep: Collection[str] = ()
    # None: not decided.
    move_secrets: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of one server."""

    name: str
    outcome: Outcome
    # Why it stays, or what is lost when it moves; may be empty.
    reason: str = ""
    # Where secrets are written out, such as `env.TOKEN`.
    secrets: tuple[str, ...] = ()
    # Whether only consent to moving these is missing.
    waits: bool = False
    # As toolweft's configuration has it.
    server: JsonObject | None = None


def sort_servers(
    document: Document, place: KeyPath, servers: JsonObject, *, there: JsonObject, choice: Choice
) -> list[Verdict]:
    """What becomes of each server, in their order.

    Args:
        document: the client's file.
        place: where the servers stand in it.
        servers: they.
        there: the servers toolweft's configuration has already.
        choice: the user's.
    """
    return [
        _sort(document, (*place, name), server, there=there, choice=choice)
        for name, server in servers.items()
    ]


def check_name(name: str, verdicts: Iterable[Verdict], *, place: str) -> None:
    """Refuse a name for toolweft that another server has and keeps.

    Args:
        name: of the entry to be made.
        verdicts: on every server of the client.
        place: of that name in the client's file.

    Raises:
        ConfigError: one has it.
    """
    taken = next((v for v in verdicts if v.name == name and v.outcome == "kept"), None)
    if taken is not None:
        raise ConfigError(
            f"{place}: a server named {name!r} is there, which is not this one and stays:"
            f" {taken.reason}",
            hint="rename or remove it, then try again",
        )


def _sort(
    document: Document, place: KeyPath, server: Json, *, there: JsonObject, choice: Choice
) -> Verdict:
    name = str(place[-1])
    if not isinstance(server, dict):
        return Verdict(
            name=name, outcome="kept", reason=f"it is {type(server).__name__}, no object"
        )
    if own_arguments(server.get("command"), server.get("args")) is not None:
        return Verdict(name=name, outcome="own")
    if name in choice.keep:
        return Verdict(name=name, outcome="kept", reason="--keep names it")
    notes: list[str] = []
    try:
        converted = _convert(document, place, server, notes)
    except _Stays as stays:
        return Verdict(name=name, outcome="kept", reason=str(stays))
    is_there = name in there and bool(there[name].keys() - DECISIONS)
    if name in there and not _fits(there[name], converted, is_there=is_there):
        reason = (
            f"toolweft's configuration has another server {name!r}; rename one of the two, or"
            f" leave this one with --keep {name}"
        )
        return Verdict(name=name, outcome="kept", reason=reason)
    secrets = tuple(clear_secrets(server))
    if not is_there and secrets and not choice.move_secrets:
        reason = f"secrets are written out in {', '.join(secrets)}; --move-secrets moves them"
        return Verdict(
            name=name,
            outcome="kept",
            reason=reason,
            secrets=secrets,
            waits=choice.move_secrets is None,
        )
    return Verdict(
        name=name,
        outcome="shared" if is_there else "moved",
        reason="; ".join(note.partition(": ")[2] for note in notes),
        secrets=secrets,
        server=converted,
    )


def _fits(there: JsonObject, server: JsonObject, *, is_there: bool) -> bool:
    """Whether what is there of that name is this server, or only decides about its tools."""
    if not is_there:
        return not server.keys() & DECISIONS
    if any(there.get(key) != server.get(key) for key in (there.keys() | server.keys()) - DECISIONS):
        return False
    return _holds(there.get("default_config", {}), server.get("default_config", {})) and all(
        _holds(there.get("configs", {}).get(tool, {}), rule)
        for tool, rule in server.get("configs", {}).items()
    )


def _holds(there: JsonObject, wanted: JsonObject) -> bool:
    return {**there, **wanted} == there


class _Stays(Exception):
    """Why a server cannot move; becomes a `Verdict`."""


def _convert(
    document: Document, place: KeyPath, server: JsonObject, notes: list[str]
) -> JsonObject:
    name = str(place[-1])
    if name == SAVED_SOURCE:
        raise _Stays(f"toolweft calls saved programs {name!r}; rename it")
    _check_movable(server)
    # JSON can write half a pair of surrogates, and no other file can.
    if _HALF.search(json.dumps([name, server], ensure_ascii=False, default=str)):
        raise _Stays("it has half a character in it, which no file of text can hold")
    try:
        common = from_codex(server) if document.is_toml else server
    except ValueError as exc:
        raise _Stays(str(exc)) from exc
    if document.is_toml:
        unused = [key for key in server if key in CODEX_UNUSED]
        notes += [f"{document.place((*place, key))}: {key!r} is not used" for key in unused]
    # A key that is null says what a missing one says, and TOML has no null.
    common = {key: value for key, value in common.items() if value is not None}
    try:
        converted = convert_server(document, place, common, notes)
        model = ServerModel.model_validate(converted)
        check_transport(name, model, place=document.place(place))
    except ConfigError as exc:
        raise _Stays(f"{exc.message.partition(': ')[2]}; {exc.hint}") from exc
    except ValidationError as exc:
        fault = exc.errors(include_url=False, include_input=False)[0]
        key, *below = map(str, fault["loc"])
        key = find_codex_key(key, server) if document.is_toml else key
        where = ".".join((key, *below))
        raise _Stays(f"{where} cannot be used: {fault['msg']}") from exc
    if not 0 < len(name) <= 200:
        raise _Stays("its name is empty or longer than 200 characters")
    return converted


def _check_movable(server: JsonObject) -> None:
    """Refuse what works in the client alone.

    Raises:
        _Stays: it does.
    """
    for key, reason in _CLIENT_ONLY.items():
        if server.get(key):
            raise _Stays(f"{reason} ({key!r})")
    if server.get("type") == "sse" or server.get("transport") == "sse":
        raise _Stays("it uses SSE, a transport that toolweft does not speak")
    for text in _all_texts(server):
        for variable in _VARIABLE.findall(text):
            if _USABLE.fullmatch(variable) is None:
                raise _Stays(f"only the client fills in ${{{variable}}}")
    cwd = server.get("cwd")
    if isinstance(cwd, str) and cwd and not _is_absolute(cwd):
        raise _Stays(f"its folder {cwd!r} counts from where the client runs; write it in full")


def _all_texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for below in value.values():
            yield from _all_texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from _all_texts(below)


def _is_absolute(path: str) -> bool:
    is_there = PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute()
    return is_there or path.startswith(("~/", "${"))
