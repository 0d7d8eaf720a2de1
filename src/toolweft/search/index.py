"""Making and moving on the index of a snapshot, of the best kind that is installed."""

from toolweft.core.derived import Derived
from toolweft.core.snapshot import Snapshot
from toolweft.search.lexical import LexicalIndex
from toolweft.search.views import ViewedIndex

__all__ = ("build_index", "update_index")


def build_index(snapshot: Snapshot, derived: Derived | None = None) -> ViewedIndex:
    """An index over every tool of a snapshot that is not disabled.

    With words and meanings; with words alone where numpy is not installed.

    Args:
        snapshot: of the tools.
        derived: parts of an earlier start's index, and told those of this one; None for none.
    """
    try:
        # Imported at the first index: numpy and the vectors take a tenth of a second.
        from toolweft.search.hybrid import HybridIndex
        from toolweft.search.vectors import load_vectors
    except ModuleNotFoundError as exc:
        if exc.name != "numpy":
            raise
        return LexicalIndex.of(snapshot, derived=derived)
    return HybridIndex.of(snapshot, vectors=load_vectors(), derived=derived)


def update_index(
    index: ViewedIndex, snapshot: Snapshot, derived: Derived | None = None
) -> ViewedIndex:
    """The index of a newer snapshot, from one of an older; it answers as a new one would.

    Whatever did not change is shared; where nothing did, it is the same index.
    """
    return index.updated(snapshot, derived)
