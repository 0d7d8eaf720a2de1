"""What a search answers, and the protocols through which it is asked and helped."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from toolweft.core.ids import QualifiedName
from toolweft.core.json import Json
from toolweft.core.snapshot import Snapshot

__all__ = (
    "Placement",
    "SearchHit",
    "SearchIndex",
    "SearchResult",
    "Searcher",
    "TextEmbedder",
    "VectorStore",
    "WordPlace",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """One tool a search found."""

    qualified: QualifiedName
    # Higher is better; comparable within one answer only.
    score: float
    # The fields in which words of the query stood, best first: "name", "description", ...;
    # "meaning" where none did, "use" where only earlier uses speak for it.
    matched: tuple[str, ...] = ()
    # How likely the tool meets the need, in [0, 1]; comparable between answers and catalogs.
    confidence: float = 1.0
    # So low that the answer should say so.
    is_weak: bool = False
    # What the score is the sum of: "words", "meaning", "clauses", "cover", "kin", "name",
    # "embedding", "use".
    parts: Mapping[str, float] = field(default_factory=dict)
    # Earlier uses for like queries, by which it was raised; 0 where it was not.
    uses: int = 0

    @property
    def use_reason(self) -> str:
        """In words, what earlier uses did; "" where they did nothing."""
        times = f"{self.uses:,} earlier use{'' if self.uses == 1 else 's'}"
        return f"raised by {times} for like queries" if self.uses else ""

    def to_dict(self) -> dict[str, Json]:
        """Why it was found, as plain JSON."""
        return {
            "name": self.qualified,
            "score": self.score,
            "confidence": self.confidence,
            "is_weak": self.is_weak,
            "matched": list(self.matched),
            "parts": dict(self.parts),
            "uses": self.uses,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What one query found."""

    # Best first.
    hits: Sequence[SearchHit]
    # Whether even the best of what was found hardly fits; earlier uses, which may put another hit
    # first, change nothing in that.
    is_weak: bool = False
    # Words of tools that may be found, near to the query's in meaning; where the answer is weak.
    suggestions: Sequence[str] = ()
    # What could not be used for this answer, in our own words; "" where everything was.
    degraded: str = ""
    # Why, for whoever runs toolweft: it may hold addresses, paths and text of others, so that no
    # model gets to read it.
    degraded_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WordPlace:
    """One word of a query, and where it stands in one tool."""

    # As it was asked for, and as an index counts it.
    word: str
    indexed: str
    # Higher is rarer, among the tools that may be found; so many of them hold it.
    rarity: float
    holders: int
    # Of the tool, best first; empty where the word does not stand in it.
    fields: tuple[str, ...]
    # A word like it in meaning that stands in the tool instead; "" where none does.
    near: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where one tool stands for a query, and why."""

    query: str
    tool: QualifiedName
    # From 1, among all that may be found; None where the tool is not found at all.
    rank: int | None
    count: int
    # The tool as a search would answer it, and the one on place 1.
    hit: SearchHit | None
    first: SearchHit | None
    words: tuple[WordPlace, ...] = ()
    # In words: why it stands there, and what to change so that it stands higher.
    reasons: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Json]:
        """The placement as plain JSON."""
        return {
            "query": self.query,
            "tool": self.tool,
            "rank": self.rank,
            "of": self.count,
            "hit": None if self.hit is None else self.hit.to_dict(),
            "first": None if self.first is None else self.first.to_dict(),
            "words": [
                {
                    "word": word.word,
                    "rarity": word.rarity,
                    "holders": word.holders,
                    "fields": list(word.fields),
                    "near": word.near,
                }
                for word in self.words
            ],
            "reasons": list(self.reasons),
            "advice": list(self.advice),
        }


class SearchIndex(Protocol):
    """A pure index over one snapshot."""

    def search(
        self, query: str, *, limit: int, visible: Collection[QualifiedName] | None = None
    ) -> Sequence[SearchHit]:
        """The tools that fit, best first; equal scores in name order; no hit scores 0.

        Args:
            query: any text of any length.
            limit: at most this many, >= 1.
            visible: only these may be found; None for all.
        """
        ...


class Searcher(Protocol):
    """Answers searches: an index, and whatever else helps to rank."""

    async def search(
        self,
        queries: Sequence[str],
        *,
        snapshot: Snapshot,
        limit: int,
        visible: frozenset[QualifiedName] | None,
        tenant: str,
    ) -> Sequence[SearchResult]:
        """What each query finds, in the order asked.

        Args:
            queries: any texts of any length.
            snapshot: whose tools are searched.
            limit: hits of each query at most, >= 1.
            visible: only these may be found; None for all.
            tenant: whose use of tools may count.
        """
        ...

    async def explain_rank(
        self,
        query: str,
        *,
        tool: QualifiedName,
        snapshot: Snapshot,
        visible: frozenset[QualifiedName] | None,
        tenant: str,
    ) -> Placement:
        """Why a tool of the snapshot stands where it does for a query; else as `search`."""
        ...


class TextEmbedder(Protocol):
    """Turns texts into vectors that lie close where the texts mean the same."""

    @property
    def model(self) -> str:
        """Names everything on which its vectors depend; other vectors are not compared."""
        ...

    async def embed(
        self, texts: Sequence[str], *, kind: Literal["query", "tool"]
    ) -> Sequence[bytes]:
        """One vector per text: float32, little-endian, of length 1, all of one dimension.

        Raises:
            EmbedderUnavailable: no vectors could be had; the message says why.
        """
        ...


class VectorStore(Protocol):
    """Keeps vectors by the content they were made from, over restarts and for everybody."""

    async def load(self, model: str, keys: Collection[str]) -> Mapping[str, bytes]:
        """The known ones of some vectors; a store that cannot be read knows none."""
        ...

    async def save(self, model: str, vectors: Mapping[str, bytes]) -> None:
        """Keep vectors; one that cannot be kept is computed again some day."""
        ...
