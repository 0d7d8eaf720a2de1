"""Looks at a value before it is written as JSON: is it JSON, and is it small enough?

Pure. The walk comes first because a few shared references can stand for billions of leaves, which
only a walk that stops at its budget survives. Knows nothing of calls; `arguments` and `normalise`
turn what it finds into their errors.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final, Literal

from toolweft.core.json import Json

__all__ = ("Misfit", "encode_json", "find_misfit", "is_deeper_than", "repair")

# The fewest bytes each scalar takes with the comma or bracket beside it.
_LEAST_BYTES: Final = {str: 3, int: 2, float: 4, bool: 5, type(None): 5}
_CONTAINERS: Final = frozenset({dict, list})
_PLAIN_KEYS: Final = frozenset({str})
_PLAIN_TYPES: Final = _CONTAINERS | _LEAST_BYTES.keys()
# With fewer rows the walk is quicker.
_MIN_ROWS = 200
_MAX_PAGE_FIELDS = 8
# Looked at together, in some megabytes of references.
_MAX_LEVEL_ITEMS = 1_000_000
_SURROGATE = re.compile("[\ud800-\udfff]")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
)


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a value cannot go on."""

    kind: Literal["too_large", "too_deep", "not_json"]
    # For "not_json": what stands where, "a set at $.items[2]".
    text: str = ""


def encode_json(value: Json) -> bytes:
    """The value as compact JSON in UTF-8.

    Raises:
        ValueError: it holds NaN, an infinity, a lone surrogate, or a number of thousands of digits.
    """
    return _ENCODER.encode(value).encode()


def find_misfit(value: Json, *, max_bytes: int, max_depth: int) -> Misfit | None:
    """The first reason why `value` is not JSON within the bounds, or None.

    Visits at most `max_bytes` / 2 nodes, whatever the value. The size is a lower bound: what
    passes must still be measured once it is encoded.
    """
    if _is_table(value) and _is_plain(value, max_bytes=max_bytes, max_depth=max_depth):
        return None
    # The root has no comma beside it.
    size = -1
    rest = [iter((value,))]
    while rest:
        for item in rest[-1]:
            kind = type(item)
            if kind in _LEAST_BYTES:
                size += _LEAST_BYTES[kind]
                if kind is str:
                    size += len(item)
                if size > max_bytes:
                    return Misfit("too_large")
                continue
            inside, least_bytes = _inside(item)
            if inside is None:
                return Misfit("not_json", _say_where(value, item, max_depth))
            size += least_bytes
            if size > max_bytes:
                return Misfit("too_large")
            rest.append(inside)
            break
        else:
            rest.pop()
        if len(rest) > max_depth + 1:
            return Misfit("too_deep")
    return None


def _is_table(value: Json) -> bool:
    """Whether it has many items, or few fields of which one has."""
    if type(value) is dict and 0 < len(value) <= _MAX_PAGE_FIELDS:
        return any(type(item) in _CONTAINERS and len(item) >= _MIN_ROWS for item in value.values())
    return type(value) in _CONTAINERS and len(value) >= _MIN_ROWS


def _is_plain(value: Json, *, max_bytes: int, max_depth: int) -> bool:
    """Whether it holds nothing but plain JSON within the bounds, found out level by level.

    Half as long as the walk takes for large tables. False says nothing: the walk decides then.
    """
    size = -1
    level = [value]
    for depth in range(max_depth + 1):
        counts = Counter(map(type, level))
        if not counts.keys() <= _PLAIN_TYPES:
            return False
        size += sum(_LEAST_BYTES.get(kind, 2) * count for kind, count in counts.items())
        size += sum(map(len, _of_type(str, level, counts)))
        dicts, lists = _of_type(dict, level, counts), _of_type(list, level, counts)
        inside = sum(map(len, dicts)) + sum(map(len, lists))
        # Every item has at least two bytes, so a value that unfolds without end stops here too.
        if inside > _MAX_LEVEL_ITEMS or size + 2 * inside > max_bytes:
            return False
        if not dicts and not lists:
            return True
        if depth == max_depth or not set(map(type, chain.from_iterable(dicts))) <= _PLAIN_KEYS:
            return False
        size += sum(map(len, chain.from_iterable(dicts))) + 3 * sum(map(len, dicts))
        level = [*chain.from_iterable(map(dict.values, dicts)), *chain.from_iterable(lists)]
    return False


def _of_type(kind: type, level: list[Json], counts: Mapping[type, int]) -> list[Json]:
    count = counts.get(kind, 0)
    if count == len(level):
        return level
    return [item for item in level if type(item) is kind] if count else []


def is_deeper_than(value: Json, max_depth: int) -> bool:
    """Whether lists and objects of a value made by a JSON parser nest deeper than `max_depth`."""
    level = [value] if type(value) in _CONTAINERS else []
    depth = 0
    while level:
        depth += 1
        if depth > max_depth:
            return True
        items = chain.from_iterable(i.values() if type(i) is dict else i for i in level)
        level = [item for item in items if type(item) in _CONTAINERS]
    return False


def repair(value: Json) -> Json:
    """The value without what JSON does not have.

    NaN and the infinities become null, as JavaScript writes them; lone surrogates become U+FFFD.

    Args:
        value: passed by `find_misfit`, so of bounded depth.
    """
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_SURROGATE.sub("\ufffd", key): repair(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [repair(item) for item in value]
    return value


def _inside(item: Json) -> tuple[Iterator[Json] | None, int]:
    """What an item holds and the fewest bytes of its own; None where JSON has no such thing."""
    if isinstance(item, dict):
        if set(map(type, item)) <= _PLAIN_KEYS or all(isinstance(key, str) for key in item):
            return iter(item.values()), 2 + sum(map(len, item)) + 3 * len(item)
        return None, 0
    if isinstance(item, (list, tuple)):
        return iter(item), 2
    # Scalars of a derived type: enumerations and the like.
    if isinstance(item, str):
        return iter(()), 2 + len(item)
    return (iter(()), 1) if isinstance(item, (int, float)) else (None, 0)


def _say_where(value: Json, culprit: Json, max_depth: int) -> str:
    for path, item in _paths(value, "$", max_depth + 1):
        if item is culprit:
            if isinstance(item, dict):
                key = next(key for key in item if not isinstance(key, str))
                return f"a key of type {type(key).__name__} at {path}"
            return f"a value of type {type(item).__name__} at {path}"
    return f"a value of type {type(culprit).__name__}"


def _paths(value: Json, path: str, depth: int) -> Iterator[tuple[str, Json]]:
    yield path, value
    if depth == 0:
        return
    pairs: Iterable[tuple[str, Json]] = ()
    if isinstance(value, dict):
        pairs = ((_step(key), item) for key, item in value.items())
    elif isinstance(value, (list, tuple)):
        pairs = ((f"[{index}]", item) for index, item in enumerate(value))
    for step, item in pairs:
        yield from _paths(item, path + step, depth - 1)


def _step(key: Json) -> str:
    text = str(key)[:80]
    return f".{text}" if _IDENTIFIER.match(text) else f"[{text!r}]"
