"""What servers of every revision ask during calls, and what they get as answers."""

from dataclasses import replace

import anyio
import pytest
from tests.sources.mcp.asked import (
    EVERYTHING,
    SAMPLED,
    AskedClient,
    asking_source,
    call,
    refuse,
)
from tests.sources.support import PATIENT_S, WaitingListener

from toolweft.calls.options import CallOptions
from toolweft.calls.road import Road
from toolweft.core.client import NOBODY, Ask
from toolweft.core.clock import SystemClock
from toolweft.core.errors import AskRefused
from toolweft.policies.deadline import Deadline
from toolweft.testing import FixedHolder, MemoryLedger, build_call, build_definition, build_snapshot

pytestmark = [pytest.mark.process, pytest.mark.network]

MODERN = "2026-07-28"
EVERY_KIND = [
    (transport, revision)
    for transport in ("stdio", "http")
    for revision in (MODERN, "2025-11-25", "2025-06-18", "2024-11-05")
]
NAMED = {"action": "accept", "content": {"name": "Ada", "age": 36}}
ROOTS = {"roots": [{"uri": "file:///home/Ada", "name": "home"}]}


@pytest.mark.promise("ask.answered")
@pytest.mark.parametrize(("transport", "revision"), EVERY_KIND)
async def test_every_question_is_answered_by_the_client_of_the_call(
    transport: str, revision: str, listener: WaitingListener
) -> None:
    client = AskedClient(wants_progress=True, log_level="info", meta={"traceparent": "00-1-2-01"})
    async with asking_source(transport, revision, listener) as source:
        assert source.reporter.status.protocol_version == revision
        found = {
            tool: await call(source, tool, client)
            for tool in ("ask_form", "ask_url", "ask_sample", "ask_roots", "ask_many", "progress")
        }
        assert found["ask_sample"] == {"it": SAMPLED}
        assert found["ask_roots"] == {"it": ROOTS}
        assert [p.progress for p in client.progress] == [1, 2, 3]
        assert client.progress[1].message == "step 2"
        await call(source, "logs", client)
        assert client.lines == [(lvl, {"line": lvl}, "tests") for lvl in ("info", "error")]
        seen = await call(source, "seen", client)
        assert seen["meta"]["traceparent"] == "00-1-2-01"
        assert seen["lists"] == 1
        if revision == "2024-11-05":
            # Its wire has no such question.
            assert found["ask_form"] == {"it": {"refused": "Method not found"}}
            return
        assert found["ask_form"] == {"it": NAMED}
        assert found["ask_many"] == {"who": NAMED, "what": SAMPLED, "where": ROOTS}
        first = NAMED if revision != MODERN else {**NAMED, "content": {"name": "Ada"}}
        assert await call(source, "ask_twice", client) == {"first": first, "second": NAMED}
        if revision in {MODERN, "2025-11-25"}:
            assert found["ask_url"] == {"it": {"action": "accept"}}
            tooled = await call(source, "ask_sample_tools", client)
            assert tooled["it"]["content"] == SAMPLED["content"]
    asks = {ask.about: ask for ask in client.asks}
    assert asks["ask_form"].params["message"] == "bank asks: Who?"
    assert asks["ask_form"].params["requestedSchema"]["required"] == ["name"]
    if "ask_url" in asks:
        message = asks["ask_url"].params["message"]
        assert message == "bank asks to open pay.example: Pay"


BOTH_ERAS = [("stdio", MODERN), ("stdio", "2025-11-25")]


@pytest.mark.promise("ask.refused")
@pytest.mark.parametrize(
    "tool", ["ask_form", "ask_url", "ask_sample", "ask_sample_tools", "ask_roots"]
)
async def test_what_a_client_does_not_offer_is_refused_and_the_call_goes_on(
    tool: str, listener: WaitingListener
) -> None:
    little = {
        "ask_form": {"elicitation": {"url": {}}},
        "ask_url": {"elicitation": {}},
        "ask_sample_tools": {"sampling": {}},
    }.get(tool, {})
    client = AskedClient(capabilities=little)
    async with asking_source("stdio", "2025-11-25", listener) as source:
        found = await call(source, tool, client)
        assert "has not declared" in found["it"]["refused"]
        assert await call(source, tool, AskedClient()) != found
    assert client.asks == []


@pytest.mark.promise("ask.refused")
async def test_without_anybody_there_a_question_is_refused(listener: WaitingListener) -> None:
    async with asking_source("stdio", "2025-11-25", listener) as source:
        found = await call(source, "ask_form", NOBODY)
        assert "nobody is there to answer" in found["it"]["refused"]
    async with asking_source("stdio", MODERN, listener) as source:
        with pytest.raises(AskRefused, match="nobody is there to answer"):
            await call(source, "ask_form", NOBODY)


@pytest.mark.promise("ask.refused")
async def test_a_question_that_nobody_answers_ends_and_the_call_goes_on(
    listener: WaitingListener,
) -> None:
    async with asking_source("stdio", "2025-11-25", listener) as source:
        found = await call(source, "ask_form", AskedClient(answer=refuse))
        assert found["it"]["refused"].startswith("nobody answered in time")
    async with asking_source("stdio", MODERN, listener) as source:
        with pytest.raises(AskRefused, match="nobody answered in time"):
            await call(source, "ask_many", AskedClient(answer=refuse))


