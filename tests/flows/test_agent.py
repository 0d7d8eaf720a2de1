"""The agent from end to end: real SDKs against strict servers, real tools, real programs."""

from pathlib import Path
from typing import Any

import pytest
from tests.agent.vendors import FORMS, Call, Form, Say, Search, load, serve

import toolweft
from toolweft.agent.events import Notice, ProgramFinished, SearchFinished, TaskFinished
from toolweft.agent.results import AgentResult
from toolweft.bootstrap.agent import Agent
from toolweft.core.calls import TextContent
from toolweft.core.errors import ConfigError, InvalidValue
from toolweft.core.messages import ResultsMessage
from toolweft.core.programs import CONTAINER_LOST
from toolweft.providers.prefix import prefix_hash
from toolweft.testing.vendors import anthropic, openai_http
from toolweft.testing.vendors import anthropic_blocks as blocks
from toolweft.testing.vendors import openai_items as items
from toolweft.testing.vendors.anthropic import AnthropicServer
from toolweft.testing.vendors.openai import OpenAIServer

pytestmark = [pytest.mark.process, pytest.mark.network]

SPENT = {"ann": 900, "bo": 41_000, "cy": 120}
ANTHROPIC, OPENAI = FORMS[0], FORMS[1]


@toolweft.tool(severity="read_only")
def list_team() -> list[str]:
    """List the people of the team."""
    return sorted(SPENT)


@toolweft.tool(severity="read_only")
def get_expenses(person: str) -> dict[str, int]:
    """Get the expenses of a person, in cents."""
    return {"cents": SPENT[person]}


TOOLS = [list_team, get_expenses]
PROGRAM = """\
import asyncio
team = await local.list_team()
bills = await asyncio.gather(*(local.get_expenses(person=p) for p in team))
print([p for p, b in zip(team, bills) if b["cents"] > 10_000])
"""
EXPENSES = (
    Search("expenses of the team"),
    Call("run_code", {"code": PROGRAM}),
    Call("call_tool", {"name": "local.get_expenses", "arguments": {"person": "bo"}}),
    Say("Only bo is above the limit."),
)


@pytest.mark.promise("agent.every-api")
@pytest.mark.parametrize("form", FORMS, ids=str)
async def test_a_task_through_every_api(form: Form, tmp_path: Path) -> None:
    async with serve(form, EXPENSES) as server:
        agent = Agent(form.name, config=load(tmp_path, (form, server)), tools=TOOLS)
        events = [event async for event in agent.stream("Who is above the limit?")]
        assert server.refusals == []
        # What a cache matches first never changes.
        assert len({prefix_hash(body) for body in server.requests}) == 1

    last = events[-1]
    assert isinstance(last, TaskFinished)
    result = last.result
    assert (result.status, result.text) == ("done", "Only bo is above the limit.")
    (search,) = [event for event in events if isinstance(event, SearchFinished)]
    assert "local.get_expenses" in search.found
    (ended,) = [event for event in events if isinstance(event, ProgramFinished)]
    assert (ended.status, len(ended.calls)) == ("ok", 4)
    assert [call.status for call in result.calls] == ["ok"] * 7
    assert result.usage.input_tokens + result.usage.cache_read_tokens > 0


@pytest.mark.parametrize("form", [form for form in FORMS if form.has_native], ids=str)
async def test_searches_reveal_tools_natively(form: Form, tmp_path: Path) -> None:
    steps = (
        Search("expenses of a person"),
        Call("get_expenses", {"person": "bo"}, is_revealed=True),
        Call("run_code", {"code": PROGRAM}),
        Say("Only bo."),
    )
    wire = "local-get_expenses"
    steps = (steps[0], Call(wire, {"person": "bo"}, is_revealed=True), *steps[2:])
    async with serve(form, steps, native=True) as server:
        settings = load(tmp_path, (form, server), native="on")
        agent = Agent(form.name, config=settings, tools=TOOLS)
        result = await agent.run("Who is above the limit?")
        assert server.refusals == []
        assert len({prefix_hash(body) for body in server.requests}) == 1

    assert (result.status, result.text) == ("done", "Only bo."), result.error
    assert [call.status for call in result.calls] == ["ok"] * 7
    assert result.prompts[0].revealed == 0
    assert result.prompts[1].revealed > 0


