"""Stored results: files under the state folder, found only by their owners."""

from toolweft.stores.handles.options import HandleOptions
from toolweft.stores.handles.store import FileHandleStore

__all__ = ("FileHandleStore", "HandleOptions")
