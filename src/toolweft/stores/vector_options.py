"""Where vectors of texts are kept."""

from dataclasses import dataclass

__all__ = ("VectorStoreOptions",)


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorStoreOptions:
    """An SQLAlchemy database address, apart from the ledger's so that neither waits for the other.

    What is lost here is computed again.
    """

    # "sqlite:///PATH"; "postgresql+psycopg://USER@HOST/NAME" shares the vectors.
    url: str
    # How long one question may take before it is given up.
    timeout_s: float = 5.0
    # How long another process may hold the database.
    busy_timeout_s: float = 2.0
    # Of one model; those kept first go first.
    max_vectors: int = 500_000
    # Before the table's name.
    table_prefix: str = ""
