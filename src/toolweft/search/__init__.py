"""Finding tools by words and meanings: a pure index over a snapshot.

Knows nothing of who asks, of calls or of sources.
"""

from toolweft.search.holder import IndexHolder
from toolweft.search.index import build_index, update_index
from toolweft.search.lexical import LexicalIndex

__all__ = ("IndexHolder", "LexicalIndex", "build_index", "update_index")
