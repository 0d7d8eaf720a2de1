"""A run as text and back: one JSON object a line. Pure.

The first line is the run as it began, one line follows for each call, the last is how it ended.
Results are JSON already, made by the host, and are taken over as they are: parsing one of several
mebibytes would hold the interpreter. What a guest sent is written anew before it enters a line.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from types import NoneType
from typing import Final

from toolweft.core.calls import Failure
from toolweft.core.ids import ContainerId, QualifiedName, RunId
from toolweft.core.journal import JournalCall, JournalRun
from toolweft.core.json import Json, JsonObject, decode_json
from toolweft.core.ports import GuestBlob, GuestNames, GuestReply
from toolweft.core.principals import Principal
from toolweft.core.programs import ProgramError, ProgramLimits
from toolweft.core.tools import SEVERITIES

__all__ = ("parse_run", "render_run")

_FORMAT: Final = 1
_to_text: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
# Parsed and written anew, so that they can be read, in a fraction of a millisecond.
_MAX_PARSED_BYTES: Final = 16 * 1024


def render_run(run: JournalRun) -> Iterator[bytes]:
    """The lines of a run, each with its end."""
    yield _line(
        {
            "journal": _FORMAT,
            "run_id": run.run_id,
            "tenant": run.principal.tenant,
            "user": run.principal.user,
            "at": run.at.isoformat(),
            "code": run.code,
            "names": asdict(run.names),
            "limits": asdict(run.limits),
            "backend": run.backend,
            "language": run.language,
            "environment": run.environment,
            "container_id": run.container_id,
            "is_fresh": run.is_fresh,
        }
    )
    for call in run.calls:
        yield from _render_call(call)
    yield _line(
        {
            "status": run.status,
            "limit": run.limit,
            "stdout": run.stdout,
            "value": _text(run.value),
            "value_is_repr": run.value_is_repr,
            "error": None if run.error is None else asdict(run.error),
            "wall_s": round(run.wall_s, 6),
            "withheld": run.withheld,
        }
    )


def parse_run(data: bytes) -> JournalRun:
    """The run that these lines are.

    Raises:
        ValueError, KeyError, TypeError: they are none.
    """
    try:
        first, *calls, last = [json.loads(line) for line in data.split(b"\n") if line]
        _check(first, code=str, language=str, backend=str, container_id=str)
        _check(last, status=str, stdout=str, value=str, wall_s=(int, float), withheld=str)
        return _parse(first, calls, last)
    except (AttributeError, RecursionError) as exc:
        raise ValueError(str(exc)) from None


def _check(fields: JsonObject, **kinds: type | tuple[type, ...]) -> None:
    for name, kind in kinds.items():
        if not isinstance(fields[name], kind):
            raise TypeError(f"{name} is {fields[name]!r:.40}")


def _parse(first: JsonObject, calls: Sequence[JsonObject], last: JsonObject) -> JournalRun:
    if first["journal"] != _FORMAT:
        raise ValueError(f"format {first['journal']!r} where {_FORMAT} is known")
    names = first["names"]
    return JournalRun(
        run_id=RunId(first["run_id"]),
        principal=Principal(first["tenant"], first["user"]),
        at=datetime.fromisoformat(first["at"]),
        code=first["code"],
        names=GuestNames(
            namespaces=tuple(names["namespaces"]),
            functions=tuple(names["functions"]),
            has_handles=names["has_handles"],
            has_workers=names["has_workers"],
            positional={name: tuple(listed) for name, listed in names["positional"].items()},
        ),
        limits=ProgramLimits(**first["limits"]),
        backend=first["backend"],
        language=first["language"],
        environment=first["environment"],
        container_id=ContainerId(first["container_id"]),
        is_fresh=first["is_fresh"],
        status=last["status"],
        limit=last["limit"],
        stdout=last["stdout"],
        value=last["value"].encode("utf-8", "replace"),
        value_is_repr=last["value_is_repr"],
        error=None if last["error"] is None else ProgramError(**last["error"]),
        wall_s=last["wall_s"],
        calls=_parse_calls(calls),
        withheld=last["withheld"],
    )


def _render_call(call: JournalCall) -> Iterator[bytes]:
    fields: JsonObject = {
        "call": call.index,
        "name": call.name,
        "line": call.line,
        "tool": call.tool,
        "severity": call.severity,
        "delivered": call.delivered,
    }
    result = b""
    reply = call.reply
    if reply is not None and reply.failure is not None:
        fields["failure"] = asdict(reply.failure)
    elif reply is not None and reply.handle is not None:
        fields["handle"] = reply.handle
    elif reply is not None:
        if reply.blobs:
            fields["blobs"] = [_blob_fields(blob) for blob in reply.blobs]
        result = reply.payload
    line = _encode(fields)[:-1] + b"," + _render_arguments(call.arguments)
    if not result:
        yield line + b"}\n"
    elif b"\n" in result:
        yield line + b',"result_text":' + _encode(_text(result)) + b"}\n"
    else:
        yield line + b',"result":'
        yield result
        yield b"}\n"


def _render_arguments(arguments: bytes) -> bytes:
    """The field that holds them: written anew, or as text where they are none or too deep."""
    text = _text(arguments)
    if len(arguments) <= _MAX_PARSED_BYTES:
        with suppress(ValueError, RecursionError):
            return b'"arguments":' + _encode(decode_json(text))
    return b'"arguments_text":' + _encode(text)


def _parse_calls(lines: Sequence[JsonObject]) -> tuple[JournalCall, ...]:
    for fields in lines:
        _check(fields, call=int, name=str, line=(int, NoneType), delivered=(int, NoneType))
        if fields["severity"] not in (None, *SEVERITIES):
            raise ValueError(f"severity is {fields['severity']!r:.40}")
    return tuple(
        JournalCall(
            index=fields["call"],
            name=fields["name"],
            arguments=_arguments(fields),
            line=fields["line"],
            tool=None if fields["tool"] is None else QualifiedName(fields["tool"]),
            severity=fields["severity"],
            reply=_reply(fields),
            delivered=fields["delivered"],
        )
        for fields in lines
    )


def _arguments(fields: JsonObject) -> bytes:
    if "arguments_text" in fields:
        return str(fields["arguments_text"]).encode("utf-8", "replace")
    return _encode(fields["arguments"])


def _reply(fields: JsonObject) -> GuestReply | None:
    if "failure" in fields:
        return GuestReply(failure=Failure(**fields["failure"]))
    if "handle" in fields:
        return GuestReply(handle=fields["handle"])
    if "result" in fields or "result_text" in fields:
        blobs = tuple(
            GuestBlob(
                position=blob["position"],
                media_type=blob["media_type"],
                data=base64.b64decode(blob["base64"], validate=True),
            )
            for blob in fields.get("blobs", ())
        )
        if "result_text" in fields:
            return GuestReply(payload=fields["result_text"].encode(), blobs=blobs)
        return GuestReply(payload=_encode(fields["result"]), blobs=blobs)
    return None


def _blob_fields(blob: GuestBlob) -> JsonObject:
    return {
        "position": blob.position,
        "media_type": blob.media_type,
        "base64": base64.b64encode(blob.data).decode(),
    }


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _line(fields: JsonObject) -> bytes:
    return _encode(fields) + b"\n"


def _encode(value: Json) -> bytes:
    return _to_text(value).encode("utf-8", "replace")