async def test_a_program_at_anthropic_calls_our_tools(tmp_path: Path) -> None:
    wire, program = "local_get_expenses", "srvtoolu_1"
    turns = [
        anthropic.Turn(
            blocks=(
                blocks.code("...", program=program),
                blocks.use(wire, {"person": "bo"}, call_id="toolu_1", program=program),
                blocks.use(wire, {"person": "cy"}, call_id="toolu_2", program=program),
            )
        ),
        anthropic.Turn(
            blocks=(blocks.code_result("[41000, 120]", program=program), blocks.say("Only bo."))
        ),
    ]
    more = "[catalog.configs.get_expenses]\nalways_listed = true\n"
    async with AnthropicServer(turns) as server:
        settings = load(tmp_path, (ANTHROPIC, server), native="on", more=more)
        result = await Agent(ANTHROPIC.name, config=settings, tools=TOOLS).run("Who?")
        assert server.refusals == []
        assert server.requests[1]["container"] == "container_01"
    assert (result.status, result.text) == ("done", "Only bo."), result.error
    assert [(c.caller, c.status) for c in result.calls] == [("programmatic", "ok")] * 2


async def test_a_model_is_told_that_its_container_at_anthropic_is_gone(tmp_path: Path) -> None:
    def begin(program: str) -> anthropic.Turn:
        called = blocks.use(
            "local_get_expenses", {"person": "bo"}, call_id=f"toolu_{program}", program=program
        )
        return anthropic.Turn(blocks=(blocks.code("...", program=program), called))

    second = "srvtoolu_2"
    ended = anthropic.Turn(
        blocks=(blocks.code_result("41000", program=second), blocks.say("Only bo."))
    )
    more = "[catalog.configs.get_expenses]\nalways_listed = true\n"
    async with AnthropicServer([begin("srvtoolu_1"), begin(second), ended]) as server:

        @toolweft.tool(name="get_expenses", severity="read_only")
        def lose_container(person: str) -> int:
            """Get the expenses of a person, in cents."""
            if len(server.requests) == 1:
                server.end_containers()
            return SPENT[person]

        settings = load(tmp_path, (ANTHROPIC, server), native="on", more=more)
        result = await Agent(ANTHROPIC.name, config=settings, tools=[lose_container]).run("Who?")
        assert len(server.refusals) == 1
        _, again, last = server.requests
    assert (result.status, result.text) == ("done", "Only bo."), result.error
    (message,) = again["messages"]
    assert message["content"][-1]["text"] == CONTAINER_LOST
    assert "container" not in again
    assert last["container"]


async def test_a_program_at_openai_calls_our_tools(tmp_path: Path) -> None:
    wire = "local-get_expenses"
    turns = [
        openai_http.Turn(
            items=(
                items.program("...", call_id="prog_1"),
                items.function_call(wire, {"person": "bo"}, call_id="c1", program="prog_1"),
            )
        ),
        openai_http.Turn(
            items=(items.program_output("41000", call_id="prog_1"), items.message("Only bo."))
        ),
    ]
    more = "[catalog.configs.get_expenses]\nalways_listed = true\n"
    async with OpenAIServer(turns) as server:
        settings = load(tmp_path, (OPENAI, server), native="on", more=more)
        result = await Agent(OPENAI.name, config=settings, tools=TOOLS).run("Who?")
        assert server.refusals == []
    assert (result.status, result.text) == ("done", "Only bo."), result.error
    assert [(c.caller, c.status) for c in result.calls] == [("programmatic", "ok")]


