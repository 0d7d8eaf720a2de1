"""What an embedder says about the queries of one search, and what stands in for an embedder.

The searcher asks before it ranks. Plain data; needs no numpy, since words can rank without it.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from toolweft.core.ids import QualifiedName
from toolweft.core.snapshot import Snapshot

if TYPE_CHECKING:
    # Not for a cycle: importing this imports numpy, which not everybody has.
    from toolweft.search.vectors import Floats

__all__ = (
    "ALONE",
    "Embedded",
    "EmbeddedQueries",
    "QueryEmbedder",
    "SlottedIndex",
    "UnusableEmbedder",
)

# What a missing vector means for an answer.
ALONE: Final = "words and meanings rank alone"


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """What an embedder says about one query."""

    # By slot of the index; NaN where the tool has no vector yet.
    cosines: "Floats"
    # Of nearness beside everything else, in [0, 1].
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedQueries:
    """What an embedder says about the queries of one search."""

    # By query; those about which it says nothing are left out.
    by_query: Mapping[str, Embedded] = field(default_factory=dict)
    # What answers depend on beside the query.
    state: Hashable = None
    # What is missing from an answer, by query, in our own words: a model may read it.
    degraded: Mapping[str, str] = field(default_factory=dict)
    # Why; for whoever runs toolweft: it may hold addresses, paths and text of others.
    reason: str = ""


class SlottedIndex(Protocol):
    """An index that keeps each of its tools in a slot."""

    @property
    def names(self) -> Sequence[QualifiedName | None]:
        """The tool in each slot; None where a slot is empty."""
        ...


class QueryEmbedder(Protocol):
    """Asks an embedder about queries."""

    async def ask(
        self,
        queries: Sequence[str],
        *,
        snapshot: Snapshot,
        index: SlottedIndex,
        visible: Collection[QualifiedName] | None,
    ) -> EmbeddedQueries:
        """What it says about queries; never raises, and never waits long.

        Args:
            queries: any texts.
            snapshot: whose tools are searched.
            index: of the snapshot.
            visible: tools that count where vectors are missing; None for all.
        """
        ...


class UnusableEmbedder:
    """Stands in for an embedder that cannot be used as configured: searches say so and go on.

    Args:
        reason: why, for whoever configures it.
    """

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def ask(
        self,
        queries: Sequence[str],
        *,
        snapshot: Snapshot,
        index: SlottedIndex,
        visible: Collection[QualifiedName] | None,
    ) -> EmbeddedQueries:
        """Nothing but why."""
        told = f"the embedder cannot be used as configured; {ALONE}"
        return EmbeddedQueries(degraded=dict.fromkeys(queries, told), reason=self._reason)
