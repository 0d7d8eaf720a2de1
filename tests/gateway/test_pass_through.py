"""Pass-through from end to end: real servers, the application over HTTP, the official client."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import mcp
import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError
from tests.gateway.fixtures import Person, fixture, fixture_over_http, raw
from tests.gateway.library import PATIENT_S, Ear, gateway
from tests.gateway.test_gateway_http import ACCEPT
from tests.gateway.test_gateway_resuming import open_session, read_events

pytestmark = [
    pytest.mark.network,
    # Of the SDK, for what the newest revision has no more.
    pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning"),
]

ERAS = pytest.mark.parametrize("mode", ["auto", "legacy"])
UPSTREAMS = pytest.mark.parametrize("upstream", ["http", "handshake-http", "stdio"])
# All but what says how it is reached, and what asks.
TOLD = {
    "test_simple_text": {},
    "test_multiple_content_types": {},
    "test_audio_content": {},
    "test_error_handling": {},
    "test_header_tool": {"region": "north"},
    "give_back": {"nothing": None, "float": 1.0, "large": 2**60, "deep": [{"a": []}]},
    "break_promise": {},
}


@asynccontextmanager
async def behind(folder: Path, upstream: str) -> AsyncIterator[tuple[dict[str, Any], str]]:
    """A server's configuration, and the address of a gateway in front of it."""
    era = "handshake" if upstream.startswith("handshake") else ""
    if upstream == "stdio":
        server = fixture()
        async with gateway(folder, {"fixture": server}, pass_through=True) as (_, address):
            yield server, address
        return
    async with (
        fixture_over_http(era) as server,
        gateway(folder, {"fixture": server}, pass_through=True) as (_, address),
    ):
        yield server, address


async def told(client: mcp.Client) -> dict[str, Any]:
    """What one session says of everything that answers without asking."""
    heard: dict[str, Any] = {}
    # From which it learns what goes into headers.
    await client.list_tools()
    for name, arguments in TOLD.items():
        heard[name] = await raw(client, "tools/call", name=name, arguments=arguments)
    for method in ("tools/list", "prompts/list", "resources/list", "resources/templates/list"):
        heard[method] = await raw(client, method)
    heard["prompt"] = await raw(client, "prompts/get", name="test_prompt_with_image", arguments={})
    heard["resource"] = await raw(client, "resources/read", uri="test://template/5/data")
    heard["binary"] = await raw(client, "resources/read", uri="test://static-binary")
    for method, params in (
        ("tools/call", {"name": "nix", "arguments": {}}),
        ("resources/read", {"uri": "test://nix"}),
        ("prompts/get", {"name": "nix"}),
    ):
        with pytest.raises(MCPError) as caught:
            await raw(client, method, **params)
        heard[f"{method} nix"] = caught.value.code
    return heard


@ERAS
@pytest.mark.promise("pass-through.results")
@pytest.mark.promise("pass-through.definitions")
async def test_a_client_is_told_what_the_server_itself_would_tell_it(
    tmp_path: Path, mode: str
) -> None:
    async with behind(tmp_path, "http") as (server, address):
        async with mcp.Client(server["url"], mode=mode, cache=None) as client:
            direct = await told(client)
        async with mcp.Client(address, mode=mode, cache=None) as client:
            through = await told(client)
            assert client.instructions == "fixture:\nUse test_simple_text first."

    assert through == direct


@ERAS
@UPSTREAMS
async def test_values_survive_whatever_each_side_speaks(
    tmp_path: Path, mode: str, upstream: str
) -> None:
    given = TOLD["give_back"]
    async with (
        behind(tmp_path, upstream) as (_, address),
        mcp.Client(address, mode=mode, cache=None) as client,
    ):
        result = await raw(client, "tools/call", name="give_back", arguments=given)

    assert result["structuredContent"] == {
        "given": given,
        "nothing": None,
        "float": 1.0,
        "large": 2**60,
    }
    assert isinstance(result["structuredContent"]["float"], float)
    assert result["_meta"] == {"fixture/result": {"kept": True}}
    assert result["content"][0]["_meta"] == {"fixture/block": 1}
    assert [block["type"] for block in result["content"]] == ["text", "resource_link"]


