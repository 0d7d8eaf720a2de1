"""Raw tools as servers send them, and a change of one character anywhere in one."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

from toolweft.catalog.definitions import fingerprint
from toolweft.catalog.pins import hash_definition
from toolweft.core.ids import SourceName
from toolweft.sources.mcp.definitions import build_definition

RAW: tuple[dict[str, Any], ...] = (
    {
        "name": "commit",
        "title": "Commit",
        "description": "Record changes to the repository.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "message": {"type": "string", "maxLength": 72, "default": "wip"},
                "mode": {"enum": ["all", "staged"], "description": "What to take — “all” is it"},
                "retries": {"type": "integer", "minimum": 1},
            },
            "required": ["message"],
        },
        "outputSchema": {"type": "object", "properties": {"id": {"type": "string"}}},
        "annotations": {"readOnlyHint": False, "title": "Commit changes", "category": "vcs"},
        "_meta": {
            "toolweft/input_examples": [{"scenario": "a first one", "input": {"message": "x"}}],
            "team": {"tags": ["git"]},
        },
        "execution": {"taskSupport": "forbidden"},
    },
    {"name": "status", "description": "", "inputSchema": {}, "annotations": {"title": "Zustand"}},
    {"name": "suche", "title": "Suche übers Land", "inputSchema": {"type": "object"}},
)


def pin_of(raw: dict[str, Any]) -> str:
    definition = build_definition(raw, namespace=SourceName("git"))
    return hash_definition(definition, fingerprint(definition)[0])


def mutate(raw: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """The tool with one character more, less or other, in a text, a key or a number."""
    changed = copy.deepcopy(raw)
    places = [place for place in _places(changed, ()) if place[0] != ("name",) or place[1]]
    path, is_key = chance.choice(places)
    holder: Any = changed
    for step in path[:-1]:
        holder = holder[step]
    last = path[-1]
    if is_key:
        items = list(holder.items())
        new = _other(last, chance, taken=holder)
        holder.clear()
        holder.update({new if key == last else key: value for key, value in items})
    elif isinstance(holder[last], str):
        holder[last] = _other(holder[last], chance, taken={})
    else:
        holder[last] = json.loads(f"{json.dumps(holder[last])}{chance.randint(0, 9)}")
    return changed


def _places(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], bool]]:
    if isinstance(value, dict):
        for key, below in value.items():
            # Without a name it is no tool.
            if (*path, key) != ("name",):
                yield (*path, key), True
            yield from _places(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _places(below, (*path, index))
    elif (isinstance(value, str) and value) or (
        isinstance(value, int) and not isinstance(value, bool) and value
    ):
        yield path, False


def _other(text: str, chance: random.Random, *, taken: Any) -> str:
    while True:
        at = chance.randrange(len(text))
        letter = chance.choice("aZ9 .\u200b\u0430\u0301é\U000e0041\n")
        kind = chance.choice(("put in", "take out", "replace"))
        rest = text[at:] if kind == "put in" else text[at + 1 :]
        new = text[:at] + ("" if kind == "take out" else letter) + rest
        if new != text and new and new not in taken:
            return new


def reordered(value: Any, chance: random.Random) -> Any:
    """The same JSON with its keys in another order."""
    if isinstance(value, dict):
        items = [(key, reordered(below, chance)) for key, below in value.items()]
        chance.shuffle(items)
        return dict(items)
    if isinstance(value, list):
        return [reordered(below, chance) for below in value]
    return value
