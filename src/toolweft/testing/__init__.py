"""Fakes for the ports of `toolweft.core`: time, identifiers, sources, catalogs, a ledger.

For tests of toolweft and of programs that use it. Nothing is patched: pass a fake where the real
thing would go.
"""

from toolweft.testing.calls import build_call
from toolweft.testing.catalogs import (
    FixedHolder,
    build_catalog,
    build_definition,
    build_snapshot,
)
from toolweft.testing.clock import FakeClock
from toolweft.testing.handles import MemoryHandleStore
from toolweft.testing.ids import CountingIds
from toolweft.testing.ledger import MemoryLedger
from toolweft.testing.retrieval import Retriever, retriever
from toolweft.testing.sources import FakeSource, RecordingListener, SourceChange, SourceRequest

__all__ = (
    "CountingIds",
    "FakeClock",
    "FakeSource",
    "FixedHolder",
    "MemoryHandleStore",
    "MemoryLedger",
    "RecordingListener",
    "Retriever",
    "SourceChange",
    "SourceRequest",
    "build_call",
    "build_catalog",
    "build_definition",
    "build_snapshot",
    "retriever",
)
