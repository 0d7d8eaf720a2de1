"""How OpenAPI writes a value into a path, query, header or cookie. Pure.

Source: OpenAPI 3.1, "Style Values" and "Appendix C", which point to RFC 6570. What they leave open
is decided here: deeper values are JSON, and `deepObject` goes on in brackets, lists by position.
"""

import json
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias
from urllib.parse import quote

from toolweft.core.errors import InvalidArguments
from toolweft.core.json import Json

__all__ = (
    "STYLES",
    "Place",
    "Style",
    "check_header_text",
    "encode_header",
    "encode_pairs",
    "encode_path",
    "plain_text",
)

Place: TypeAlias = Literal["path", "query", "header", "cookie"]
Style: TypeAlias = Literal[
    "matrix", "label", "simple", "form", "spaceDelimited", "pipeDelimited", "deepObject"
]
# Which may stand where; the first is the default.
STYLES: dict[Place, tuple[Style, ...]] = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form",),
}
# Reserved characters that may stand for themselves in a value. Not `#[]`, which no query can hold,
# nor `&` and `;`, which begin another parameter or cookie, nor `+`, which is read as a space.
# Source: OpenAPI 3.1.1, "allowReserved"; RFC 3986, 3.4.
_RESERVED = ":/?@!$'()*,="
_DELIMITERS: dict[Style, str] = {"form": ",", "spaceDelimited": "%20", "pipeDelimited": "%7C"}

_Escape: TypeAlias = Callable[[str], str]


def plain_text(value: Json) -> str:
    """One value as text: texts as they are, everything else as JSON writes it."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def encode_path(name: str, value: Json, *, style: Style, explode: bool) -> str:
    """The text in place of `{name}`, percent-encoded."""
    if style == "simple":
        return _join_simple(value, explode=explode, escape=_escape)
    if style == "label":
        return "." + _join_simple(value, explode=explode, escape=_escape, between=".")
    key = _escape(name)
    if isinstance(value, list) and explode:
        return "".join(f";{key}={_escape(plain_text(item))}" for item in value)
    if isinstance(value, dict) and explode:
        return "".join(f";{_escape(k)}={_escape(plain_text(v))}" for k, v in value.items())
    return f";{key}={_join_simple(value, explode=False, escape=_escape)}"


def encode_header(value: Json, *, explode: bool) -> str:
    """The value of a header; nothing is escaped there."""
    return _join_simple(value, explode=explode, escape=str)


def encode_pairs(
    name: str, value: Json, *, style: Style, explode: bool, allow_reserved: bool = False
) -> list[tuple[str, str]]:
    """Names and values for a query, a form or a cookie, percent-encoded.

    A missing value (null) and an empty list or object give none.
    """

    def escape(text: str) -> str:
        return _escape(text, safe=_RESERVED if allow_reserved else "")

    key = _escape(name)
    if value is None:
        return []
    if style == "deepObject" and isinstance(value, dict | list):
        return [(path, escape(text)) for path, text in _walk(key, value)]
    if isinstance(value, list):
        texts = [escape(plain_text(item)) for item in value]
        if explode:
            return [(key, text) for text in texts]
        return [(key, _DELIMITERS.get(style, ",").join(texts))] if texts else []
    if isinstance(value, dict):
        members = [(_escape(k), escape(plain_text(v))) for k, v in value.items()]
        if explode:
            return members
        flat = [part for member in members for part in member]
        return [(key, _DELIMITERS.get(style, ",").join(flat))] if flat else []
    return [(key, escape(plain_text(value)))]


def check_header_text(text: str, *, argument: str) -> str:
    """The text, if a header can carry it.

    Raises:
        InvalidArguments: a line break or anything else that would end or garble the header.
    """
    if text.isascii() and text.isprintable():
        return text
    raise InvalidArguments(
        f"$.{argument} becomes a header, and {text[:80]!r} holds characters no header can carry",
        hint="send printable ASCII, without line breaks",
    )


def _escape(text: str, *, safe: str = "") -> str:
    return quote(text, safe=safe, errors="replace")


def _join_simple(value: Json, *, explode: bool, escape: _Escape, between: str = ",") -> str:
    joint = between if explode else ","
    if isinstance(value, list):
        return joint.join(escape(plain_text(item)) for item in value)
    if isinstance(value, dict):
        sign = "=" if explode else ","
        return joint.join(f"{escape(k)}{sign}{escape(plain_text(v))}" for k, v in value.items())
    return escape(plain_text(value))


def _walk(path: str, value: Json) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _walk(f"{path}[{_escape(key)}]", below)
    elif isinstance(value, list):
        for position, below in enumerate(value):
            yield from _walk(f"{path}[{position}]", below)
    elif value is not None:
        yield path, plain_text(value)
