import pytest
from tests.stores.events import call_finished, call_started

from toolweft.core.errors import LedgerUnavailable
from toolweft.core.events import Event
from toolweft.stores import ObservedLedger
from toolweft.testing import MemoryLedger


async def test_what_is_recorded_and_committed_is_shown_in_order() -> None:
    inner, seen = MemoryLedger(), list[Event]()
    ledger = ObservedLedger(inner, observe=seen.append)
    await ledger.commit(call_started())
    ledger.record(call_finished())
    await ledger.flush()

    assert seen == inner.events == [call_started(), call_finished()]
    assert inner.committed == [call_started()]
    assert ledger.durability == inner.durability


async def test_what_was_not_taken_is_not_shown() -> None:
    inner, seen = MemoryLedger(), list[Event]()
    inner.failure = "the disk is full"
    ledger = ObservedLedger(inner, observe=seen.append)
    with pytest.raises(LedgerUnavailable):
        ledger.record(call_started())
    with pytest.raises(LedgerUnavailable):
        await ledger.commit(call_started())
    with pytest.raises(LedgerUnavailable):
        await ledger.flush()

    assert seen == []


async def test_an_observer_that_fails_stops_no_record(caplog: pytest.LogCaptureFixture) -> None:
    def observe(event: Event) -> None:
        raise RuntimeError(f"cannot look at {event}")

    inner = MemoryLedger()
    ledger = ObservedLedger(inner, observe=observe)
    ledger.record(call_started())
    await ledger.commit(call_finished())

    assert inner.events == [call_started(), call_finished()]
    failed = [record.__dict__["event"] for record in caplog.records]
    assert failed == ["CallStarted", "CallFinished"]
