"""What a program loads by a link: read for its principal, kept as a handle, counted as a call."""

import base64
import json
from typing import Any

import pytest
from tests.programs.fakes import (
    ANN,
    BEN,
    FakeLedger,
    FakeRoad,
    FakeSearcher,
    make_snapshot,
    make_tool,
)

from toolweft.core.client import NOBODY, CallingClient
from toolweft.core.countdown import Countdown
from toolweft.core.errors import ContentNotFound
from toolweft.core.handles import Draft, HandleStore
from toolweft.core.ids import RunId, SourceName
from toolweft.core.json import JsonObject
from toolweft.core.ports import GuestCall, GuestReply
from toolweft.core.principals import Principal
from toolweft.core.programs import ProgramLimits
from toolweft.programs.bridge import Desk, RunBridge
from toolweft.programs.links import GivenLinks
from toolweft.testing import CountingIds, FakeClock, FixedHolder, MemoryHandleStore

pytestmark = pytest.mark.promise("programs.links")

DOCS = SourceName("docs")


def link(name: str, source: str = "docs") -> JsonObject:
    return {"uri": f"memo://{name}", "name": None, "source": source}


class Library:
    """Has resources, each under the address it is asked for by."""

    def __init__(self, **contents: Any) -> None:
        self.contents = contents
        self.asked: list[tuple[Principal, str]] = []
        self.clients: list[CallingClient] = []
        self.within: list[Countdown | None] = []

    def for_principal(self, principal: Principal) -> "Shelf":
        return Shelf(self, principal)


class Shelf:
    def __init__(self, library: Library, principal: Principal) -> None:
        self._library, self._principal = library, principal

    async def read(
        self, uri: str, *, client: CallingClient = NOBODY, within: Countdown | None = None
    ) -> JsonObject:
        self._library.asked.append((self._principal, uri))
        self._library.clients.append(client)
        self._library.within.append(within)
        name = uri.rpartition("/")[2]
        if name not in self._library.contents:
            raise ContentNotFound(f"there is no resource {uri!r}")
        return {"contents": self._library.contents[name]}


@pytest.fixture
def store(clock: FakeClock, ids: CountingIds) -> MemoryHandleStore:
    return MemoryHandleStore(clock=clock, ids=ids)


def bridge(
    clock: FakeClock, library: Library | None, *, store: HandleStore | None, owner: Principal = ANN
) -> RunBridge:
    snapshot = make_snapshot(make_tool("docs.find"))
    desk = Desk(
        road=FakeRoad(snapshot),
        holder=FixedHolder(snapshot),
        searcher=FakeSearcher(),
        ledger=FakeLedger(),
        clock=clock,
        handles=store,
        reader_for=None if library is None else library.for_principal,
    )
    return RunBridge.open(desk, run_id=RunId("run_1"), principal=owner, limits=ProgramLimits())


async def give(run: RunBridge, clock: FakeClock, value: Any) -> None:
    """Have a tool answer with something."""
    road = run.desk.road
    assert isinstance(road, FakeRoad)
    road.answers["docs.find"] = value
    reply = await run.answer(
        GuestCall(
            index=1,
            name="docs.find",
            arguments=b"{}",
            countdown=Countdown(10.0, clock=clock),
            line=1,
        )
    )
    assert reply.failure is None
    run.records.clear()


async def load(run: RunBridge, clock: FakeClock, **arguments: Any) -> GuestReply:
    return await run.answer(
        GuestCall(
            index=1,
            name="load.info",
            arguments=json.dumps(arguments).encode(),
            countdown=Countdown(10.0, clock=clock),
            line=3,
        )
    )


@pytest.mark.parametrize(
    ("contents", "kind", "data"),
    [
        ([{"text": "a\nb", "mimeType": "text/markdown"}], "text", b"a\nb"),
        ([{"text": "<a/>", "mimeType": "application/xml"}], "text", b"<a/>"),
        ([{"text": "[1, 2]", "mimeType": "application/json"}], "json", b"[1, 2]"),
        ([{"text": "[1, 2]"}], "json", b"[1, 2]"),
        ([{"blob": base64.b64encode(b"\x89PNG").decode()}], "binary", b"\x89PNG"),
        ([{"text": "a"}, {"text": "b"}], "json", b'[{"text":"a"},{"text":"b"}]'),
    ],
)
async def test_a_link_becomes_a_handle_of_its_content(
    clock: FakeClock, store: MemoryHandleStore, contents: list[Any], kind: str, data: bytes
) -> None:
    library = Library(notes=contents)
    run = bridge(clock, library, store=store)
    await give(run, clock, ["see", link("notes")])

    info = json.loads((await load(run, clock, handle="memo://notes", source="docs")).payload)

    assert library.asked == [(ANN, "toolweft://resources/docs/memo://notes")]
    assert info["kind"] == kind
    assert await store.read(info["id"], owner=ANN, start=0, size_bytes=100) == data
    # The run's own clock holds for it, and it stands among the run's calls.
    assert library.within[0] is not None
    assert library.within[0].left_s() == 10.0
    assert [(r.tool, r.status, r.line) for r in run.records] == [("load", "ok", 3)]


