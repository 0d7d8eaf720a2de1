"""The alias for raw JSON: the one place where `Any` is allowed to enter.

Whoever receives a `Json` narrows it in the same function.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

__all__ = (
    "Json",
    "JsonObject",
    "JsonSchema",
    "NotPlainNumberError",
    "decode_json",
    "encode_canonical",
)

# null, bool, int, float, str, list or dict with string keys, as `json.loads` returns them.
Json: TypeAlias = Any
JsonObject: TypeAlias = dict[str, Any]
JsonSchema: TypeAlias = dict[str, Any]


class NotPlainNumberError(ValueError):
    """A text holds a number that JSON does not have, or one too large for a float."""


def decode_json(text: str) -> Json:
    """The value of a text that is JSON and nothing beyond it.

    Raises:
        NotPlainNumberError: NaN, an infinity, or a number too large for a float.
        ValueError: not JSON.
        RecursionError: nested too deeply to be read.
    """
    return _STRICT.decode(text)


def encode_canonical(value: Json) -> str:
    """The one text of a value, whatever the order of its keys and however deep it goes.

    What is no JSON, as an example of a Python function may be, stands as its `repr`.
    """
    try:
        return _CANONICAL.encode(value)
    except RecursionError:
        return "".join(_encode_deep(value))


def _encode_deep(value: Json) -> Iterator[str]:
    """The same text piece by piece, however deep it goes."""
    left: list[tuple[str, Json]] = [("", value)]
    while left:
        before, item = left.pop()
        yield before
        if isinstance(item, dict):
            left.append(("}", _NOTHING))
            left += [
                (f"{_CANONICAL.encode(key)}:", item[key]) for key in sorted(item, reverse=True)
            ]
            yield "{"
        elif isinstance(item, list):
            left.append(("]", _NOTHING))
            left += [(",", below) for below in reversed(item)]
            yield "["
        elif item is not _NOTHING:
            yield _CANONICAL.encode(item)


def _parse_finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise NotPlainNumberError(f"{text[:40]} is too large for a number")
    return number


def _refuse_constant(text: str) -> Json:
    raise NotPlainNumberError(f"{text} is not a JSON number")


_STRICT: Final = json.JSONDecoder(parse_float=_parse_finite, parse_constant=_refuse_constant)
_NOTHING: Final = object()
_CANONICAL: Final = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=repr
)
