"""Which embedder helps to rank, and how patiently it is asked."""

from dataclasses import dataclass
from pathlib import Path

from toolweft.core.secret import Secret

__all__ = ("EmbedderOptions",)

# A model in this process shares the processor with everything else, and is read at first use.
_ENDPOINT_TIMEOUT_S = 1.0
_FOLDER_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedderOptions:
    """An endpoint (`url` and `model`) or a folder (`path`)."""

    # Whatever answers POST {url}/embeddings as OpenAI does: "https://api.openai.com/v1".
    url: str = ""
    model: str = ""
    # Sent as a bearer token.
    key: Secret | None = None
    # Asked of models that can shorten their vectors; None leaves it to the model.
    dimensions: int | None = None
    # A sentence-transformers or ONNX folder.
    path: Path | None = None
    # Why it cannot be used as configured; searches go on without and say so.
    problem: str = ""
    # Set before each text; None takes what the folder's own files say.
    query_prefix: str | None = None
    tool_prefix: str | None = None
    # A search waits at most so long for the vectors of its queries; None for 1 s, and 5 s for a
    # folder.
    query_timeout_s: float | None = None
    # One batch of tools.
    batch_timeout_s: float = 60.0
    # Texts and characters of one batch.
    batch: int = 32
    batch_characters: int = 48_000
    # After a failure the embedder is left alone for so long.
    cooldown_s: float = 30.0
    # Of nearness by these vectors beside everything else, in [0, 1].
    weight: float = 0.3

    @property
    def place(self) -> str:
        """The endpoint as it may be shown: without user, password, query and fragment."""
        scheme, separator, rest = self.url.partition("://")
        authority, slash, path = rest.partition("/")
        host = authority.rpartition("@")[2]
        shown = f"{host}{slash}{path}".partition("?")[0].partition("#")[0]
        return f"{scheme}{separator}{shown}".rstrip("/")

    @property
    def name(self) -> str:
        """The embedder as messages call it."""
        if self.path is not None:
            return f"embedder {str(self.path)!r}"
        return f"embedder {self.model!r} at {self.place}"

    @property
    def patience_s(self) -> float:
        """How long a search waits for the vectors of its queries."""
        if self.query_timeout_s is not None:
            return self.query_timeout_s
        return _ENDPOINT_TIMEOUT_S if self.path is None else _FOLDER_TIMEOUT_S