@ERAS
@UPSTREAMS
async def test_questions_reach_the_person_unlabelled_and_answers_the_server(
    tmp_path: Path, mode: str, upstream: str
) -> None:
    anna = Person()
    async with behind(tmp_path, upstream) as (_, address), anna.using(address, mode) as client:
        with anyio.fail_after(PATIENT_S):
            form = await client.call_tool("test_elicitation", {"message": "Who are you?"})
            sample = await client.call_tool("test_sampling", {"prompt": "6 x 7"})
            roots = await client.call_tool("ask_roots", {})
            rounds = await client.call_tool("test_input_required_result_multi_round", {})
            three = await client.call_tool("test_input_required_result_multiple_inputs", {})
            prompt = await client.get_prompt("test_input_required_result_prompt")
            address_opened = await client.call_tool("ask_url", {})

    assert '"username": "anna"' in form.content[0].text
    assert anna.asked[0].message == "Who are you?"
    assert sample.content[0].text == "LLM response: forty-two"
    assert roots.content[0].text == "roots: file:///anna"
    assert rounds.content[0].text == "done after second:first"
    assert three.content[0].text == "answered: client_roots, greeting, user_name"
    assert prompt.messages[0].content.text == "context: {'context': 'anna'}"
    assert address_opened.content[0].text == "visit: accept"


@pytest.mark.promise("pass-through.rounds")
async def test_a_question_ends_the_request_under_the_servers_own_keys(tmp_path: Path) -> None:
    name = "test_input_required_result_request_state"
    answers = {"confirm": {"action": "accept", "content": {"ok": True}}}
    person = Person()
    async with behind(tmp_path, "http") as (_, address), person.using(address, "auto") as client:
        asked = await raw(client, "tools/call", name=name, arguments={})
        state = asked["requestState"]
        done = await raw(
            client,
            "tools/call",
            name=name,
            arguments={},
            inputResponses=answers,
            requestState=state,
        )
        refused = []
        for other in (
            {"name": "test_input_required_result_tampered_state"},
            {"arguments": {"a": 1}},
            {"requestState": f"{state}x"},
            {"requestState": "to-confirm.0"},
        ):
            params = {"name": name, "arguments": {}, "requestState": state, **other}
            with pytest.raises(MCPError) as caught:
                await raw(client, "tools/call", inputResponses=answers, **params)
            refused.append(caught.value.code)

    assert asked["resultType"] == "input_required"
    assert list(asked["inputRequests"]) == ["confirm"]
    assert done["content"][0]["text"] == "state-ok"
    assert refused == [types.INVALID_PARAMS] * 4
    assert person.asked == []


@ERAS
async def test_an_error_that_wants_an_address_opened_reaches_who_knows_it(
    tmp_path: Path, mode: str
) -> None:
    anna = Person()
    async with (
        behind(tmp_path, "handshake-http") as (_, address),
        anna.using(address, mode) as client,
    ):
        if mode == "legacy":
            with pytest.raises(MCPError) as caught:
                await raw(client, "tools/call", name="url_error", arguments={})
            assert caught.value.code == types.URL_ELICITATION_REQUIRED
            assert caught.value.data["elicitations"][0]["url"] == "http://localhost/in"
            return
        await client.call_tool("url_error", {})

    assert [ask.url for ask in anna.asked] == ["http://localhost/in"]


async def test_the_server_sees_what_its_client_declares_and_says_what_it_lacks(
    tmp_path: Path,
) -> None:
    async with behind(tmp_path, "http") as (_, address):
        async with mcp.Client(address, mode="auto", cache=None) as nobody:
            with pytest.raises(MCPError) as caught:
                await raw(nobody, "tools/call", name="test_missing_capability", arguments={})
        async with Person().using(address, "auto") as anna:
            served = await raw(anna, "tools/call", name="test_missing_capability", arguments={})
            seen = await raw(anna, "tools/call", name="what_you_are", arguments={})

    assert caught.value.code == types.MISSING_REQUIRED_CLIENT_CAPABILITY
    assert caught.value.data == {"requiredCapabilities": {"sampling": {}}}
    assert served["content"][0]["text"] == "sampling is there"
    assert seen["structuredContent"]["capabilities"].keys() == {"elicitation", "sampling", "roots"}


