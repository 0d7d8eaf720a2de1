"""What differs between two records of a definition, place by place."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Final

from toolweft.catalog.pins.record import place_below
from toolweft.core.json import Json, JsonObject

__all__ = ("ABSENT", "Absent", "Difference", "find_differences")


class Absent:
    """Stands where one side has nothing; JSON's null is something."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT: Final = Absent()


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One place at which two records are not the same JSON."""

    # "$.description", "$.input_schema.properties.path.type".
    path: str
    old: Json | Absent
    new: Json | Absent


def find_differences(old: JsonObject, new: JsonObject) -> tuple[Difference, ...]:
    """Every difference, in the order of the old one's keys; the order of keys is none."""
    return tuple(_find(old, new, "$"))


def _find(old: Json | Absent, new: Json | Absent, path: str) -> Iterator[Difference]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            below = place_below(path, key)
            yield from _find(old.get(key, ABSENT), new.get(key, ABSENT), below)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _find_in_lists(old, new, path)
    elif type(old) is not type(new) or old != new:
        # 1 and 1.0 and true are equal to Python.
        yield Difference(path=path, old=old, new=new)


def _find_in_lists(old: list[Json], new: list[Json], path: str) -> Iterator[Difference]:
    """The items that are not the same, so that one that was put in moves no other."""
    matcher = SequenceMatcher(None, [*map(_text, old)], [*map(_text, new)], autojunk=False)
    for tag, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        if tag == "equal":
            continue
        pairs = zip_longest(old[old_start:old_end], new[new_start:new_end], fillvalue=ABSENT)
        for position, (before, after) in enumerate(pairs):
            start = new_start if before is ABSENT else old_start
            yield from _find(before, after, f"{path}[{start + position}]")


def _text(value: Json) -> str:
    return json.dumps(value, sort_keys=True)
