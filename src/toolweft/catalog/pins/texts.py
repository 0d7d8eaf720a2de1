"""What is suspicious in a definition, a prompt, a resource, a server's own account. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from json import JSONEncoder
from typing import Final

from toolweft.catalog.pins.confusables import find_mixed_scripts
from toolweft.catalog.pins.hidden import find_hidden
from toolweft.catalog.pins.instructions import find_instructions, find_mentions, may_instruct
from toolweft.catalog.pins.record import iterate_texts, record_definition, record_fields
from toolweft.core.contents import ContentKind
from toolweft.core.json import JsonObject
from toolweft.core.pins import Flag
from toolweft.core.tools import ToolDefinition

__all__ = (
    "NOTHING_FOUND",
    "CheckedTexts",
    "Mention",
    "check_entry",
    "check_texts",
    "flag_instructions",
)

# Of one tool: more says no more.
_MAX_FLAGS: Final = 20
# An enum may have a hundred thousand values, and each text takes its time. Where something is
# suspicious and there are more of them, that is.
_MAX_TEXTS: Final = 10_000
# Of one entry of a list, which may be as large as an answer.
_MAX_CHARACTERS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A name that a text tells its reader to use or not to use."""

    path: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedTexts:
    """What one definition says that it should not, as far as it alone can tell."""

    flags: tuple[Flag, ...] = ()
    mentions: tuple[Mention, ...] = ()


_TOO_MANY: Final = Flag(
    kind="instruction",
    path="$",
    reason=f"something in it is suspicious, and it has more than {_MAX_TEXTS:,} texts, of which"
    " the others are not looked at one by one",
)
_SHORT_ESCAPES: Final = (
    ("\\n", "\n"),
    ("\\t", "\t"),
    ("\\r", "\r"),
    ("\\b", "\b"),
    ("\\f", "\f"),
)
_ESCAPE: Final = re.compile(r"\\u([0-9a-f]{4})")
# `default`: a function's examples hold whatever Python holds.
_encode = JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=repr).encode

NOTHING_FOUND: Final = CheckedTexts()


def check_texts(definition: ToolDefinition) -> CheckedTexts:
    """Look through every text of a definition, as its source gave it.

    Raises:
        RecursionError: it is nested too deeply.
    """
    # Most definitions are innocent, and looking at all of their texts together is quick.
    together = _join(definition)
    if not find_hidden(together) and not may_instruct(together):
        scripts = tuple(_flag_scripts(definition.name))
        return CheckedTexts(flags=scripts) if scripts else NOTHING_FOUND
    return _check(record_definition(definition), name=definition.name)


def check_entry(entry: JsonObject, *, kind: ContentKind) -> CheckedTexts:
    """Look through every text of a prompt, a resource or a template, as its source lists it."""
    # A resource is named as files are, in several alphabets where its owner writes so.
    name = str(entry.get("name")) if kind == "prompts" else ""
    together = _unescape(_encode(entry)[:_MAX_CHARACTERS])
    if find_hidden(together) or may_instruct(together) or any(_flag_scripts(name)):
        return _check(entry, name=name)
    return NOTHING_FOUND


def flag_instructions(text: str) -> tuple[Flag, ...]:
    """What is suspicious in the instructions of a server."""
    return tuple(islice(_flags_of("$.instructions", text), _MAX_FLAGS))


def _check(said: JsonObject, *, name: str) -> CheckedTexts:
    """Look through each text by itself; `name` is what they are about."""
    # What people and models read first, then what may be padded.
    first = {key: value for key, value in said.items() if not key.endswith("_schema")}
    every = iterate_texts({**first, **said})
    texts = tuple(islice(every, _MAX_TEXTS))
    flags = tuple(islice(_flags(name, texts), _MAX_FLAGS))
    if next(every, None) is not None:
        flags = (_TOO_MANY, *flags)
    mentions = tuple(
        Mention(path=path, name=mentioned)
        for path, text in texts
        for mentioned in find_mentions(text)
        if mentioned != name
    )
    return CheckedTexts(flags=flags, mentions=mentions) if flags or mentions else NOTHING_FOUND


def _flags(name: str, texts: tuple[tuple[str, str], ...]) -> Iterator[Flag]:
    yield from _flag_scripts(name)
    for path, text in texts:
        yield from _flags_of(path, text)


def _flag_scripts(name: str) -> Iterator[Flag]:
    scripts = find_mixed_scripts(name)
    if scripts:
        reason = f"letters of several alphabets: {', '.join(scripts)} in {name!a}"
        yield Flag(kind="look_alike", path="$.name", reason=reason)


def _join(definition: ToolDefinition) -> str:
    """All texts of a definition in one, and little else."""
    text = _unescape(f"{_encode(record_fields(definition))}\n{definition.other_fields}")
    # What begins a text stands behind nothing, not behind the quote of JSON.
    return text.replace('"', '" ')


def _unescape(text: str) -> str:
    # What JSON escapes is what it was again; one escape too many makes one look too many.
    for escape, character in _SHORT_ESCAPES:
        text = text.replace(escape, character)
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text) if "\\u" in text else text


def _flags_of(path: str, text: str) -> Iterator[Flag]:
    hidden = find_hidden(text)
    if hidden:
        yield Flag(kind="hidden", path=path, reason=f"characters that nobody sees: {hidden}")
    for reason in find_instructions(text):
        yield Flag(kind="instruction", path=path, reason=reason)
