"""Runs in files: whole or not there, for their owners, for a while."""

import json
import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.calls import Failure, Principal
from toolweft.core.errors import RunNotFound, RunNotReplayable
from toolweft.core.ids import ContainerId, QualifiedName, RunId
from toolweft.core.journal import JournalCall, JournalRun
from toolweft.core.ports import GuestBlob, GuestNames, GuestReply
from toolweft.core.programs import ProgramError, ProgramLimits
from toolweft.stores.journal import FileJournal, JournalOptions, store
from toolweft.stores.journal.records import parse_run, render_run
from toolweft.testing import FakeClock

ANN, BEN = Principal("acme", "ann"), Principal("acme", "ben")
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Half a surrogate pair is no text that a reply could hold.
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


def encode(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def make_run(run_id: str = "run_1", **parts: object) -> JournalRun:
    run = JournalRun(
        run_id=RunId(run_id),
        principal=ANN,
        at=FakeClock().now(),
        code="print(await desk.add(a=1))",
        names=GuestNames(namespaces=("desk",), positional={"tools.search": ("query",)}),
        limits=ProgramLimits(),
        backend="process/ns",
        language="CPython 3.11.7",
        environment=None,
        container_id=ContainerId("c_1"),
        is_fresh=True,
        status="ok",
        stdout="2\n",
        value=b'{"x":1}',
        calls=(
            JournalCall(
                index=1,
                name="desk.add",
                arguments=b'{"a":1}',
                line=1,
                tool=QualifiedName("desk.add"),
                severity="read_only",
                reply=GuestReply(payload=b"2"),
                delivered=1,
            ),
        ),
    )
    return replace(run, **parts)


REPLIES = st.one_of(
    st.none(),
    st.builds(lambda value: GuestReply(payload=encode(value)), PLAIN),
    st.builds(
        lambda data: GuestReply(blobs=(GuestBlob(position=None, media_type="a/b", data=data),)),
        st.binary(max_size=40),
    ),
    st.just(GuestReply(payload=b"{\n}")),
    st.just(GuestReply(handle={"id": "h_1", "rows": None})),
    st.just(GuestReply(failure=Failure(code="denied", message="no", hint="ask"))),
)


@pytest.mark.promise("journal.round-trip")
@given(reply=REPLIES, arguments=PLAIN.map(encode) | st.binary(max_size=60))
def test_what_is_read_is_what_was_written(reply: GuestReply | None, arguments: bytes) -> None:
    call = replace(make_run().calls[0], reply=reply, arguments=arguments)
    run = make_run(
        calls=(call,),
        status="error",
        error=ProgramError(type="ValueError", message="bad\nline", line=3),
        value=b"",
    )

    text = b"".join(render_run(run))
    read = parse_run(text)

    assert len(text.splitlines()) >= 3
    assert read.calls[0].reply == reply or json.loads(read.calls[0].reply.payload) == json.loads(
        reply.payload
    )
    try:
        sent = json.loads(arguments)
    except ValueError:
        sent = arguments.decode("utf-8", "replace")
        assert read.calls[0].arguments.decode() == sent
    else:
        assert json.loads(read.calls[0].arguments) == sent or sent != sent
    assert replace(read, calls=()) == replace(run, calls=())


def test_no_guest_can_write_a_line_of_its_own() -> None:
    forged = b'{}\n{"call":2,"name":"forged"}'
    run = make_run(
        calls=(replace(make_run().calls[0], arguments=forged),),
        value=b'1}\n{"status":"ok"}',
        stdout='\n{"call":3}\n',
    )

    read = parse_run(b"".join(render_run(run)))

    assert [call.name for call in read.calls] == ["desk.add"]
    assert read.value == run.value


@pytest.fixture
def options(tmp_path: Path) -> JournalOptions:
    return JournalOptions(folder=tmp_path / "state" / "journal")


@pytest.fixture
async def journal(options: JournalOptions, clock: FakeClock) -> AsyncIterator[FileJournal]:
    async with FileJournal(options, clock=clock) as opened:
        yield opened


async def test_a_run_is_found_from_the_moment_it_was_kept(journal: FileJournal) -> None:
    journal.keep(make_run())

    assert await journal.find(RunId("run_1"), owner=ANN) == make_run()
    assert await journal.latest(owner=ANN) == "run_1"


async def test_many_runs_at_once_are_not_gathered_until_there_is_no_room(
    journal: FileJournal, options: JournalOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_GATHER_S", 3_600)

    def written() -> int:
        return len(list(options.folder.rglob("*.jsonl")))

    for kept in range(128, 1_024, 128):
        for number in range(kept - 128, kept):
            journal.keep(make_run(f"run_{number}"))
        for _ in range(1_000):
            if written() == kept:
                break
            await anyio.sleep(0.01)
        assert written() == kept


@pytest.mark.promise("journal.private")
async def test_files_are_for_their_user_alone_and_runs_for_their_owner(
    options: JournalOptions, clock: FakeClock
) -> None:
    os.umask(os.umask(0))
    async with FileJournal(options, clock=clock) as journal:
        journal.keep(make_run())
    paths = [options.folder, *options.folder.rglob("*")]
    async with FileJournal(options, clock=clock) as journal:
        found = await journal.find(RunId("run_1"), owner=ANN)
        for stranger in (BEN, Principal("other", "ann")):
            with pytest.raises(RunNotFound):
                await journal.find(RunId("run_1"), owner=stranger)
            with pytest.raises(RunNotFound):
                await journal.latest(owner=stranger)

    assert found == make_run()
    assert [path.suffix for path in paths if path.is_file()] == [".jsonl"]
    for path in paths:
        assert stat.S_IMODE(path.stat().st_mode) == (0o600 if path.is_file() else 0o700)


@pytest.mark.parametrize("run_id", ["../../etc/passwd", "run_1.jsonl", "", "run/1", "x" * 200])
async def test_only_an_id_becomes_part_of_a_path(journal: FileJournal, run_id: str) -> None:
    with pytest.raises(RunNotFound, match="journal"):
        await journal.find(RunId(run_id), owner=ANN)


@pytest.mark.promise("journal.retention")
async def test_what_is_too_old_is_not_found_and_then_removed(
    options: JournalOptions, clock: FakeClock
) -> None:
    async with FileJournal(options, clock=clock) as journal:
        journal.keep(make_run())
    clock.advance(options.keep_s)
    async with FileJournal(options, clock=clock) as journal:
        with pytest.raises(RunNotFound, match="run_1"):
            await journal.find(RunId("run_1"), owner=ANN)
        journal.keep(make_run("run_2", at=clock.now()))

    assert [path.stem for path in options.folder.rglob("*.jsonl")] == ["run_2"]


async def test_above_the_cap_the_oldest_of_the_same_owner_goes(
    options: JournalOptions, clock: FakeClock
) -> None:
    options = replace(options, max_bytes=6_000)
    big = {"stdout": "x" * 2_000}
    async with FileJournal(options, clock=clock) as journal:
        journal.keep(make_run("run_ben", principal=BEN))
        for number in range(4):
            at = clock.now() + timedelta(seconds=number)
            journal.keep(make_run(f"run_{number}", at=at, **big))

    left = {path.stem for path in options.folder.rglob("*.jsonl")}
    assert left == {"run_ben", "run_2", "run_3"}


async def test_a_folder_that_cannot_be_written_loses_the_run_and_says_so(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    async with FileJournal(JournalOptions(folder=tmp_path / "file"), clock=clock) as journal:
        journal.keep(make_run())

    assert "journal.lost" in [record.message for record in caplog.records]


async def test_a_broken_file_is_told_as_unreadable_not_as_missing(
    options: JournalOptions, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with FileJournal(options, clock=clock) as journal:
        journal.keep(make_run())
    [path] = options.folder.rglob("*.jsonl")
    path.write_bytes(path.read_bytes()[:-30])
    async with FileJournal(options, clock=clock) as journal:
        with pytest.raises(
            RunNotReplayable, match="is in the journal and cannot be read"
        ) as caught:
            await journal.find(RunId("run_1"), owner=ANN)

    assert str(path) in str(caught.value.hint)
    assert "journal.unreadable" in [record.message for record in caplog.records]


async def test_arguments_of_no_depth_end_the_journal(
    options: JournalOptions, clock: FakeClock
) -> None:
    """At one of these depths they can just be read, and not be written with what stands round."""
    deepest = sys.getrecursionlimit()
    depths = range(deepest - 100, deepest + 1)
    [call] = make_run().calls
    async with FileJournal(options, clock=clock) as journal:
        for depth in depths:
            deep = b"[" * depth + b"]" * depth
            refused = replace(call, arguments=deep, reply=None)
            journal.keep(make_run(f"run_{depth}", calls=(refused,)))

    written = {path.stem for path in options.folder.rglob("*.jsonl")}
    assert written == {f"run_{depth}" for depth in depths}
    async with FileJournal(options, clock=clock) as journal:
        for depth in depths:
            with suppress(RunNotFound):
                await journal.find(RunId(f"run_{depth}"), owner=ANN)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (0, b"[" * 100_000),
        (0, b"[]"),
        (0, {"code": 7}),
        (0, {"names": []}),
        (1, {"severity": "harmless"}),
        (1, {"delivered": "first"}),
        (2, {"stdout": 7}),
        (2, {"value": 7}),
        (2, {"wall_s": "long"}),
    ],
)
def test_lines_that_were_changed_are_no_run(line: int, told: bytes | dict[str, object]) -> None:
    lines = b"".join(render_run(make_run())).splitlines(keepends=True)
    parse_run(b"".join(lines))
    if isinstance(told, dict):
        told = json.dumps({**json.loads(lines[line]), **told}).encode()
    lines[line] = told + b"\n"
    with pytest.raises((ValueError, KeyError, TypeError)):
        parse_run(b"".join(lines))
