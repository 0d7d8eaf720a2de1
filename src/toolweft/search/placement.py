"""Why a tool stands where it does for a query, in words, and what would raise it. Pure.

Called for one tool at a time, by people who ask; a search never pays for it. Knows nothing of
tools that are not visible, but that the one asked about is not.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from math import log

from toolweft.core.ids import QualifiedName
from toolweft.core.search import Placement, SearchHit, SearchResult, WordPlace
from toolweft.core.snapshot import CatalogTool
from toolweft.search.embedded import Embedded
from toolweft.search.views import Standing, View, ViewedIndex
from toolweft.search.words import query_words, spelled_in

__all__ = ("explain_rank",)

_MAX_WORDS = 48
# Words named in one sentence; the rarest tell most.
_MAX_NAMED = 4
# A part that is smaller by less is no reason.
_MIN_LOSS = 0.01
# Where a word counts most, by what it is called in a hit.
_FRONT = "name or the first sentence of its description"


def explain_rank(
    index: ViewedIndex,
    query: str,
    tool: CatalogTool,
    *,
    visible: Collection[QualifiedName] | None,
    embedded: Embedded | None = None,
    found: SearchResult | None = None,
) -> Placement:
    """Where a tool stands for a query, and why.

    Args:
        index: of the snapshot the tool is from.
        query: any text of any length.
        tool: any tool of the snapshot, also one that may not be found.
        visible: only these may be found; None for all.
        embedded: what an embedder says about the query; None where it says nothing.
        found: what a search answers where earlier uses raised a tool; its order counts.
    """
    name = tool.qualified
    standing = index.place(query, name, visible=visible, embedded=embedded)
    if found is not None:
        standing = _place_in(found, name, standing)
    placement = Placement(
        query=query,
        tool=name,
        rank=standing.rank,
        count=standing.count,
        hit=standing.hit,
        first=standing.first,
    )
    if tool.is_withheld:
        reason = tool.status_reason or "its definition cannot be used"
        return replace(placement, rank=None, hit=None, reasons=(f"{tool.status}: {reason}",))
    if visible is not None and name not in visible:
        return replace(placement, rank=None, hit=None, reasons=("not visible to you",))
    view = index.view(visible)
    words = tuple(_word_places(query, name, view))
    return replace(
        placement,
        words=words,
        reasons=tuple(_reasons(standing, words, view)),
        advice=tuple(_advice(tool, standing, words, view)),
    )


def _place_in(found: SearchResult, tool: QualifiedName, standing: Standing) -> Standing:
    """The standing in an answer in whose order earlier uses count."""
    if not found.hits:
        return standing
    for rank, hit in enumerate(found.hits, 1):
        if hit.qualified == tool:
            return replace(standing, rank=rank, hit=hit, first=found.hits[0])
    behind = standing.rank
    if behind is not None:
        behind = max(behind, len(found.hits) + 1)
    return replace(standing, rank=behind, first=found.hits[0])


def _word_places(query: str, tool: QualifiedName, view: View) -> Iterator[WordPlace]:
    for word in query_words(query)[:_MAX_WORDS]:
        holders = view.count(word)
        fields = view.fields(tool, word)
        near = "" if fields else _near_word(word, tool, view)
        yield WordPlace(
            word=spelled_in(query, word) or word,
            indexed=word,
            rarity=round(log(1 + (len(view) - holders + 0.5) / (holders + 0.5)), 2),
            holders=holders,
            fields=fields,
            near=near,
        )


def _near_word(word: str, tool: QualifiedName, view: View) -> str:
    """A learned neighbour of a word that stands in the tool, as tools spell it."""
    near = (other for other, _ in view.neighbours(word) if view.fields(tool, other))
    other = next(near, None)
    return "" if other is None else view.spelling(other) or other


def _reasons(standing: Standing, words: Sequence[WordPlace], view: View) -> Iterator[str]:
    hit, first = standing.hit, standing.first
    if not standing.count:
        yield "no tool can be found here"
        return
    if not words:
        yield "the query has no words"
    if hit is not None and standing.rank == 1:
        yield "nothing fits better"
    elif hit is None:
        yield "neither words nor meaning are near to the query"
    if hit is not None and "name" in hit.parts:
        exact = hit.confidence == 1
        yield f"its name {'is' if exact else 'begins with'} the query"
    if hit is not None and first is not None and standing.rank != 1:
        yield from _losses(hit, first)
    if hit is not None and hit.uses:
        yield hit.use_reason
    yield from _missing(standing, words, view)


def _losses(hit: SearchHit, first: SearchHit) -> Iterator[str]:
    """What the first hit has more of, the most telling part alone."""
    lost = {name: part - hit.parts.get(name, 0.0) for name, part in first.parts.items()}
    name = max(lost, key=lambda part: lost[part], default=None)
    if name is not None and lost[name] > _MIN_LOSS:
        mine = hit.parts.get(name, 0.0)
        yield f"{name}: {mine:.2f}, where {first.qualified} has {first.parts[name]:.2f}"


def _missing(standing: Standing, words: Sequence[WordPlace], view: View) -> Iterator[str]:
    """Words of the query that the tool lacks, and where they stand instead."""
    lacked = _rarest(word for word in words if not word.fields)
    if words and len(lacked) == len(words):
        yield "no word of the query stands in it"
    first = standing.first
    for word in lacked[:_MAX_NAMED]:
        near = f"; {word.near!r}, which means nearly the same, does" if word.near else ""
        if not word.holders:
            yield f"{word.word!r} stands in no tool that you may find{near}"
            continue
        elsewhere = first is not None and view.fields(first.qualified, word.indexed)
        where = f"; it does in {first.qualified}" if first is not None and elsewhere else ""
        yield f"{word.word!r} does not stand in it{near or where}"


def _advice(
    tool: CatalogTool, standing: Standing, words: Sequence[WordPlace], view: View
) -> Iterator[str]:
    """What to change in the tool's own text so that it stands higher."""
    if standing.rank == 1 and standing.hit is not None and not standing.hit.is_weak:
        return
    if not tool.definition.description.strip():
        yield "give it a description: it has none"
    lacked = [word.word for word in _rarest(w for w in words if not w.fields)]
    if lacked:
        yield f"put {_listed(lacked)} into its description"
    hidden = [
        word.word
        for word in _rarest(word for word in words if word.fields)
        if not view.stands_in_front(tool.qualified, word.indexed)
    ]
    if hidden:
        yield f"put {_listed(hidden)} into its {_FRONT}"


def _rarest(words: Iterator[WordPlace]) -> list[WordPlace]:
    return sorted(words, key=lambda word: -word.rarity)


def _listed(words: Sequence[str]) -> str:
    *others, last = [repr(word) for word in words[:_MAX_NAMED]]
    return f"{', '.join(others)} and {last}" if others else last
