"""The ledger: append-only events in an SQL database."""

from toolweft.stores.ledger import SqlLedger
from toolweft.stores.options import LedgerOptions
from toolweft.stores.reader import SqlLedgerReader

__all__ = ("LedgerOptions", "SqlLedger", "SqlLedgerReader")
