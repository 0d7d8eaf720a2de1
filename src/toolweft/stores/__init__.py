"""What is kept in an SQL database: the ledger of events, and vectors of texts."""

from toolweft.stores.ledger import SqlLedger
from toolweft.stores.observed import ObservedLedger
from toolweft.stores.options import LedgerOptions
from toolweft.stores.reader import SqlLedgerReader, forget_searches
from toolweft.stores.vector_options import VectorStoreOptions
from toolweft.stores.vectors import SqlVectorStore

__all__ = (
    "LedgerOptions",
    "ObservedLedger",
    "SqlLedger",
    "SqlLedgerReader",
    "SqlVectorStore",
    "VectorStoreOptions",
    "forget_searches",
)
