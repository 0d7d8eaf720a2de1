"""How prompts and resources of several sources are told apart. Pure.

What only one source has keeps its own name or address. What two have gets the source's name in
front in both, so that neither changes when a third has it too; that form is always understood.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Final, TypeAlias
from urllib.parse import quote, unquote

from toolweft.core.ids import SourceName

__all__ = (
    "NameRule",
    "Named",
    "assign",
    "matches_template",
    "name_for_people",
    "prefix_uri",
    "split_uri",
    "template_weight",
)

_OURS: Final = "toolweft://"
_SCHEME: Final = _OURS + "resources/"
# A source and its own name or address of something.
Named: TypeAlias = tuple[SourceName, str]
# The name of something that is not the only one of its name: the same for the same two, whatever
# else there is.
NameRule: TypeAlias = Callable[[SourceName, str], str]


def name_for_people(source: SourceName, name: str) -> str:
    """As tools are named in programs: "docs.summarise"."""
    return f"{source}.{name}"


def prefix_uri(source: SourceName, uri: str) -> str:
    """An address that names its source; the source's own stands in it as it is.

    >>> prefix_uri(SourceName("docs"), "memo://a/{id}")
    'toolweft://resources/docs/memo://a/{id}'
    """
    # A name may hold a slash, and would then be that of another source and a part of the address.
    return f"{_SCHEME}{quote(source, safe='', errors='surrogatepass')}/{uri}"


def split_uri(uri: str) -> Named | None:
    """The source and its own address; None where `prefix_uri` did not make it."""
    source, slash, original = uri.removeprefix(_SCHEME).partition("/")
    if not uri.startswith(_SCHEME) or not slash or not original:
        return None
    return SourceName(unquote(source, errors="surrogatepass")), original


def assign(named: Iterable[Named], rule: NameRule) -> dict[Named, str]:
    """What each is shown as; never one name for two.

    Args:
        named: in the order shown; of those that come twice the first counts.
        rule: names what is not the only one of its name.
    """
    distinct = dict.fromkeys(named)
    counts = Counter(name for _, name in distinct)
    ruled = {one: rule(*one) for one in distinct}
    alike = Counter(ruled.values())
    prefixed = {
        one: name if alike[name] == 1 else f"{name}_{_digest(one)}" for one, name in ruled.items()
    }
    taken = set(prefixed.values())

    def may_stay(name: str) -> bool:
        # What begins as an address of ours would be taken for one.
        return counts[name] == 1 and name not in taken and not name.startswith(_OURS)

    return {one: one[1] if may_stay(one[1]) else prefixed[one] for one in distinct}


def matches_template(template: str, uri: str) -> bool:
    """Whether an address may be of a template: whatever stands in braces is any text.

    Only the texts between them are compared, in one pass, as templates come from strangers.
    """
    first, *others = _literals(template)
    if not others:
        return first == uri
    if not uri.startswith(first):
        return False
    *middle, last = others
    position = len(first)
    for literal in middle:
        found = uri.find(literal, position)
        if found < 0:
            return False
        position = found + len(literal)
    return len(uri) - len(last) >= position and uri.endswith(last)


def template_weight(template: str) -> int:
    """How much of a template is said; more of it is the better match."""
    return sum(map(len, _literals(template)))


def _digest(named: Named) -> str:
    """Tells two apart that a rule does not; the same for the same two."""
    return sha256(json.dumps(named).encode()).hexdigest()[:8]


def _literals(template: str) -> list[str]:
    """The texts before, between and after what stands in braces."""
    first, *pieces = template.split("{")
    return [first, *(piece.partition("}")[2] for piece in pieces)]