@pytest.mark.parametrize(
    "caller",
    [
        *(5, "program", [], ["direct"], {"type": ["direct"]}, {"type": "program"}),
        {"type": "code_execution_20260120"},
        {"type": "code_execution_20260120", "tool_id": ""},
        {"type": "worker_20270101", "tool_id": "srvtoolu_404"},
    ],
)
async def test_a_call_of_nobody_knows_whom_is_not_made_and_the_model_is_told(
    caller: Any, tmp_path: Path
) -> None:
    called = blocks.use("call_tool", {"name": "local.list_team", "arguments": {}}, call_id="t1")
    turns = [
        anthropic.Turn(blocks=({**called, "caller": caller},)),
        anthropic.Turn(blocks=({**called, "id": "t2"},)),
        anthropic.Turn(blocks=(blocks.say("Three."),)),
    ]
    async with AnthropicServer(turns) as server:
        settings = load(tmp_path, (ANTHROPIC, server), native="on")
        result = await Agent(ANTHROPIC.name, config=settings, tools=TOOLS).run("Who?")
        assert server.refusals == []
        (told,) = server.requests[1]["messages"][-1]["content"]
    assert (result.status, result.text) == ("done", "Three."), result.error
    assert [call.status for call in result.calls] == ["invalid_arguments", "ok"]
    assert "its caller is" in told["content"][0]["text"]


@pytest.mark.parametrize("caller", [None, {}, {"type": None}, "direct", {"type": "direct"}])
async def test_a_call_without_a_word_of_its_caller_is_the_models_own(
    caller: Any, tmp_path: Path
) -> None:
    called = blocks.use("call_tool", {"name": "local.list_team", "arguments": {}}, call_id="t1")
    turns = [
        anthropic.Turn(blocks=({**called, "caller": caller},)),
        anthropic.Turn(blocks=(blocks.say("Three."),)),
    ]
    async with AnthropicServer(turns) as server:
        settings = load(tmp_path, (ANTHROPIC, server), native="on")
        result = await Agent(ANTHROPIC.name, config=settings, tools=TOOLS).run("Who?")
        assert server.refusals == []
    assert [(c.caller, c.status) for c in result.calls] == [("direct", "ok")]


async def test_a_program_without_a_container_is_asked_for_again_before_it_calls(
    tmp_path: Path,
) -> None:
    def begin(**overrides: Any) -> anthropic.Turn:
        called = blocks.use("local_list_team", {}, call_id="t1", program="srvtoolu_1")
        begun = blocks.code("...", program="srvtoolu_1")
        return anthropic.Turn(blocks=(begun, called), overrides=overrides)

    ended = anthropic.Turn(
        blocks=(blocks.code_result("3", program="srvtoolu_1"), blocks.say("Three."))
    )
    more = "[catalog.configs.list_team]\nalways_listed = true\n"
    async with AnthropicServer([begin(container=None), begin(), ended]) as server:
        settings = load(tmp_path, (ANTHROPIC, server), native="on", more=more)
        result = await Agent(ANTHROPIC.name, config=settings, tools=TOOLS).run("Who?")
        assert server.refusals == []
    assert (result.status, result.text) == ("done", "Three."), result.error
    assert [(c.caller, c.status) for c in result.calls] == [("programmatic", "ok")]


@toolweft.tool(severity="destructive")
def drop_table() -> None:
    """Drop the table."""
    raise AssertionError("no program may call it")


@pytest.mark.promise("agent.caller")
async def test_the_road_enforces_the_caller_whatever_the_wire_says(tmp_path: Path) -> None:
    program = "srvtoolu_1"
    turns = [
        anthropic.Turn(
            blocks=(
                blocks.code("...", program=program),
                blocks.use("local-drop_table", {}, call_id="toolu_1", program=program),
                blocks.use("local_list_team", {}, call_id="toolu_2", program=program),
            )
        ),
        anthropic.Turn(blocks=(blocks.code_result("no", program=program), blocks.say("No."))),
    ]
    # The vendor would refuse it too; here its model has got round that.
    async with AnthropicServer(turns) as server:
        settings = load(tmp_path, (ANTHROPIC, server), native="on")
        agent = Agent(ANTHROPIC.name, config=settings, tools=[*TOOLS, drop_table])
        result = await agent.run("Drop it.")
    assert {call.tool: call.status for call in result.calls} == {
        "local-drop_table": "denied",
        "local-list_team": "ok",
    }


