"""Servers whose tools are remembered: shown at once, started by a call, stopped when idle."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.sources.support import (
    AT_ONCE,
    NEVER,
    PATIENT_S,
    SERVERS,
    WaitingListener,
    build_memory,
    is_alive,
    use,
)

from toolweft.core.clock import SystemClock
from toolweft.core.contents import NO_CONTENTS
from toolweft.core.discovery import Discovery
from toolweft.core.errors import SourceUnavailable
from toolweft.core.ids import SourceName
from toolweft.core.secret import Secret
from toolweft.sources import HttpServerOptions, SourceGroup, StdioServerOptions, StdioSource
from toolweft.sources.mcp.backoff import Patience
from toolweft.sources.mcp.identity import discovery_key

pytestmark = pytest.mark.process


class Remembering:
    """A cache in memory."""

    def __init__(self) -> None:
        self.known: dict[str, Discovery] = {}
        self.saved = anyio.Event()

    async def load(self, key: str) -> Discovery | None:
        return self.known.get(key)

    async def save(self, key: str, discovery: Discovery) -> None:
        self.known[key] = discovery
        self.saved.set()


def build(
    listener: WaitingListener,
    cache: Remembering,
    *,
    script: str = "plain.py",
    start_after: anyio.Event | None = None,
    **options: Any,
) -> StdioSource:
    mode = options.pop("mode", "good")
    given = StdioServerOptions(
        name=SourceName("plain"),
        command=sys.executable,
        # The last argument is not read by the server; it is what a test changes.
        args=(str(SERVERS / script), mode, *options.pop("more", ())),
        start_timeout_s=options.pop("start_timeout_s", PATIENT_S),
        **options,
    )
    return StdioSource(
        given,
        listener=listener,
        clock=SystemClock(),
        patience=Patience(start_timeout_s=given.start_timeout_s, again=AT_ONCE, never_ready=NEVER),
        memory=build_memory(cache, start_after=start_after),
    )


def states(listener: WaitingListener) -> list[str]:
    return [change.status.state for change in listener.changes]


def remembered(source: StdioSource, *, names: tuple[str, ...] = ("echo",), **more: Any) -> None:
    """Have its cache know some tools of it."""
    tools = [{"name": name, "inputSchema": {"type": "object"}} for name in names]
    more = {"listed_at": datetime.now(UTC)} | more
    cache = source._memory.cache
    cache.known[source._key] = Discovery(tools=tools, contents=NO_CONTENTS, **more)


@pytest.mark.promise("discovery.shown", "discovery.demand")
async def test_remembered_tools_are_there_at_once_and_the_first_call_starts_the_server(
    listener: WaitingListener,
) -> None:
    cache = Remembering()
    source = build(listener, cache)
    remembered(source, names=("echo", "gone"), instructions="Be quick.")
    async with SourceGroup([source], listener=listener):
        status = await listener.wait_for("plain", "idle")
        assert (status.tool_count, status.instructions, status.start_s) == (2, "Be quick.", None)
        assert source.reporter.settled.is_set()
        result = await use(source, "echo", word="tide")
        assert result.structured == {"word": "tide"}
        # What it lists now takes the place of what was remembered, here and in the cache.
        status = await listener.wait_for("plain", "ready")
        assert status.instructions == "Be plain."
        assert "gone" not in listener.tool_names("plain")
        with anyio.fail_after(PATIENT_S):
            await cache.saved.wait()
        (kept,) = cache.known.values()
        assert [tool["name"] for tool in kept.tools] == listener.tool_names("plain")


@pytest.mark.promise("discovery.demand")
async def test_calls_at_once_start_one_server(listener: WaitingListener, tmp_path: Path) -> None:
    source = build(listener, Remembering())
    remembered(source)
    pids = []

    async def call() -> None:
        pids.append((await use(source, "environment")).content)

    async with SourceGroup([source], listener=listener):
        await listener.wait_for("plain", "idle")
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(call)
    assert len(pids) == 5
    assert states(listener).count("ready") == 1


@pytest.mark.promise("discovery.rest")
async def test_a_server_that_nobody_calls_is_stopped_and_comes_back(
    listener: WaitingListener,
) -> None:
    source = build(listener, Remembering(), idle_stop_s=0.3)
    async with SourceGroup([source], listener=listener):
        await listener.wait_for("plain", "ready")
        child = int((await use(source, "child")).content[0].text)
        await listener.wait_for("plain", "idle")
        with anyio.fail_after(PATIENT_S):
            while is_alive(child):  # noqa: ASYNC110 (a death gives no event)
                await anyio.sleep(0.05)
        assert (await use(source, "echo", word="again")).structured == {"word": "again"}
        assert listener.latest("plain").state == "ready"
        assert "failed" not in states(listener)


@pytest.mark.promise("discovery.rest")
async def test_a_server_is_not_stopped_during_a_call(listener: WaitingListener) -> None:
    source = build(listener, Remembering(), idle_stop_s=0.2)
    async with SourceGroup([source], listener=listener):
        await listener.wait_for("plain", "ready")
        with anyio.move_on_after(1.0):
            await use(source, "hang")
        assert listener.latest("plain").state == "ready"
        await listener.wait_for("plain", "idle")


async def test_an_eager_server_starts_at_once_and_stays(listener: WaitingListener) -> None:
    source = build(listener, Remembering(), eager=True, idle_stop_s=0.1)
    remembered(source)
    async with SourceGroup([source], listener=listener):
        await listener.wait_for("plain", "ready")
        await anyio.sleep(0.5)
        assert states(listener) == ["starting", "starting", "ready"]
        assert listener.changes[1].status.tool_count == 1


@pytest.mark.promise("discovery.behind")
@pytest.mark.parametrize(
    ("options", "known"),
    [({"eager": True}, {}), ({}, {"listed_at": datetime.now(UTC) - timedelta(hours=2)})],
    ids=["eager", "old"],
)
async def test_a_remembered_server_starts_behind_the_first_answers(
    listener: WaitingListener, options: dict[str, Any], known: dict[str, Any]
) -> None:
    start_after = anyio.Event()
    source = build(listener, Remembering(), start_after=start_after, **options)
    remembered(source, **known)
    async with SourceGroup([source], listener=listener):
        await source.reporter.settled.wait()
        assert listener.tool_names("plain") == ["echo"]
        await anyio.sleep(0.5)
        assert states(listener) == ["starting", "starting"]
        start_after.set()
        await listener.wait_for("plain", "ready")


@pytest.mark.promise("discovery.behind")
@pytest.mark.parametrize("is_known", [True, False], ids=["called", "not remembered"])
async def test_a_server_that_is_needed_before_waits_for_nothing(
    listener: WaitingListener, is_known: bool
) -> None:
    source = build(listener, Remembering(), start_after=anyio.Event(), eager=True)
    if is_known:
        remembered(source)
    async with SourceGroup([source], listener=listener):
        with anyio.fail_after(PATIENT_S):
            await source.ensure_live()
        assert listener.latest("plain").state == "ready"


@pytest.mark.parametrize(
    "old",
    [
        {"listed_at": datetime.now(UTC) - timedelta(hours=2)},
        {"listed_at": datetime.now(UTC) + timedelta(hours=2)},
        {"listed_at": datetime.now(UTC) - timedelta(minutes=2), "ttl_s": 60.0},
    ],
    ids=["old", "of the future", "past its own time"],
)
async def test_an_old_listing_is_shown_at_once_and_asked_for_anew(
    listener: WaitingListener, old: dict[str, Any]
) -> None:
    source = build(listener, Remembering())
    remembered(source, **old)
    async with SourceGroup([source], listener=listener):
        await listener.wait_for("plain", "ready")
    # It is there before its memory is read.
    begun, first = (change.status for change in listener.changes[:2])
    assert (begun.state, begun.tool_count) == ("starting", 0)
    assert (first.state, first.tool_count) == ("starting", 1)


@pytest.mark.promise("discovery.down")
async def test_a_server_that_cannot_be_started_says_why_and_is_tried_once_more(
    listener: WaitingListener,
) -> None:
    source = build(listener, Remembering(), mode="crash")
    remembered(source)
    async with SourceGroup([source], listener=listener) as group:
        await listener.wait_for("plain", "idle")
        with pytest.raises(SourceUnavailable, match="exited with code 1"):
            await use(source, "echo")
        assert listener.latest("plain").state == "failed"
        assert listener.tool_names("plain") == ["echo"]
        # A moment ago is no news: a thousand calls do not start a thousand processes.
        tried = len(listener.changes)
        for _ in range(20):
            with pytest.raises(SourceUnavailable):
                await use(source, "echo")
        assert len(listener.changes) == tried
        source._demand._failed_at_s -= 60.0
        with anyio.fail_after(PATIENT_S):
            await group.settle_one(SourceName("plain"))
        assert source._demand._failed_at_s > SystemClock().monotonic_s() - 30


async def test_a_call_that_starts_a_silent_server_ends_with_its_start(
    listener: WaitingListener,
) -> None:
    source = build(listener, Remembering(), mode="silent", start_timeout_s=0.5)
    remembered(source)
    async with SourceGroup([source], listener=listener):
        await listener.wait_for("plain", "idle")
        with pytest.raises(SourceUnavailable, match=r"did not list its tools within 0\.5 s"):
            await use(source, "echo")


async def test_a_source_that_was_never_needed_stops_without_having_started(
    listener: WaitingListener,
) -> None:
    source = build(listener, Remembering())
    remembered(source)
    async with SourceGroup([source], listener=listener):
        await listener.wait_for("plain", "idle")
    assert states(listener) == ["starting", "idle", "stopped"]


STDIO = StdioServerOptions(name=SourceName("a"), command="serve", args=("x",), env={"K": "v"})
HTTP = HttpServerOptions(name=SourceName("a"), url="http://127.0.0.1/mcp", headers={"K": "v"})


@pytest.mark.promise("discovery.private")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (STDIO, {"command": "other"}),
        (STDIO, {"args": ("y",)}),
        (STDIO, {"env": {"K": Secret("w", reference="env:K")}}),
        (STDIO, {"cwd": Path("/")}),
        (HTTP, {"url": "http://127.0.0.1/other"}),
        (HTTP, {"headers": {"K": "w"}}),
    ],
)
def test_another_server_or_credential_has_another_key(one: Any, other: dict[str, Any]) -> None:
    changed = type(one)(**{f: getattr(one, f) for f in one.__dataclass_fields__} | other)
    assert discovery_key(changed) != discovery_key(one)
    assert discovery_key(STDIO) != discovery_key(HTTP)
    assert len(discovery_key(one)) == 64


def test_a_name_and_a_reference_are_no_part_of_the_key() -> None:
    env = {"K": Secret("v", reference="env:K")}
    renamed = StdioServerOptions(name=SourceName("b"), command="serve", args=("x",), env=env)
    assert discovery_key(renamed) == discovery_key(STDIO)
