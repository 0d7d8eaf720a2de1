"""Arguments of a tool to one HTTP request. Pure.

Arguments are valid against the operation's schema; what a schema cannot say is checked here.
"""

import base64
import binascii
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from toolweft.core.errors import InvalidArguments
from toolweft.core.json import Json, JsonObject
from toolweft.sources.openapi.model import Body, Field, Operation, Parameter
from toolweft.sources.openapi.styles import (
    check_header_text,
    encode_header,
    encode_pairs,
    encode_path,
    plain_text,
)

__all__ = ("HttpRequest", "Part", "build_request", "compact_json")

_VARIABLE = re.compile(r"\{([^{}]+)\}")
_BINARY = "application/octet-stream"
_DOTS = frozenset({".", ".."})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a multipart body."""

    name: str
    content: bytes
    media_type: str = ""
    # None for a plain field.
    filename: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request, without credentials."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    # "name=value", encoded.
    cookies: tuple[str, ...] = ()
    content: bytes | None = None
    # In place of `content`.
    parts: tuple[Part, ...] = ()


def build_request(operation: Operation, arguments: JsonObject, *, base_url: str) -> HttpRequest:
    """The request that calls an operation.

    Raises:
        InvalidArguments: a value that cannot be sent in its place.
    """
    values = {p: arguments[p.argument] for p in operation.parameters if p.argument in arguments}
    query: list[tuple[str, str]] = []
    headers: list[tuple[str, str]] = [("accept", "application/json, */*;q=0.8")]
    cookies: list[tuple[str, str]] = []
    for parameter, value in values.items():
        if parameter.place == "header" and value is not None:
            headers.append((parameter.name, _header_text(parameter, value)))
        elif parameter.place == "query":
            query += _pairs(parameter, value)
        elif parameter.place == "cookie":
            cookies += _pairs(parameter, value)
    path = _fill_path(operation, values)
    content: bytes | None = None
    parts: Sequence[Part] = ()
    if operation.body is not None:
        content, parts = _build_body(operation.body, arguments)
        if content is not None:
            headers.append(("content-type", operation.body.media_type))
    url = f"{base_url.rstrip('/')}{path}"
    if query:
        url += "?" + "&".join(f"{key}={value}" for key, value in query)
    return HttpRequest(
        method=operation.method,
        url=url,
        headers=tuple(headers),
        cookies=tuple(f"{key}={value}" for key, value in cookies),
        content=content,
        parts=tuple(parts),
    )


def compact_json(value: Json) -> str:
    """A value as JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _header_text(parameter: Parameter, value: Json) -> str:
    text = (
        json.dumps(value) if parameter.is_json else encode_header(value, explode=parameter.explode)
    )
    return check_header_text(text, argument=parameter.argument)


def _pairs(parameter: Parameter, value: Json) -> list[tuple[str, str]]:
    if parameter.is_json:
        value = None if value is None else compact_json(value)
    return encode_pairs(
        parameter.name,
        value,
        style=parameter.style,
        explode=parameter.explode,
        allow_reserved=parameter.allow_reserved,
    )


def _fill_path(operation: Operation, values: dict[Parameter, Json]) -> str:
    given = {p.name: (p, value) for p, value in values.items() if p.place == "path"}

    def fill(match: re.Match[str]) -> str:
        parameter, value = given[match[1]]
        if parameter.is_json:
            value = compact_json(value)
        text = encode_path(parameter.name, value, style=parameter.style, explode=parameter.explode)
        # A shorter path is another operation.
        if value is None or value in ("", [], {}) or not text:
            raise InvalidArguments(
                f"$.{parameter.argument} is part of the address and is {value!r}",
                hint="give it a value",
            )
        return text

    missing = [name for name in _VARIABLE.findall(operation.path) if name not in given]
    if missing:
        raise InvalidArguments(
            f"the address {operation.path!r} needs {', '.join(missing)}", hint="give them all"
        )
    path = _VARIABLE.sub(fill, operation.path)
    if _DOTS.intersection(path.split("/")) - _DOTS.intersection(operation.path.split("/")):
        raise InvalidArguments(
            f"the address would become {path[:200]!r}, which names another place",
            hint="'.' and '..' cannot be a part of an address by themselves",
        )
    return path


def _build_body(body: Body, arguments: JsonObject) -> tuple[bytes | None, Sequence[Part]]:
    if body.argument:
        if body.argument not in arguments:
            return None, ()
        value = arguments[body.argument]
        if body.kind == "bytes":
            return _decode(value, place=body.argument), ()
        if body.kind == "text":
            return plain_text(value).encode("utf-8", "replace"), ()
        if body.kind == "json":
            return _json_bytes(value), ()
        value = value if isinstance(value, dict) else {"": value}
        fields = [Field(name=name, argument=body.argument) for name in value]
        given = list(zip(fields, value.values(), strict=True))
    else:
        given = [(f, arguments[f.argument]) for f in body.fields if f.argument in arguments]
        if not given and not body.is_required:
            return None, ()
    if body.kind == "json":
        return _json_bytes({field.name: value for field, value in given}), ()
    if body.kind == "form":
        pairs = [pair for field, value in given for pair in _form_pairs(field, value)]
        return "&".join(f"{key}={value}" for key, value in pairs).encode(), ()
    return None, [part for field, value in given for part in _build_parts(field, value)]


def _json_bytes(value: Json) -> bytes:
    return compact_json(value).encode("utf-8", "replace")


def _form_pairs(field: Field, value: Json) -> list[tuple[str, str]]:
    if field.media_type.endswith("json"):
        value = compact_json(value)
    return encode_pairs(field.name, value, style=field.style, explode=field.explode)


def _build_parts(field: Field, value: Json) -> list[Part]:
    if isinstance(value, list) and not field.media_type.endswith("json"):
        return [part for item in value for part in _build_parts(field, item)]
    if value is None:
        return []
    if field.is_binary:
        return [_file_part(field, value)]
    media_type = field.media_type or ("application/json" if isinstance(value, dict) else "")
    text = compact_json(value) if media_type.endswith("json") else plain_text(value)
    return [Part(name=field.name, content=text.encode("utf-8", "replace"), media_type=media_type)]


def _file_part(field: Field, value: Json) -> Part:
    described = value if isinstance(value, dict) else {"content": value}
    filename = str(described.get("filename") or field.name)
    media_type = str(described.get("media_type") or field.media_type or _BINARY)
    for text in (filename, media_type):
        if not text.isprintable():
            raise InvalidArguments(
                f"$.{field.argument} names its file {text[:80]!r}, which no header can carry",
                hint="use printable characters only",
            )
    check_header_text(media_type, argument=field.argument)
    return Part(
        name=field.name,
        content=_decode(described.get("content"), place=field.argument),
        media_type=media_type,
        filename=filename,
    )


def _decode(value: Json, *, place: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise InvalidArguments(
            f"$.{place} is not base64: {error}",
            hint="in a program: base64.b64encode(data).decode()",
        ) from error
