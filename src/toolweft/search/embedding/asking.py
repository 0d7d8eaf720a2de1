"""One request to an embedder, whoever made it, with a deadline and one kind of error."""

from collections.abc import Sequence
from typing import Literal

import anyio

from toolweft.core.errors import EmbedderUnavailable
from toolweft.core.search import TextEmbedder
from toolweft.search.embedding.checks import unpack_vectors
from toolweft.search.embedding.options import EmbedderOptions
from toolweft.search.vectors import Floats

__all__ = ("ask_embedder",)


async def ask_embedder(
    embedder: TextEmbedder,
    texts: Sequence[str],
    *,
    kind: Literal["query", "tool"],
    options: EmbedderOptions,
) -> Floats:
    """The vectors of texts as rows of length 1.

    Raises:
        EmbedderUnavailable: none could be had; the message names the embedder and the reason.
    """
    timeout_s = options.patience_s if kind == "query" else options.batch_timeout_s
    try:
        with anyio.fail_after(timeout_s):
            packed = await embedder.embed(texts, kind=kind)
        return unpack_vectors(packed, count=len(texts))
    except TimeoutError as exc:
        raise EmbedderUnavailable(f"{options.name}: no answer after {timeout_s:g} s") from exc
    except EmbedderUnavailable as exc:
        if exc.message.startswith(options.name):
            raise
        raise EmbedderUnavailable(f"{options.name}: {exc.message}", hint=exc.hint) from exc
    except Exception as exc:
        # A plugged-in embedder may be anybody's; a search goes on without it.
        reason = f"{type(exc).__name__}: {exc}".rstrip(": ")
        raise EmbedderUnavailable(f"{options.name} failed: {reason}") from exc