async def test_a_client_that_fails_gives_its_server_an_error_and_no_silence(
    listener: WaitingListener,
) -> None:
    async def break_down(ask: Ask) -> dict[str, object]:
        raise ZeroDivisionError("oh")

    async with asking_source("stdio", "2025-11-25", listener) as source:
        found = await call(source, "ask_form", AskedClient(answer=break_down))
        assert found["it"]["refused"] == "the client could not be asked"
        assert await call(source, "ask_form", AskedClient()) == {"it": NAMED}


@pytest.mark.promise("ask.checked")
@pytest.mark.parametrize(("transport", "revision"), BOTH_ERAS)
@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ({"action": "accept", "content": {"age": 3}}, "$.name: it is required"),
        ({"action": "accept", "content": {"name": 3}}, "$.name: 3 is no string"),
        ({"action": "accept", "content": {"name": "A", "age": 1.5}}, "$.age: 1.5 is no integer"),
        ({"action": "accept"}, "$.name: it is required"),
        ({"action": "maybe"}, "cannot be used"),
    ],
)
async def test_an_answer_that_does_not_fit_never_reaches_the_server(
    transport: str,
    revision: str,
    answer: dict[str, object],
    fault: str,
    listener: WaitingListener,
) -> None:
    async def give(ask: Ask) -> dict[str, object]:
        return answer

    async with asking_source(transport, revision, listener) as source:
        if revision == MODERN:
            with pytest.raises(AskRefused) as caught:
                await call(source, "ask_form", AskedClient(answer=give))
            assert fault in str(caught.value)
        else:
            found = await call(source, "ask_form", AskedClient(answer=give))
            assert fault in found["it"]["refused"]


@pytest.mark.parametrize(("transport", "revision"), BOTH_ERAS)
async def test_who_declines_is_reported_to_have_declined(
    transport: str, revision: str, listener: WaitingListener
) -> None:
    async def decline(ask: Ask) -> dict[str, object]:
        return {"action": "decline", "content": {"name": "left over"}}

    async with asking_source(transport, revision, listener) as source:
        found = await call(source, "ask_form", AskedClient(answer=decline))
        assert found == {"it": {"action": "decline"}}


@pytest.mark.promise("ask.shown")
@pytest.mark.parametrize(("transport", "revision"), BOTH_ERAS)
async def test_an_address_that_nobody_should_open_is_refused(
    transport: str, revision: str, listener: WaitingListener
) -> None:
    client = AskedClient()
    async with asking_source(transport, revision, listener) as source:
        for url in ("javascript:alert(1)", "file:///etc/passwd", "https://"):
            if revision == MODERN:
                with pytest.raises(AskRefused, match="not http:// or https://"):
                    await call(source, "ask_url", client, {"url": url})
            else:
                found = await call(source, "ask_url", client, {"url": url})
                assert "not http:// or https://" in found["it"]["refused"]
    assert client.asks == []


async def test_texts_are_left_alone_where_that_is_wanted(listener: WaitingListener) -> None:
    client = AskedClient()
    async with asking_source("stdio", MODERN, listener, label_asks=False) as source:
        await call(source, "ask_form", client)
    assert client.asks[0].params["message"] == "Who?"


@pytest.mark.promise("ask.rounds")
async def test_a_server_that_never_has_enough_is_given_up(listener: WaitingListener) -> None:
    client = AskedClient()
    async with asking_source("stdio", MODERN, listener) as source:
        with pytest.raises(AskRefused, match="asked back more than 10 times"):
            await call(source, "ask_forever", client)
        assert len(client.asks) == 11
        # One that only wants to be called again is.
        assert await call(source, "ask_state_only", client) == {"done": True}


@pytest.mark.promise("ask.rounds")
async def test_a_server_that_asks_without_end_is_refused_at_last(listener: WaitingListener) -> None:
    client = AskedClient()
    async with asking_source("stdio", "2025-11-25", listener) as source:
        found = await call(source, "ask_lots", client, {"times": 66})
        assert found["refused"] == ["'bank' asked 64 questions, and may ask no more"] * 2
        assert len(client.asks) == 64
        # Of one call.
        assert await call(source, "ask_form", client) == {"it": NAMED}


@pytest.mark.promise("ask.address-error")
async def test_addresses_of_an_error_are_opened_and_the_call_is_made_again(
    listener: WaitingListener,
) -> None:
    client = AskedClient()
    async with asking_source("stdio", "2025-11-25", listener) as source:
        assert await call(source, "need_url", client, {"times": 1}) == {"times": 2}
        asked = [ask.params["message"] for ask in client.asks]
        assert asked == ["bank asks to open login.example: Sign in"]
        # Another address is another question; the same one is not asked for twice.
        assert await call(source, "need_url", client, {"times": 5, "fresh": True}) == {"times": 6}
        assert len(client.asks) == 4
        with pytest.raises(AskRefused, match="still wants an address"):
            await call(source, "need_url", client, {"times": 100})
        assert len(client.asks) == 5
        plain = AskedClient(capabilities={"elicitation": {}})
        with pytest.raises(AskRefused, match=r"has not declared 'elicitation\.url'"):
            await call(source, "need_url", plain, {"times": 100})


