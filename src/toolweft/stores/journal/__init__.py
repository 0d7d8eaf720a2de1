"""Runs with their raw values: files that only their owners find, for a while."""

from toolweft.stores.journal.options import JournalOptions
from toolweft.stores.journal.store import FileJournal

__all__ = ("FileJournal", "JournalOptions")
