"""The sections of `toolweft.toml` about what is kept: ledger, handles, journal, saved programs."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from toolweft.config.quantities import Bytes, Count, Seconds, SecondsOrZero, Section, Texts
from toolweft.stores.discovery_options import DiscoveryOptions
from toolweft.stores.handles import HandleOptions
from toolweft.stores.journal import JournalOptions
from toolweft.stores.options import LedgerOptions
from toolweft.stores.saved import SavedOptions

__all__ = ("DiscoveryModel", "HandlesModel", "JournalModel", "LedgerModel", "SavedModel")

_LEDGER = LedgerOptions(url="")
_DISCOVERY = DiscoveryOptions()
_HANDLES = HandleOptions(folder=Path())
_JOURNAL = JournalOptions(folder=Path())
_SAVED = SavedOptions(folder=Path())


class LedgerModel(Section):
    """Where calls and runs are recorded."""

    url: str | None = Field(
        default=None,
        min_length=1,
        description="'sqlite:///PATH'; without it, toolweft/ledger.db under $XDG_STATE_HOME.",
    )
    synchronous: Literal["NORMAL", "FULL"] = Field(
        default="NORMAL", description="NORMAL survives a killed process, FULL a power loss too."
    )
    max_queued: Count = _LEDGER.max_queued
    commit_timeout_s: Seconds = _LEDGER.commit_timeout_s
    retry_s: Seconds = _LEDGER.retry_s
    busy_timeout_s: SecondsOrZero = _LEDGER.busy_timeout_s
    # It becomes part of SQL names.
    table_prefix: str = Field(
        default=_LEDGER.table_prefix, pattern=r"^[A-Za-z0-9_]*$", max_length=40
    )


class HandlesModel(Section):
    """Stored results: what is too large to be a value or to be shown."""

    folder: str | None = Field(
        default=None,
        min_length=1,
        description="Without it, toolweft/handles under $XDG_STATE_HOME.",
    )
    expire_s: Seconds = _HANDLES.expire_s
    max_bytes: Bytes = _HANDLES.max_bytes
    max_handles: Count = _HANDLES.max_handles
    max_total_bytes: Bytes = _HANDLES.max_total_bytes
    sweep_s: Seconds = _HANDLES.sweep_s


class DiscoveryModel(Section):
    """Servers' tools, remembered from one start to the next."""

    folder: str | None = Field(
        default=None,
        description="Without it, toolweft/discovery under $XDG_CACHE_HOME; '' remembers nothing.",
    )
    refresh_s: Seconds = _DISCOVERY.refresh_s
    keep_s: Seconds = _DISCOVERY.keep_s
    max_bytes: Bytes = _DISCOVERY.max_bytes


class JournalModel(Section):
    """What programs asked and got, for replay and for saving them: raw values, for a while."""

    enabled: bool = _JOURNAL.enabled
    principals: Literal["local", "all"] = Field(
        default=_JOURNAL.principals,
        description='"local": runs of whoever runs toolweft. "all": of the users of its keys too.',
    )
    folder: str | None = Field(
        default=None,
        min_length=1,
        description="Without it, toolweft/journal under $XDG_STATE_HOME.",
    )
    keep_s: Seconds = _JOURNAL.keep_s
    max_bytes: Bytes = _JOURNAL.max_bytes
    max_run_bytes: Bytes = _JOURNAL.max_run_bytes
    exclude: Texts = Field(
        default=_JOURNAL.exclude,
        description="Tools, as programs name them, whose values are never kept; globs are allowed.",
    )
    sweep_s: Seconds = _JOURNAL.sweep_s


class SavedModel(Section):
    """Programs kept as tools."""

    folder: str | None = Field(
        default=None,
        min_length=1,
        description="Without it, toolweft/saved under $XDG_DATA_HOME.",
    )
    max_depth: Count = Field(default=_SAVED.max_depth, le=16)