@pytest.mark.promise("agent.switch")
async def test_a_conversation_goes_on_at_other_vendors(tmp_path: Path) -> None:
    first, second, third = (
        (Search("expenses"), Call("run_code", {"code": PROGRAM}), Say("Only bo.")),
        (Call("run_code", {"code": "print(1)"}), Say("One.")),
        (Say("Still bo."),),
    )
    async with (
        serve(ANTHROPIC, first, native=True) as one,
        serve(OPENAI, second, native=True) as two,
        serve(ANTHROPIC, third, native=True) as three,
        serve(FORMS[5], third, native=True) as four,
        serve(FORMS[3], third) as five,
    ):
        results: list[AgentResult] = []
        history: Any = ()
        for form, server in (
            (ANTHROPIC, one),
            (OPENAI, two),
            (ANTHROPIC, three),
            (FORMS[5], four),
            (FORMS[3], five),
        ):
            settings = load(tmp_path, (form, server), native="on")
            result = await Agent(form.name, config=settings, tools=TOOLS).run(
                "Who?", history=history
            )
            assert server.refusals == []
            results.append(result)
            history = result
        assert [result.text for result in results] == [
            *("Only bo.", "One.", "Still bo.", "Still bo.", "Still bo.")
        ]
        # Raw items go back to their own vendor alone.
        assert "'thinking'" not in str(two.requests[0])
        assert "encrypted_content" not in str(three.requests[0])


async def test_a_planner_that_is_down_is_stood_in_for(tmp_path: Path) -> None:
    down = anthropic.Failure(status=400, kind="invalid_request_error", message="no credit")
    async with AnthropicServer([down]) as one, serve(OPENAI, (Say("Here."),)) as two:
        settings = load(tmp_path, (ANTHROPIC, one), (OPENAI, two))
        agent = Agent([ANTHROPIC.name, OPENAI.name], config=settings)
        events = [event async for event in agent.stream("Are you there?")]
    (notice,) = [event for event in events if isinstance(event, Notice)]
    assert notice.kind == "degraded"
    assert "openai:gpt-5.6-sol stands in" in notice.text
    last = events[-1]
    assert isinstance(last, TaskFinished)
    assert last.result.text == "Here."


@pytest.mark.promise("agent.cache")
async def test_most_of_what_a_long_run_reads_comes_from_the_cache(tmp_path: Path) -> None:
    code = "print('row ' * 100, {n})"
    steps = [Call("run_code", {"code": code.format(n=n)}) for n in range(19)]
    async with serve(ANTHROPIC, [*steps, Say("Done.")]) as server:
        settings = load(tmp_path, (ANTHROPIC, server))
        result = await Agent(ANTHROPIC.name, config=settings, tools=TOOLS).run("Go on.")
    usage = result.usage
    read = usage.cache_read_tokens
    total = read + usage.input_tokens + usage.cache_write_tokens
    assert result.turns == 20
    assert read / total >= 0.70, f"{read:,} of {total:,} tokens"
    # Answered by its own estimate within reason: the parts are those of the requests.
    assert 0.5 < result.prompt_tokens.total / total < 1.5


async def test_a_warmed_cache_is_read_by_the_first_task(tmp_path: Path) -> None:
    async with serve(ANTHROPIC, (Say("ok"), Say("Done."))) as server:
        settings = load(tmp_path, (ANTHROPIC, server))
        async with Agent(ANTHROPIC.name, config=settings, system="word " * 800) as agent:
            warmed = await agent.warm()
            result = await agent.run("Go on.")
        assert len({prefix_hash(body) for body in server.requests}) == 1
    assert warmed.cache_write_tokens > 1_000
    # All of it but the one word that was said.
    assert result.usage.cache_read_tokens > 0.95 * warmed.cache_write_tokens


