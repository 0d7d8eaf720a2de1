"""Saved programs: readable files, a folder for each version."""

from toolweft.stores.saved.options import SavedOptions
from toolweft.stores.saved.store import FileSavedStore

__all__ = ("FileSavedStore", "SavedOptions")
