"""What things are called in Python and on wires: pure functions from original names to safe ones.

Identity is always the original (namespace, name); everything here is a spelling of it.

Spellings are decided for a set, never for a list, so order never matters. Within one set:

- a name that is already a safe spelling keeps it, whatever else is in the set;
- a name that has to be changed gets the plain safe spelling, and where that is taken or wanted by
  another name, the plain spelling with a suffix of its own hash.

Tools are spelled among the tools of their own source and sources among the sources, so a source
that comes, goes or moves never renames another source's tools, with one exception that no plain
spelling can avoid: two *sources* whose names differ in punctuation only ("aws-docs" and
"aws_docs"). There the one that is a safe spelling has it, the others are told apart by hash; each
source that had to be changed is also always reachable under its hashed spelling, which depends on
nothing but its own name (`lasting_namespace`).
"""

import builtins
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from keyword import iskeyword

__all__ = (
    "MAX_WIRE_NAME",
    "RESERVED_NAMESPACES",
    "is_special",
    "lasting_namespace",
    "names_source",
    "python_name",
    "python_names",
    "python_namespace",
    "python_namespaces",
    "wire_name",
)

# What every program may use without defining it: a source would hide it from all of them.
RESERVED_NAMESPACES = frozenset({"load", "tools", "worker", "worker_map"}).union(
    name for name in dir(builtins) if not name.startswith("_")
)

# Clients prefix names with the server's ("mcp__toolweft__") and providers refuse more than 64.
MAX_WIRE_NAME = 48

_UNSAFE = re.compile(r"[^A-Za-z0-9_]")
# Python looks these up on every object, so a lazily bound attribute would never be asked for.
_SPECIAL = re.compile(r"__.*__\Z", re.DOTALL)
# 24 bits tell apart the few names of one set that clash; longer where they do not.
_SUFFIX_DIGITS = 6
_WIRE_HASH_DIGITS = 16
# Of a wire name that was cut.
_KEPT_WIRE_CHARACTERS = MAX_WIRE_NAME - 2 - _WIRE_HASH_DIGITS


def is_special(name: str) -> bool:
    """Whether Python looks a name up by itself, so that no tool has it: `__init__`."""
    return _SPECIAL.match(name) is not None


def python_name(original: str) -> str:
    """The plain safe spelling of one name; different names may share it.

    >>> python_name("resource-group"), python_name("3d"), python_name("from")
    ('resource_group', '_3d', 'from_')
    """
    safe = _UNSAFE.sub("_", original) or "_"
    if safe[0].isdigit():
        safe = f"_{safe}"
    if iskeyword(safe):
        return f"{safe}_"
    if is_special(safe):
        return f"{safe}tool"
    return safe


def python_namespace(original: str) -> str:
    """The plain safe spelling of a source's name; reserved names get a trailing underscore."""
    safe = python_name(original)
    return f"{safe}_" if safe in RESERVED_NAMESPACES else safe


def python_names(originals: Iterable[str]) -> dict[str, str]:
    """A safe spelling for each name of one set, all different.

    Returns:
        Original name -> safe spelling, in the order of the first occurrences; the spellings
        depend on the set alone.
    """
    return _spell(originals, python_name)


def python_namespaces(originals: Iterable[str]) -> dict[str, str]:
    """A safe spelling for each source's name, all different; as `python_names`."""
    return _spell(originals, python_namespace)


def lasting_namespace(original: str) -> str:
    """The spelling of a source that depends on its own name alone."""
    plain = python_namespace(original)
    return plain if plain == original else _suffixed(original, plain, attempt=0)


def wire_name(namespace: str, name: str) -> str:
    """One flat name for a tool, from its Python spellings.

    Python spellings hold no hyphen: one hyphen therefore joins unambiguously, and two mark a name
    that was cut and is told apart by its hash.

    Returns:
        At most 48 characters of [A-Za-z0-9_-].
    """
    whole = f"{namespace}-{name}"
    if len(whole) <= MAX_WIRE_NAME:
        return whole
    kept = whole[:_KEPT_WIRE_CHARACTERS].rstrip("-")
    return f"{kept}--{_digest(whole)[:_WIRE_HASH_DIGITS]}"


def names_source(name: str, *, source: str, namespace: str) -> bool:
    """Whether `name` is written as a tool of this source: "source.tool", or as a wire name.

    Args:
        name: as a caller wrote it.
        source: the source's original name.
        namespace: its Python spelling.

    >>> names_source("my-docs.page", source="my-docs", namespace="my_docs")
    True
    >>> names_source("my_docs-page", source="my-docs", namespace="my_docs")
    True
    >>> names_source("page", source="my-docs", namespace="my_docs")
    False
    """
    head, dot, _ = name.partition(".")
    if dot:
        return head in {namespace, source} or head == lasting_namespace(source)
    head, hyphen, _ = name.partition("-")
    return bool(hyphen) and head in {namespace, namespace[:_KEPT_WIRE_CHARACTERS]}


def _spell(originals: Iterable[str], plain_of: Callable[[str], str]) -> dict[str, str]:
    plain = {original: plain_of(original) for original in originals}
    wanted = Counter(plain.values())
    spelled = {o: p for o, p in plain.items() if p == o or wanted[p] == 1}
    if len(spelled) == len(plain):
        return spelled
    spelled |= _told_apart({o: p for o, p in plain.items() if o not in spelled}, set(wanted))
    return {original: spelled[original] for original in plain}


def _told_apart(clashing: Mapping[str, str], taken: set[str]) -> dict[str, str]:
    """Hash suffixes for names whose plain spelling is not theirs alone.

    Each round looks at the whole set, so that order does not matter. One round is enough unless
    hashes collide or a name was chosen to look like another's suffixed spelling.
    """
    spelled: dict[str, str] = {}
    pending = dict(clashing)
    attempt = 0
    while pending:
        proposed = {o: _suffixed(o, p, attempt=attempt) for o, p in pending.items()}
        wanted = Counter(proposed.values())
        settled = {o: s for o, s in proposed.items() if wanted[s] == 1 and s not in taken}
        spelled |= settled
        taken.update(settled.values())
        pending = {o: p for o, p in pending.items() if o not in settled}
        attempt += 1
    return spelled


def _suffixed(original: str, plain: str, *, attempt: int) -> str:
    seed = original if attempt == 0 else f"{original}\0{attempt}"
    return f"{plain.rstrip('_')}_{_digest(seed)[:_SUFFIX_DIGITS]}"


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