@ERAS
@UPSTREAMS
async def test_progress_comes_in_order_and_log_lines_with_it(
    tmp_path: Path, mode: str, upstream: str
) -> None:
    heard: list[tuple[float, float | None, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    anna = Person()
    async with behind(tmp_path, upstream) as (_, address), anna.using(address, mode) as client:
        await client.call_tool("test_tool_with_progress", {}, progress_callback=note)
        if mode == "legacy":
            await client.set_logging_level("info")
            await client.call_tool("test_tool_with_logging", {})
        else:
            meta = {types.LOG_LEVEL_META_KEY: "info"}
            await client.call_tool("test_tool_with_logging", {}, meta=meta)
        await soon(lambda: len(anna.logged) >= 3 and len(heard) >= 3)

    assert heard == [(0, 100, "0 of 100"), (50, 100, "50 of 100"), (100, 100, "100 of 100")]
    assert [line.data for line in anna.logged] == [
        "Tool execution started",
        "Tool processing data",
        "Tool execution completed",
    ]


@ERAS
@UPSTREAMS
async def test_cancelling_stops_the_server(tmp_path: Path, mode: str, upstream: str) -> None:
    started = anyio.Event()

    async def note(*_progress: Any) -> None:
        started.set()

    async def count_waiting(client: mcp.Client) -> int:
        counted = await client.call_tool("count", {})
        waiting: int = counted.structured_content["waiting"]
        return waiting

    async with (
        behind(tmp_path, upstream) as (_, address),
        mcp.Client(address, mode=mode, cache=None) as client,
    ):
        with anyio.fail_after(PATIENT_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: client.call_tool("wait_long", {}, progress_callback=note))
                await started.wait()
                assert await count_waiting(client) == 1
                tasks.cancel_scope.cancel()
        for _ in range(1_000):
            if not await count_waiting(client):
                return
        raise AssertionError("the server goes on")


@ERAS
async def test_a_changed_list_is_told_and_then_there(tmp_path: Path, mode: str) -> None:
    ear = Ear()
    async with (
        behind(tmp_path, "http") as (_, address),
        mcp.Client(address, mode=mode, cache=None, message_handler=ear) as client,
        listening(client),
    ):
        before = {tool.name for tool in (await client.list_tools()).tools}
        await client.call_tool("test_trigger_tool_change", {})
        await ear.wait_until(lambda: "notifications/tools/list_changed" in ear.changed)
        after = {tool.name for tool in (await client.list_tools()).tools}

    assert before - after == {"extra_0"}
    assert after - before == {"extra_1"}


async def test_a_change_is_told_to_who_comes_back_to_hear_of_it(tmp_path: Path) -> None:
    ear = Ear()
    async with (
        behind(tmp_path, "http") as (_, address),
        mcp.Client(address, mode="legacy", cache=None, message_handler=ear) as client,
        httpx2.AsyncClient(headers=ACCEPT, timeout=PATIENT_S) as http,
    ):
        # Nothing carries news to this session yet.
        session = await open_session(http, address)
        for _ in range(2):
            ear.heard.clear()
            await client.call_tool("test_trigger_tool_change", {})
            await ear.wait_until(lambda: "notifications/tools/list_changed" in ear.changed)
            async with http.stream("GET", address, headers=session) as answer:
                told = await anext(read_events(answer))
            assert told.message["method"] == "notifications/tools/list_changed"


async def soon(is_so: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if is_so():
            return
        await anyio.sleep(0.01)
    raise AssertionError("it never came")


@asynccontextmanager
async def listening(client: mcp.Client) -> AsyncIterator[None]:
    """In the way of the newest revision; older ones hear of all without asking."""
    if client.protocol_version < "2026":
        yield
        return
    async with (
        client.listen(tools_list_changed=True) as subscription,
        anyio.create_task_group() as tasks,
    ):

        async def drain() -> None:
            async for _ in subscription:
                pass

        tasks.start_soon(drain)
        yield
        tasks.cancel_scope.cancel()


@ERAS
@pytest.mark.promise("pass-through.names")
async def test_two_servers_with_the_same_names_are_told_apart(tmp_path: Path, mode: str) -> None:
    toml = '[python.calc]\ntarget = "calc.py"\n'
    (tmp_path / "calc.py").write_text(
        "__all__ = ['add']\n\n"
        "def add(a: int, b: int) -> int:\n    '''Add two numbers.'''\n    return a + b\n"
    )
    async with (
        fixture_over_http("handshake") as older,
        gateway(tmp_path, {"one": fixture(), "two": older}, pass_through=True, toml=toml) as (
            _,
            address,
        ),
        Person().using(address, mode) as client,
    ):
        names = {tool.name for tool in (await client.list_tools()).tools}
        seen = {
            server: (await client.call_tool(f"{server}-what_you_are", {})).structured_content
            for server in ("one", "two")
        }
        added = await client.call_tool("add", {"a": 2, "b": 3})
        prompts = {prompt.name for prompt in (await client.list_prompts()).prompts}
        prompt = await client.get_prompt("two-test_simple_prompt")
        with pytest.raises(MCPError, match="one of one-give_back, two-give_back now"):
            await client.call_tool("give_back", {})

    assert {"one-give_back", "two-give_back", "add"} <= names
    assert "give_back" not in names
    assert {server: what["revision"] for server, what in seen.items()} == {
        "one": "2026-07-28",
        "two": "2025-11-25",
    }
    assert added.content[0].text == "5"
    assert {"one-test_simple_prompt", "two-test_simple_prompt"} <= prompts
    assert prompt.messages[0].content.text == "This is a simple prompt for testing."


@ERAS
async def test_what_the_user_took_away_is_neither_listed_nor_called(
    tmp_path: Path, mode: str
) -> None:
    toml = (
        "[servers.fixture.configs.test_simple_text]\nenabled = false\n"
        '[servers.fixture.configs.give_back]\nallowed_callers = ["programmatic"]\n'
        '[servers.fixture.configs.count]\nseverity = "destructive"\n'
    )
    async with (
        gateway(tmp_path, {"fixture": fixture()}, pass_through=True, toml=toml) as (_, address),
        mcp.Client(address, mode=mode, cache=None) as client,
    ):
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        for name in ("test_simple_text", "give_back"):
            with pytest.raises(MCPError, match=f"Unknown tool: {name}"):
                await client.call_tool(name, {})
        wrong = await client.call_tool("test_header_tool", {"region": 5})
        await client.call_tool("count", {})

    assert not listed.keys() & {"test_simple_text", "give_back"}
    assert listed["count"].annotations.destructive_hint is True
    assert listed["ask_roots"].annotations.read_only_hint is True
    assert wrong.is_error
    assert "invalid_arguments" in wrong.content[0].text


@ERAS
async def test_a_result_above_the_cap_is_an_error_that_leads_to_it(
    tmp_path: Path, mode: str
) -> None:
    caps = {"calls.max_result_bytes": 2_000}
    async with (
        gateway(tmp_path, {"fixture": fixture()}, pass_through=True, **caps) as (_, address),
        mcp.Client(address, mode=mode, cache=None) as client,
    ):
        large = await client.call_tool("give_back", {"text": "x" * 3_000})
        (link,) = (block for block in large.content if block.type == "resource_link")
        stored = await client.read_resource(str(link.uri))
        listed = {str(one.uri) for one in (await client.list_resources()).resources}

    assert large.is_error
    assert "x" * 3_000 in stored.contents[0].text
    assert str(link.uri) not in listed


async def test_a_call_stands_in_the_ledger_like_any_other(tmp_path: Path) -> None:
    async with (
        gateway(tmp_path, {"fixture": fixture()}, pass_through=True) as (app, address),
        mcp.Client(address, cache=None) as client,
    ):
        await client.call_tool("test_simple_text", {})
        await client.call_tool("test_error_handling", {})
        await app.ledger.flush()
        totals = await app.reader.totals(principal=None)

    assert (totals["calls"], totals["failures"]) == (2, 1)
