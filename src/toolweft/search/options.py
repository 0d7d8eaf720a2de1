"""What search may do beside ranking."""

from dataclasses import dataclass

__all__ = ("SearchOptions",)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """Choices about search."""

    # Tools that were used after a search come sooner for like queries of the same tenant.
    learn: bool = False
    # What is learned is read back from texts of searches; they are deleted when older than this.
    keep_search_days: int = 90
