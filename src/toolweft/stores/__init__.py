"""Events and vectors in an SQL database, and what is remembered of servers in files."""

from toolweft.stores.answers import AnswerFile
from toolweft.stores.derived import FileDerivedCache
from toolweft.stores.discoveries import FileDiscoveryCache
from toolweft.stores.discovery_files import clear_discoveries
from toolweft.stores.discovery_options import DiscoveryOptions
from toolweft.stores.ledger import SqlLedger
from toolweft.stores.observed import ObservedLedger
from toolweft.stores.options import LedgerOptions
from toolweft.stores.reader import SqlLedgerReader, forget_searches
from toolweft.stores.vector_options import VectorStoreOptions
from toolweft.stores.vectors import SqlVectorStore

__all__ = (
    "AnswerFile",
    "DiscoveryOptions",
    "FileDerivedCache",
    "FileDiscoveryCache",
    "LedgerOptions",
    "ObservedLedger",
    "SqlLedger",
    "SqlLedgerReader",
    "SqlVectorStore",
    "VectorStoreOptions",
    "clear_discoveries",
    "forget_searches",
)
