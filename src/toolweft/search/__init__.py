"""Finding tools by words and meanings.

Knows nothing of calls or of sources.
"""

from toolweft.search.embedded import QueryEmbedder, UnusableEmbedder
from toolweft.search.index import build_index, update_index
from toolweft.search.lexical import LexicalIndex
from toolweft.search.searcher import CatalogSearcher

__all__ = (
    "CatalogSearcher",
    "LexicalIndex",
    "QueryEmbedder",
    "UnusableEmbedder",
    "build_index",
    "update_index",
)