async def test_an_entered_agent_keeps_containers_between_tasks(tmp_path: Path) -> None:
    def answer(body: Any) -> Any:
        output = [item for item in body["input"] if item["type"] == "function_call_output"]
        if len(body["input"]) == 1:
            arguments = {"code": "x = 41"}
        elif len(output) == 1 and body["input"][-1].get("role") == "user":
            container = output[0]["output"].split("container_id ")[1].split(",")[0]
            arguments = {"code": "print(x + 1)", "container_id": container}
        else:
            return openai_http.Turn(items=(items.message("Ok."),))
        called = items.function_call("run_code", arguments, call_id=f"c{len(output)}")
        return openai_http.Turn(items=(called,))

    async with OpenAIServer(answer) as server:
        settings = load(tmp_path, (OPENAI, server))
        async with Agent(OPENAI.name, config=settings) as agent:
            first = await agent.run("Keep 41.")
            second = await agent.run("Add one.", history=first)
    shown = [message for message in second.history if isinstance(message, ResultsMessage)][-1]
    (piece,) = shown.results[0].content
    assert isinstance(piece, TextContent)
    assert piece.text.startswith("42\n")


def test_a_cap_needs_prices(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no known prices") as caught:
        Agent("openai:gpt-5.6-sol", config=_settings(tmp_path, ""), max_cost=1.0)
    assert caught.value.hint is not None
    assert '[models."openai:gpt-5.6-sol"] prices' in caught.value.hint


@pytest.mark.parametrize("bound", ["max_turns", "max_cost", "max_tokens"])
def test_bounds_are_above_zero(tmp_path: Path, bound: str) -> None:
    settings = _settings(tmp_path, "")
    with pytest.raises(ConfigError, match=f"{bound} is 0"):
        Agent("openai:gpt-5.6-sol", config=settings, **{bound: 0})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("planner", 5), ("worker", object()), ("config", 5), ("tools", list_team)),
        *(("tools", "local.list_team"), ("toolbox", "desk"), ("max_turns", "3")),
        *(("max_turns", 1.5), ("max_turns", True), ("max_cost", "1"), ("max_cost", float("nan"))),
        *(("max_tokens", []), ("fallback", "none"), ("system", 5), ("system", None)),
        ("principal", "ann"),
    ],
)
def test_an_argument_of_a_wrong_type_is_named_with_what_to_give(
    name: str, value: Any, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"planner": "openai:gpt-5.6-sol", "config": _settings(tmp_path, "")}
    with pytest.raises(ConfigError) as caught:
        Agent(**{**given, name: value})
    assert caught.value.message.startswith(f"{name} is {value!r:.80}")
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("give")


def test_a_model_of_several_is_named_by_its_number(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"planner\[1\] is 5, of type int"):
        Agent(["openai:gpt-5.6-sol", 5], config=_settings(tmp_path, ""))  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"task": 5}, "task is 5, of type int"),
        ({"task": "x", "history": "Hello."}, "history is 'Hello.', of type str"),
        ({"task": "x", "history": [{"role": "user"}]}, r"history\[0\] is {'role': 'user'}"),
    ],
)
async def test_a_task_and_a_history_are_of_their_types(
    arguments: Any, match: str, tmp_path: Path
) -> None:
    agent = Agent("openai:gpt-5.6-sol", config=_settings(tmp_path, ""))
    with pytest.raises(InvalidValue, match=match) as caught:
        await agent.run(**arguments)
    assert caught.value.hint is not None


def test_an_agent_needs_a_planner(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no planner"):
        Agent(config=_settings(tmp_path, ""))


def _settings(tmp_path: Path, text: str) -> Any:
    class Server:
        base_url = "http://127.0.0.1:9/v1"

    return load(tmp_path, (OPENAI, Server()), more=text)


async def test_an_agent_that_is_open_cannot_be_opened_again(tmp_path: Path) -> None:
    async with serve(ANTHROPIC, (Say("Done."),)) as server:
        agent = Agent(ANTHROPIC.name, config=load(tmp_path, (ANTHROPIC, server)))
        async with agent:
            with pytest.raises(ConfigError, match="open already"):
                await agent.__aenter__()
            assert (await agent.run("Go on")).status == "done"
