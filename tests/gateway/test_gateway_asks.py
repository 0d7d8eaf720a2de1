"""What tools ask through the gateway, by the official client in both eras."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import mcp
import mcp_types as types
import pytest
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from tests.gateway.asking import Asking, Person, opened, server_of, text_of, use
from tests.gateway.test_gateway_server import linked

from toolweft.core.asks import MAX_ROUNDS
from toolweft.gateway.exchanges import Exchanges, lifespan
from toolweft.gateway.options import AskOptions

pytestmark = pytest.mark.process

MODES = ("auto", "legacy")
BOTH = pytest.mark.parametrize("mode", MODES)
PROGRAM = """
import asyncio
first = await local.word(text="one")
second = await local.plain(text=first)
both = await asyncio.gather(local.word(text="two"), local.word(text="three"))
print([first, second, *both])
"""


@asynccontextmanager
async def served(folder: Path, asking: Asking, **overrides: Any) -> AsyncIterator[Any]:
    with anyio.fail_after(50):
        async with opened(folder, asking, **overrides) as app:
            yield server_of(app)


@BOTH
@pytest.mark.promise("front.answered")
async def test_every_kind_of_ask_is_answered_by_the_client(mode: str, tmp_path: Path) -> None:
    person = Person()
    async with (
        served(tmp_path, Asking()) as server,
        person.client(linked(server), mode=mode) as client,
    ):
        assert await use(client, "word", "hello") == "ann: hello"
        assert await use(client, "open", "look") == "accept"
        assert await use(client, "sample", "think") == "ann thinks"
        assert json.loads(await use(client, "roots")) == ["file:///ann"]

    # Only the handshake revisions have an id, and need one.
    assert person.prompts == ["hello", "look", f"id: {mode == 'legacy'}"]


@BOTH
@pytest.mark.promise("front.program")
async def test_a_program_of_four_calls_asks_three_times(mode: str, tmp_path: Path) -> None:
    person, asking = Person(), Asking()
    async with (
        served(tmp_path, asking) as server,
        person.client(linked(server), mode=mode) as client,
    ):
        result = await client.call_tool("run_code", {"code": PROGRAM})

    expected = ["ann: one", "plain ann: one", "ann: two", "ann: three"]
    assert str(expected) in text_of(result)
    assert not result.is_error
    # Nothing ran twice.
    assert sorted(asking.calls) == ["plain", "word", "word", "word"]
    assert sorted(person.prompts) == ["one", "three", "two"]


@pytest.mark.promise("front.rounds")
async def test_asks_of_one_gather_share_a_round(tmp_path: Path) -> None:
    async with (
        served(tmp_path, Asking()) as server,
        Person().client(linked(server), mode="auto") as client,
    ):
        code = (
            "import asyncio\n"
            "print(await asyncio.gather(*(local.word(text=str(n)) for n in range(5))))"
        )
        asked = await call_once(client, "run_code", {"code": code})
        assert isinstance(asked, types.InputRequiredResult)
        assert len(asked.input_requests or {}) == 5
        done = await answer_all(client, "run_code", {"code": code}, asked)

    assert isinstance(done, types.CallToolResult)
    assert "['to 0', 'to 1', 'to 2', 'to 3', 'to 4']" in text_of(done)


@BOTH
@pytest.mark.promise("front.rounds")
async def test_after_the_last_round_asks_are_refused_inside(mode: str, tmp_path: Path) -> None:
    asking = Asking()
    code = f"""
print(await local.many(text="{MAX_ROUNDS - 1}"))
await local.word(text="ninth")
try:
    await local.word(text="tenth")
except ToolError as exc:
    print(exc.code, exc.message)