async def test_an_address_alone_is_a_handles_name_first_and_a_given_link_then(
    clock: FakeClock, store: MemoryHandleStore
) -> None:
    library = Library(notes=[{"text": "theirs"}])
    run = bridge(clock, library, store=store)
    await give(run, clock, link("notes"))
    read = json.loads((await load(run, clock, handle="memo://notes")).payload)
    assert library.asked == [(ANN, "toolweft://resources/docs/memo://notes")]
    assert read["kind"] == "text"

    own = await store.keep(b"ours", owner=ANN, draft=Draft(name="memo://notes"))
    found = json.loads((await load(run, clock, handle="memo://notes")).payload)
    assert found["id"] == own.id
    assert len(library.asked) == 1


@pytest.mark.parametrize(
    "given",
    [
        None,
        # Somebody else's to give.
        link("notes", source="other"),
        link("others"),
        {"uri": 7, "source": "docs"},
        {"deep": link("notes")},
    ],
)
async def test_nothing_is_read_that_no_tool_of_the_source_gave(
    clock: FakeClock, store: MemoryHandleStore, given: Any
) -> None:
    library = Library(notes=[{"text": "x"}])
    run = bridge(clock, library, store=store)
    await give(run, clock, given)

    for source in ("docs", "other"):
        reply = await load(run, clock, handle="memo://notes", source=source)
        assert reply.failure is not None
        assert reply.failure.code == "denied"
        assert "gave a link to 'memo://notes'" in reply.failure.message
    reply = await load(run, clock, handle="memo://notes")
    assert reply.failure is not None
    assert reply.failure.code == "handle_not_found"
    assert library.asked == []


async def test_a_link_is_good_for_whom_it_was_given_and_in_later_runs(
    clock: FakeClock, store: MemoryHandleStore
) -> None:
    library = Library(notes=[{"text": "x"}])
    run = bridge(clock, library, store=store)
    await give(run, clock, link("notes"))

    bens = RunBridge.open(run.desk, run_id=RunId("b"), principal=BEN, limits=ProgramLimits())
    refused = await load(bens, clock, handle="memo://notes", source="docs")
    assert refused.failure is not None
    assert refused.failure.code == "denied"

    later = RunBridge.open(run.desk, run_id=RunId("a"), principal=ANN, limits=ProgramLimits())
    assert (await load(later, clock, handle="memo://notes", source="docs")).failure is None


def test_the_links_given_longest_ago_are_forgotten() -> None:
    links = GivenLinks()
    for number in range(10_001):
        links.note(link(str(number)), source=DOCS, owner=ANN)
    assert links.find("memo://0", owner=ANN) == ()
    assert links.find("memo://1", owner=ANN) == (DOCS,)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"handle": "memo://nowhere", "source": "docs"}, "content_not_found"),
        ({"handle": "memo://empty", "source": "docs"}, "tool_error"),
        ({"handle": "memo://odd", "source": "docs"}, "tool_error"),
        ({"handle": "memo://odd", "source": 7}, "invalid_arguments"),
        ({"source": "docs"}, "invalid_arguments"),
    ],
)
async def test_what_cannot_be_loaded_is_a_failure_of_that_call(
    clock: FakeClock, store: MemoryHandleStore, arguments: dict[str, Any], code: str
) -> None:
    run = bridge(clock, Library(empty=[], odd=[{"blob": "a"}]), store=store)
    await give(run, clock, [link("nowhere"), link("empty"), link("odd")])

    reply = await load(run, clock, **arguments)

    assert reply.failure is not None
    assert reply.failure.code == code
    assert [record.status for record in run.records] == [code]


async def test_where_nobody_reads_or_keeps_a_link_leads_nowhere(
    clock: FakeClock, store: MemoryHandleStore
) -> None:
    for run in (bridge(clock, None, store=store), bridge(clock, Library(), store=None)):
        await give(run, clock, link("notes"))
        for arguments in ({"source": "docs"}, {}):
            reply = await load(run, clock, handle="memo://notes", **arguments)
            assert reply.failure is not None
            assert reply.failure.code == "handle_not_found"
