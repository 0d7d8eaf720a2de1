"""A server's contents between its connections: remembered, followed, and whose process is read."""

import sys
from typing import Any

import anyio
import pytest
from tests.sources.mcp.test_lazy_life import Remembering
from tests.sources.support import (
    AT_ONCE,
    NEVER,
    PATIENT_S,
    SERVERS,
    WaitingListener,
    build_memory,
    use,
)

from toolweft.calls.contents import ContentNews
from toolweft.core.clock import SystemClock
from toolweft.core.contents import NO_CONTENTS, ContentUse, ResourceChanged
from toolweft.core.countdown import Countdown
from toolweft.core.errors import SourceUnavailable
from toolweft.core.ids import SourceName
from toolweft.core.principals import LOCAL, Principal
from toolweft.sources import SourceGroup, StdioServerOptions, StdioSource
from toolweft.sources.mcp.backoff import Patience

pytestmark = pytest.mark.process
ANNA, BEN = Principal("t", "anna", None), Principal("t", "ben", None)


class Hearing:
    def __init__(self) -> None:
        self.heard: list[Any] = []

    def contents_changed(self, source: SourceName, kinds: Any) -> None:
        self.heard.append((source, set(kinds)))

    def resource_changed(self, change: ResourceChanged) -> None:
        self.heard.append(change)


def build(
    listener: WaitingListener, *modes: str, memory: Remembering | None = None, **options: Any
) -> StdioSource:
    news = ContentNews()
    news.subscribe(options.pop("hearing", Hearing()))
    return StdioSource(
        StdioServerOptions(
            name=SourceName("books"),
            command=sys.executable,
            args=(str(SERVERS / "library.py"), "stdio", *modes),
            **options,
        ),
        listener=listener,
        clock=SystemClock(),
        patience=Patience(start_timeout_s=PATIENT_S, again=AT_ONCE, never_ready=NEVER),
        memory=None if memory is None else build_memory(memory),
        news=news,
    )


def reading(principal: Principal = LOCAL) -> ContentUse:
    countdown = Countdown(PATIENT_S, clock=SystemClock())
    return ContentUse(principal=principal, countdown=countdown)


async def test_a_followed_server_is_not_stopped_for_idleness(listener: WaitingListener) -> None:
    source = build(listener, "legacy", idle_stop_s=0.2)
    async with SourceGroup([source], listener=listener):
        await listener.wait_for("books", "ready")
        end = source.subscribe("memo://insights")
        with anyio.move_on_after(1.0):
            await listener.wait_for("books", "idle")
        assert source.reporter.status.state == "ready"

        end()
        end()
        await listener.wait_for("books", "idle")


async def test_following_starts_a_server_that_is_down(listener: WaitingListener) -> None:
    memory = Remembering()
    first = build(listener, "legacy", memory=memory)
    async with SourceGroup([first], listener=listener):
        await listener.wait_for("books", "ready")
        with anyio.fail_after(PATIENT_S):
            await first.settle_contents()
            while next(iter(memory.known.values())).contents == NO_CONTENTS:  # noqa: ASYNC110
                await anyio.sleep(0.02)
    hearing = Hearing()
    second = build(listener, "legacy", memory=memory, hearing=hearing)
    async with SourceGroup([second], listener=listener):
        await listener.wait_for("books", "idle")
        assert second.contents == first.contents
        second.subscribe("memo://insights")
        await listener.wait_for("books", "ready")
        with anyio.fail_after(PATIENT_S):
            while ResourceChanged(source=second.name, uri="memo://insights") not in hearing.heard:
                await use(second, "touch", uri="memo://insights")


async def test_with_isolation_each_principal_reads_in_a_process_of_its_own(
    listener: WaitingListener,
) -> None:
    source = build(listener, "modern", isolation="principal")
    async with SourceGroup([source], listener=listener):
        with anyio.fail_after(PATIENT_S):
            await source.settle_contents()
            await source.read_resource("memo://insights", reading(ANNA))
            await source.read_resource("memo://shelf/one", reading(BEN))
            seen = {
                who.user: (await source.read_resource("memo://reads", reading(who)))["contents"]
                for who in (ANNA, BEN)
            }

    assert len(source.contents.resources.entries) == 3
    assert seen["anna"][0]["text"] == '["memo://insights", "memo://reads"]'
    assert seen["ben"][0]["text"] == '["memo://shelf/one", "memo://reads"]'


async def test_a_server_that_dies_while_it_is_read_says_so(listener: WaitingListener) -> None:
    source = build(listener, "modern")
    async with SourceGroup([source], listener=listener):
        await listener.wait_for("books", "ready")
        with anyio.fail_after(PATIENT_S), pytest.raises(SourceUnavailable, match="broke off"):
            await source.read_resource("memo://fatal", reading())
