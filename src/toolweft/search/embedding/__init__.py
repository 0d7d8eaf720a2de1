"""Embedders that plug in, and what keeps their vectors.

Only the options are here: everything else needs numpy, and is imported where an embedder is
configured.
"""

from toolweft.search.embedding.options import EmbedderOptions

__all__ = ("EmbedderOptions",)