@pytest.mark.promise("ask.clocks")
@pytest.mark.parametrize(("transport", "revision"), BOTH_ERAS)
async def test_the_time_that_a_person_takes_does_not_count(
    transport: str, revision: str, listener: WaitingListener
) -> None:
    client = AskedClient()

    async def think(ask: Ask) -> dict[str, object]:
        await anyio.sleep(1.0)
        return client.own_answer(ask)

    client = AskedClient(answer=think)
    names = ("bank.ask_form", "bank.hang")
    tools = [replace(build_definition(name), timeout_s=0.5) for name in names]
    async with asking_source(transport, revision, listener) as source:
        road = Road(
            holder=FixedHolder(build_snapshot(tools)),
            find_source=lambda name: source,
            policies=[Deadline()],
            ledger=MemoryLedger(),
            clock=SystemClock(),
            options=CallOptions(),
        )
        await call(source, "stay", client)
        made = build_call("bank.ask_form", timeout_s=PATIENT_S, client=client)
        result = await road.call(made)
        assert result.failure is None
        assert result.value == {"it": NAMED}
        assert 0.9 < made.countdown.held_s() < PATIENT_S
        # Without a person that limit holds.
        late = await road.call(build_call("bank.hang", timeout_s=PATIENT_S, client=client))
        assert late.failure is not None
        assert late.failure.code == "timeout"


@pytest.mark.promise("ask.capabilities")
@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_a_server_sees_what_the_client_of_each_call_offers(
    transport: str, listener: WaitingListener
) -> None:
    async with asking_source(transport, MODERN, listener) as source:

        async def offered(capabilities: dict[str, object]) -> object:
            client = AskedClient(capabilities=capabilities)
            return (await call(source, "seen", client))["capabilities"]

        assert await offered({}) == {}
        assert await offered({"elicitation": {}}) == {"elicitation": {"form": {}}}
        more = {"roots": {"listChanged": True}, "tasks": {}, "experimental": {"x": {}}}
        assert await offered(more) == {"roots": {}}
        assert await offered(EVERYTHING) == {**EVERYTHING, "roots": {}}
    async with asking_source(transport, "2025-11-25", listener) as source:
        # Said once, for all clients there may ever be.
        shown = (await call(source, "seen", AskedClient(capabilities={})))["capabilities"]
        assert shown == EVERYTHING


async def test_progress_and_log_lines_come_only_where_they_are_wanted(
    listener: WaitingListener,
) -> None:
    for revision in (MODERN, "2025-11-25"):
        quiet, loud = AskedClient(), AskedClient(wants_progress=True, log_level="debug")
        async with asking_source("stdio", revision, listener) as source:
            assert await call(source, "progress", quiet) == {"asked": False}
            await call(source, "logs", quiet)
            assert await call(source, "progress", loud) == {"asked": True}
            await call(source, "logs", loud)
            seen = await call(source, "seen", AskedClient(log_level="error"))
            await call(source, "logs", quiet)
        assert (quiet.progress, quiet.lines) == ([], [])
        assert len(loud.progress) == len(loud.lines) == 3
        # The lowest level that any client asked for, told once.
        assert seen["events"] == ([] if revision == MODERN else ["level debug"])


async def test_only_what_is_meant_for_the_far_end_is_passed_on(listener: WaitingListener) -> None:
    meta = {
        "traceparent": "00-1-2-01",
        "vendor/x": {"deep": None},
        "progressToken": 7,
        "io.modelcontextprotocol/clientInfo": {"name": "foreign"},
        "io.modelcontextprotocol/other": 1,
    }
    for revision in (MODERN, "2025-11-25"):
        async with asking_source("stdio", revision, listener) as source:
            seen = (await call(source, "seen", AskedClient(meta=meta)))["meta"]
        ours = {key for key in seen if key.startswith("io.modelcontextprotocol/")}
        kept = {key: value for key, value in seen.items() if key not in ours}
        assert kept == {"traceparent": "00-1-2-01", "vendor/x": {"deep": None}}
        assert "io.modelcontextprotocol/other" not in ours
        assert "foreign" not in str(seen)


async def test_a_tool_that_runs_only_as_a_task_is_unavailable_with_the_reason(
    listener: WaitingListener,
) -> None:
    async with asking_source("stdio", "2025-11-25", listener):
        tools = {tool.name: tool.unavailable for tool in listener.tools("bank")}
    assert "runs only as a task" in tools.pop("task_only")
    assert set(tools.values()) == {""}


@pytest.mark.promise("ask.no-listing")
async def test_a_thousand_calls_list_nothing(listener: WaitingListener) -> None:
    async with asking_source("stdio", MODERN, listener) as source:
        client = AskedClient()
        for _ in range(1000):
            await call(source, "stay", client)
        assert (await call(source, "seen", client))["lists"] == 1