"""
    person = Person()
    async with (
        served(tmp_path, asking) as server,
        person.client(linked(server), mode=mode) as client,
    ):
        ran = text_of(await client.call_tool("run_code", {"code": code}))
        called = await use(client, "many", str(MAX_ROUNDS + 1))

    assert "ask_refused" in ran
    assert "9 rounds were asked already" in ran
    assert "9 rounds were asked already" in called
    assert len(person.prompts) == 2 * MAX_ROUNDS


@BOTH
@pytest.mark.promise("front.capability")
async def test_a_client_that_cannot_be_asked_is_not(mode: str, tmp_path: Path) -> None:
    async with (
        served(tmp_path, Asking()) as server,
        mcp.Client(linked(server), mode=mode) as client,
    ):
        said = await use(client, "word", "hello")
        code = "try:\n    await local.roots()\nexcept ToolError as exc:\n    print(exc.hint)"
        inside = text_of(await client.call_tool("run_code", {"code": code}))

    assert "has not declared 'elicitation.form'" in said
    assert "declares the capability 'roots'" in inside


@BOTH
@pytest.mark.promise("front.cancel")
async def test_cancelling_withdraws_the_prompt_and_stops_the_work(
    mode: str, tmp_path: Path
) -> None:
    person, asking = Person(), Asking()
    person.may_answer = anyio.Event()
    async with (
        served(tmp_path, asking) as server,
        person.client(linked(server), mode=mode) as client,
    ):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(use, client, "word", "hello")
            await person.asked.wait()
            tasks.cancel_scope.cancel()
        if mode == "legacy":
            await asking.cancelled.wait()
            while not person.withdrawn:  # noqa: ASYNC110 (the client has no event)
                await anyio.sleep(0.01)

    assert person.withdrawn == ["hello"]


async def test_a_cancelled_retry_stops_the_work(tmp_path: Path) -> None:
    asking = Asking()
    async with (
        served(tmp_path, asking) as server,
        Person().client(linked(server), mode="auto") as client,
    ):
        arguments = {"name": "local.stubborn", "arguments": {"text": "a"}}
        async with anyio.create_task_group() as tasks:
            asked = await call_once(client, "call_tool", arguments)
            for _ in range(MAX_ROUNDS - 1):
                asked = await answer_all(client, "call_tool", arguments, asked)
            # It asks on and on, and is refused: the request does not end.
            tasks.start_soon(answer_all, client, "call_tool", arguments, asked)
            while len(asking.refused) < 3:  # noqa: ASYNC110 (counts what is done)
                await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
        await asking.cancelled.wait()


@pytest.mark.promise("front.state")
async def test_a_state_that_comes_twice_gets_the_same_answer_twice(tmp_path: Path) -> None:
    asking = Asking()
    arguments = {"name": "local.word", "arguments": {"text": "a"}}
    async with (
        served(tmp_path, asking) as server,
        Person().client(linked(server), mode="auto") as client,
    ):
        asked = await call_once(client, "call_tool", arguments)
        first = await answer_all(client, "call_tool", arguments, asked)
        again = await answer_all(client, "call_tool", arguments, asked, word="else")

    assert isinstance(first, types.CallToolResult)
    assert text_of(first) == text_of(again) == "to a"
    assert asking.calls == ["word"]


@pytest.mark.promise("front.state")
async def test_missing_and_wrong_answers_are_asked_for_again(tmp_path: Path) -> None:
    arguments = {"name": "local.word", "arguments": {"text": "a"}}
    async with (
        served(tmp_path, Asking()) as server,
        Person().client(linked(server), mode="auto") as client,
    ):
        asked = await call_once(client, "call_tool", arguments)
        state = asked.request_state
        (key,) = asked.input_requests
        stray = {"else": types.ElicitResult(action="cancel")}
        missing = await call_once(client, "call_tool", arguments, answers=stray, state=state)
        assert list(missing.input_requests) == [key]
        wrong = {key: types.ElicitResult(action="accept", content={"word": 5})}
        faulty = await call_once(
            client, "call_tool", arguments, answers=wrong, state=missing.request_state
        )
        assert list(faulty.input_requests) == [key]
        done = await answer_all(client, "call_tool", arguments, faulty)

    assert text_of(done) == "to a"


@pytest.mark.promise("front.state")
@pytest.mark.parametrize("change", ["tampered", "other arguments", "restarted"])
async def test_a_state_that_is_not_ours_is_refused(change: str, tmp_path: Path) -> None:
    arguments = {"name": "local.word", "arguments": {"text": "a"}}
    asking = Asking()
    async with (
        served(tmp_path, asking) as server,
        Person().client(linked(server), mode="auto") as client,
    ):
        asked = await call_once(client, "call_tool", arguments)
        if change == "tampered":
            state = asked.request_state
            flipped = "A" if state[-5] != "A" else "B"
            asked = asked.model_copy(update={"request_state": state[:-5] + flipped + state[-4:]})
        if change == "other arguments":
            arguments = {"name": "local.word", "arguments": {"text": "b"}}
        if change != "restarted":
            with pytest.raises(MCPError, match="requestState") as caught:
                await answer_all(client, "call_tool", arguments, asked)
    if change == "restarted":
        async with (
            served(tmp_path, asking) as server,
            Person().client(linked(server), mode="auto") as client,
        ):
            with pytest.raises(MCPError, match="requestState") as caught:
                await answer_all(client, "call_tool", arguments, asked)

    assert caught.value.error.code == types.INVALID_PARAMS
    assert asking.calls == ["word"]


@pytest.mark.promise("front.unanswered")
async def test_a_call_that_nobody_answers_ends_after_the_park_time(tmp_path: Path) -> None:
    asking = Asking()
    arguments = {"name": "local.word", "arguments": {"text": "a"}}
    async with (
        served(tmp_path, asking, **{"asks.park_s": 0.2}) as server,
        Person().client(linked(server), mode="auto") as client,
    ):
        asked = await call_once(client, "call_tool", arguments)
        while not asking.refused:  # noqa: ASYNC110 (the tool has no event)
            await anyio.sleep(0.01)
        await anyio.sleep(0.05)
        with pytest.raises(MCPError, match="waited too long") as caught:
            await answer_all(client, "call_tool", arguments, asked)

    assert caught.value.error.code == types.INVALID_PARAMS
    assert "nobody answered within 0.2 s" in asking.refused[0]


@BOTH
@pytest.mark.promise("front.unanswered")
async def test_an_unanswered_program_is_stopped_and_its_container_freed(
    mode: str, tmp_path: Path
) -> None:
    asking, person = Asking(), Person()
    person.may_answer = anyio.Event()
    code = "try:\n    await local.word(text='a')\nexcept ToolError:\n    pass\nprint('went on')"
    with anyio.fail_after(50):
        async with (
            opened(tmp_path, asking, **{"asks.park_s": 0.3}) as app,
            person.client(linked(server_of(app)), mode=mode) as client,
        ):
            if mode == "auto":
                asked = await call_once(client, "run_code", {"code": code})
                assert app.runner.gauges().containers_busy == 1
                assert isinstance(asked, types.InputRequiredResult)
            else:
                said = text_of(await client.call_tool("run_code", {"code": code}))
                assert "the run was stopped: unanswered" in said
                assert person.withdrawn == ["a"]
            while app.runner.gauges().containers_busy:  # noqa: ASYNC110 (no event)
                await anyio.sleep(0.01)

    assert asking.refused == [] or "nobody answered" in asking.refused[0]


@pytest.mark.promise("front.unanswered")
async def test_a_principal_parks_no_more_calls_than_allowed(tmp_path: Path) -> None:
    def arguments(text: str) -> dict[str, Any]:
        return {"name": "local.word", "arguments": {"text": text}}

    async with (
        served(tmp_path, Asking(), **{"asks.max_parked": 2}) as server,
        Person().client(linked(server), mode="auto") as client,
    ):
        parked = [await call_once(client, "call_tool", arguments(t)) for t in "ab"]
        refused = await call_once(client, "call_tool", arguments("c"))
        done = await answer_all(client, "call_tool", arguments("a"), parked[0])
        third = await call_once(client, "call_tool", arguments("d"))

    assert "2 calls wait for answers already" in text_of(refused)
    assert text_of(done) == "to a"
    assert isinstance(third, types.InputRequiredResult)


@BOTH
@pytest.mark.promise("front.clocks")
async def test_no_clock_runs_while_a_person_thinks(mode: str, tmp_path: Path) -> None:
    person = Person()
    person.may_answer = anyio.Event()
    code = "print(await local.word(text='slow'))"
    limits = {"limits.wall_s": 2.0, "limits.active_s": 2.0}
    async with (
        served(tmp_path, Asking(), **limits) as server,
        person.client(linked(server), mode=mode) as client,
    ):
        warm = text_of(await client.call_tool("run_code", {"code": "1"}))
        container_id = warm.partition("container_id ")[2].partition(",")[0]
        async with anyio.create_task_group() as tasks:
            result: list[types.CallToolResult] = []

            async def run() -> None:
                arguments = {"code": code, "wait_s": 2, "container_id": container_id}
                result.append(await client.call_tool("run_code", arguments))

            tasks.start_soon(run)
            await person.asked.wait()
            await anyio.sleep(2.5)
            person.may_answer.set()

    assert "ann: slow" in text_of(result[0])


@BOTH
@pytest.mark.promise("front.later")
async def test_a_run_that_asks_later_asks_whoever_waits_for_it_next(
    mode: str, tmp_path: Path
) -> None:
    asking, person = Asking(), Person()
    code = "import asyncio\nawait asyncio.sleep(0.3)\nprint(await local.word(text='late'))"
    async with (
        served(tmp_path, asking) as server,
        person.client(linked(server), mode=mode) as client,
    ):
        first = await client.call_tool("run_code", {"code": code, "wait_s": 0})
        run_id = text_of(first).partition("run_id='")[2].partition("'")[0]
        assert "still running" in text_of(first)
        await asking.asked.wait()
        parked = await client.call_tool("run_code", {"run_id": run_id, "wait_s": 0})
        assert "asks something" in text_of(parked)
        assert person.prompts == []
        last = await client.call_tool("run_code", {"run_id": run_id})

    assert "ann: late" in text_of(last)
    assert asking.calls == ["word"]


@BOTH
async def test_progress_and_log_lines_reach_the_client_of_the_call(
    mode: str, tmp_path: Path
) -> None:
    person, heard = Person(), []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    meta: Any = {} if mode == "legacy" else {types.LOG_LEVEL_META_KEY: "info"}
    async with (
        served(tmp_path, Asking()) as server,
        person.client(linked(server), mode=mode) as client,
    ):
        if mode == "legacy":
            level = types.SetLevelRequestParams(level="info")
            request = types.SetLevelRequest(params=level)
            await client.session.send_request(request, types.EmptyResult)
        call = {"name": "local.report", "arguments": {}}
        await client.call_tool("call_tool", call, progress_callback=hear)
        call = {"name": "local.hear", "arguments": {"text": "x"}}
        said = await client.call_tool("call_tool", call, meta=meta)
        await anyio.sleep(0.05)

    assert heard == [(0, 3, "step 0"), (1, 3, "step 1"), (2, 3, "step 2")]
    assert text_of(said) == "info"
    assert person.lines == [("info", "info x"), ("error", "error x")]


@BOTH
async def test_what_others_put_into_meta_reaches_the_call(mode: str, tmp_path: Path) -> None:
    asking = Asking()
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    async with (
        served(tmp_path, asking) as server,
        mcp.Client(linked(server), mode=mode) as client,
    ):
        call = {"name": "local.plain", "arguments": {}}
        await client.call_tool("call_tool", call, meta={"example/key": 1, **trace})

    (meta,) = asking.metas
    assert meta["example/key"] == 1
    assert "traceparent" in meta
    assert not any("io.modelcontextprotocol" in key or "rogress" in key for key in meta)


@BOTH
async def test_an_error_of_the_work_reaches_the_client_as_it_is(mode: str) -> None:
    exchanges = Exchanges(AskOptions(), log_level_of=lambda _request: None)

    async def call_tool(ctx: Any, params: types.CallToolRequestParams) -> Any:
        async def work(_client: Any) -> types.CallToolResult:
            raise MCPError(code=-32002, message="not there", data={"uri": "a:b"})

        return await exchanges.serve(ctx, params, work)

    server = Server("t", on_call_tool=call_tool, lifespan=lifespan)
    async with mcp.Client(linked(server), mode=mode) as client:
        with pytest.raises(MCPError, match="not there") as caught:
            await call_once(client, "any", {})

    assert (caught.value.error.code, caught.value.error.data) == (-32002, {"uri": "a:b"})


# ------------------------------------------------------------------------------ by hand, in rounds


async def call_once(
    client: mcp.Client,
    tool: str,
    arguments: dict[str, Any],
    *,
    answers: Any = None,
    state: str | None = None,
) -> Any:
    """One request, whatever it ends with."""
    return await client.session.call_tool(
        tool, arguments, input_responses=answers, request_state=state, allow_input_required=True
    )


async def answer_all(
    client: mcp.Client, tool: str, arguments: dict[str, Any], asked: Any, *, word: str = "to"
) -> Any:
    """The same request with an answer to all that was asked."""
    answers = {
        key: types.ElicitResult(
            action="accept", content={"word": f"{word} {request.params.message}"}
        )
        for key, request in asked.input_requests.items()
    }
    return await call_once(client, tool, arguments, answers=answers, state=asked.request_state)
