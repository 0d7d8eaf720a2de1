"""Finding tools by words: a pure index over a snapshot.

Knows nothing of who asks, of calls or of sources.
"""

from toolweft.search.holder import IndexHolder
from toolweft.search.lexical import LexicalIndex, build_index, update_index

__all__ = ("IndexHolder", "LexicalIndex", "build_index", "update_index")
