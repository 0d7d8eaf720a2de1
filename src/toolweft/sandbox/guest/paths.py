"""Parts of a JSON value by path: `$.items[*].id`. A small part of JSONPath, and nothing else.

`$` is the value; then `.name`, `['any name']`, `[3]`, `[-1]`, `[2:5]`, and `.*` or `[*]` for
everything inside. What a path does not find is left out. There are no filters and no `..`: a
program says that better.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ("BadPath", "Step", "follow", "parse_path")

_STEP = re.compile(
    r"""\.(?P<name>[^\W\d][\w-]*)
    | (?P<all>\.\*|\[\*\])
    | \[(?P<quote>['"])(?P<quoted>(?:(?!(?P=quote)).)*)(?P=quote)\]
    | \[(?P<index>-?\d{1,9})\]
    | \[(?P<start>-?\d{1,9})?:(?P<stop>-?\d{1,9})?\]""",
    re.VERBOSE,
)
_MAX_STEPS = 50


class BadPath(ValueError):
    """A path that cannot be read."""


class Step(NamedTuple):
    """One step: exactly one of the three is set, or none for everything inside."""

    name: str | None = None
    position: int | None = None
    window: slice | None = None

    @property
    def is_all(self) -> bool:
        """Whether it takes everything inside."""
        return self == _ALL


_ALL = Step()


def parse_path(text: str) -> list[Step]:
    """The steps of a path; the `$` may be left out.

    Raises:
        BadPath: the message says from where on it makes no sense.
    """
    position = 1 if text.startswith("$") else 0
    # "items" and "[0]" are what people write for "$.items" and "$[0]".
    if position == 0 and text[:1] not in {".", "["}:
        text = f".{text}"
    steps: list[Step] = []
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None or len(steps) == _MAX_STEPS:
            raise BadPath(
                f"the path makes no sense from {text[position : position + 40]!r} on:"
                " it may have .name, ['name'], [n], [a:b], [*] and .*"
            )
        steps.append(_step(found))
        position = found.end()
    return steps


def follow(value: Any, steps: list[Step]) -> Iterator[Any]:
    """Everything a path finds in a value, in order."""
    if not steps:
        yield value
        return
    for inner in _inside(value, steps[0]):
        yield from follow(inner, steps[1:])


def _step(found: re.Match[str]) -> Step:
    fields = found.groupdict()
    if fields["all"]:
        return _ALL
    if fields["index"] is not None:
        return Step(position=int(fields["index"]))
    if fields["quote"]:
        return Step(name=fields["quoted"])
    if fields["name"] is not None:
        return Step(name=fields["name"])
    start, stop = (None if fields[key] is None else int(fields[key]) for key in ("start", "stop"))
    return Step(window=slice(start, stop))


def _inside(value: Any, step: Step) -> list[Any]:
    if isinstance(value, dict):
        if step.is_all:
            return list(value.values())
        return [value[step.name]] if step.name is not None and step.name in value else []
    if not isinstance(value, list):
        return []
    if step.is_all:
        return value
    if step.window is not None:
        return value[step.window]
    if step.position is not None and -len(value) <= step.position < len(value):
        return [value[step.position]]
    return []
