"""`toolweft.AnthropicClient`, the vendor's SDK, HTTP, and a server as strict as the vendor."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from toolweft import CODE_EXECUTION_TOOL, AnthropicClient, CallerInfo, CallerType, ToolSpec
from toolweft.bootstrap import clients
from toolweft.core.calls import TextContent
from toolweft.core.errors import (
    ConfigError,
    InvalidValue,
    ProviderError,
    RemoteContainerGone,
    ToolFailed,
)
from toolweft.core.messages import UserMessage
from toolweft.providers.anthropic import AnthropicOptions
from toolweft.providers.anthropic.models import find_model
from toolweft.testing.vendors.anthropic import AnthropicServer, Failure, Script, Turn
from toolweft.testing.vendors.anthropic_blocks import code, code_result, say, think, use

pytestmark = pytest.mark.network

ASK = {"role": "user", "content": "Who is over budget?"}
HELLO = Turn(blocks=(say("Hello there."),))
PROGRAM = "srvtoolu_9"
STARTED = (
    think("Both."),
    code("print(await get_expenses({'emp': 'e1'}))", program=PROGRAM),
    use("get_expenses", {"emp": "e1"}, call_id="toolu_a", program=PROGRAM),
)
PAUSED = Turn(blocks=STARTED)
OVER = Turn(blocks=(code_result("[]\n", program=PROGRAM), say("Nobody is.")))
SCHEMA = {"type": "object", "properties": {"emp": {"type": "string"}}, "required": ["emp"]}
EXPENSES = ToolSpec(name="get_expenses", parameters=SCHEMA, severity="read_only")
NOTIFY = {"name": "notify", "description": "Tells somebody.", "parameters": SCHEMA}


@asynccontextmanager
async def talk(script: Script, **given: Any) -> AsyncIterator[tuple[AnthropicServer, Any]]:
    async with AnthropicServer(script) as server:
        client = AnthropicClient(server.key, base_url=server.base_url, **given)
        async with client:
            with anyio.fail_after(50):
                yield server, client


async def test_a_turn_without_entering() -> None:
    async with AnthropicServer([HELLO, HELLO]) as server:
        client = AnthropicClient(server.key, base_url=server.base_url)
        response = await client.complete([{"role": "user", "content": "Hi."}])
        await client.close()
        await client.close()
        again = await client.complete([*response.messages, {"role": "user", "content": "Again."}])
        await client.close()

        assert (response.text, response.stop_reason) == ("Hello there.", "end_turn")
        assert (response.model, response.request_id) == ("claude-sonnet-5", "req_1")
        assert response.container is None
        assert response.cost_usd is not None
        # The prices of the table, dollars for a million tokens.
        used = response.usage
        assert response.cost_usd == pytest.approx(
            (used.input_tokens * 2 + used.output_tokens * 10) / 1e6
        )
        assert again.text == "Hello there."
        assert server.requests[0]["max_tokens"] == 4096
        assert "temperature" not in server.requests[0]
        assert server.refusals == []


async def test_turns_at_once_open_one_client() -> None:
    async with AnthropicServer(lambda body: HELLO) as server:
        client = AnthropicClient(server.key, base_url=server.base_url)
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(client.complete, [{"role": "user", "content": "Hi."}])
        await client.close()

        assert len(server.requests) == 5


async def test_words_of_the_project_and_of_the_vendor_may_be_mixed() -> None:
    async with talk([HELLO, HELLO]) as (server, client):
        own = UserMessage(content=(TextContent("Hi."),))
        response = await client.complete([own], system="Be brief.", max_tokens=7)
        await client.complete([*response.messages, {"role": "user", "content": "Bye."}])

        first, second = server.requests
        assert (first["system"][0]["text"], first["max_tokens"]) == ("Be brief.", 7)
        assert [message["role"] for message in second["messages"]] == ["user", "assistant", "user"]
        assert second["messages"][1]["content"] == list(response.raw)
        assert server.refusals == []


@pytest.mark.promise("anthropic.mixed")
async def test_direct_and_programmatic_calls_of_one_response_are_answered_together() -> None:
    both = Turn(blocks=(*STARTED, use("notify", {"emp": "e1"}, call_id="toolu_b")))
    tools = [EXPENSES, NOTIFY]
    async with talk([both, OVER, HELLO]) as (server, client):
        response = await client.complete([ASK], tools)

        program, model = response.tool_calls
        assert program.caller == CallerInfo(CallerType.CODE_EXECUTION, PROGRAM)
        assert not model.caller.is_programmatic
        assert [call.fault for call in response.tool_calls] == ["", ""]
        assert response.awaits_program
        with pytest.raises(InvalidValue, match="Hurry"):
            response.tool_results({"toolu_a": "[]", "toolu_b": "told"}, text="Hurry.")

        answers = response.tool_results({"toolu_a": [], "toolu_b": "told"})
        over = await client.complete(
            [*response.messages, answers], tools, container_id=response.container.id
        )
        assert (over.text, over.awaits_program) == ("Nobody is.", False)

        await client.complete([*over.messages, {"role": "user", "content": "Thanks."}], tools)
        assert server.refusals == []
        kinds = [block["type"] for block in server.requests[1]["messages"][-1]["content"]]
        assert kinds == ["tool_result", "tool_result"]
        # The assistant's turns go back byte for byte, thoughts and their signatures too.
        assert json.dumps(server.requests[2]["messages"][1]["content"]) == json.dumps(
            list(response.raw)
        )
        assert len({json.dumps(body["tools"]) for body in server.requests}) == 1


async def test_what_the_user_says_while_a_program_waits_is_said_after_it() -> None:
    async with talk([PAUSED, OVER, HELLO]) as (server, client):
        response = await client.complete([ASK], [EXPENSES])
        message = response.tool_results({"toolu_a": "[]"})
        message["content"].append({"type": "text", "text": "Hurry."})
        over = await client.complete(
            [*response.messages, message], [EXPENSES], container_id=response.container.id
        )
        await client.complete([*over.messages, {"role": "user", "content": "Well?"}], [EXPENSES])

        assert server.refusals == []
        said = server.requests[2]["messages"][-1]["content"]
        assert [block["text"] for block in said] == ["Hurry.", "Well?"]


async def test_a_waiting_program_without_its_container_is_told_before_anything_is_sent() -> None:
    async with talk([PAUSED]) as (server, client):
        response = await client.complete([ASK], [EXPENSES])
        answers = response.tool_results({"toolu_a": "[]"})
        with pytest.raises(ProviderError, match="container_id"):
            await client.complete([*response.messages, answers], [EXPENSES])

        assert len(server.headers) == 1


async def test_an_old_response_is_read_and_answered() -> None:
    block = {"type": "tool_use", "id": "toolu_1", "name": "notify", "input": {"emp": "e1"}}
    async with talk([Turn(blocks=(block,)), HELLO]) as (server, client):
        response = await client.complete([ASK], [NOTIFY])

        (call,) = response.tool_calls
        assert (call.caller, call.fault, response.container) == (CallerInfo(), "", None)
        answers = response.tool_results({"toolu_1": "told"}, text="And now?")
        await client.complete([*response.messages, answers], [NOTIFY])
        assert server.refusals == []


@pytest.mark.promise("anthropic.off")
@pytest.mark.parametrize("platform", ["anthropic", "foundry"])
async def test_with_programs_off_nothing_of_them_is_sent(platform: Any) -> None:
    tools = [
        CODE_EXECUTION_TOOL,
        EXPENSES,
        {**NOTIFY, "defer_loading": True, "allowed_callers": ["direct", "code_execution_20250825"]},
    ]
    options = AnthropicOptions(model="claude-opus-5-5", platform=platform)
    async with talk([HELLO], enable_ptc=False, options=options) as (server, client):
        await client.complete([ASK], tools)

        (body,), (headers,) = server.requests, server.headers
        assert [tool["name"] for tool in body["tools"]] == ["get_expenses", "notify"]
        assert not any({"allowed_callers", "defer_loading"} & tool.keys() for tool in body["tools"])
        assert "container" not in body
        assert "anthropic-beta" not in headers
        assert headers["anthropic-version"] == "2026-10-21"


@pytest.mark.promise("anthropic.off")
async def test_with_programs_off_capabilities_of_ones_own_bring_none() -> None:
    known = find_model("anthropic", "claude-opus-5-5").capabilities
    options = AnthropicOptions(model="claude-opus-5-5", capabilities=known)
    async with talk([HELLO, HELLO], enable_ptc=False, options=options) as (server, client):
        await client.complete([ASK], [EXPENSES])
        await client.complete([ASK], None)

        assert [tool["name"] for tool in server.requests[0]["tools"]] == ["get_expenses"]
        assert "allowed_callers" not in server.requests[0]["tools"][0]
        assert "tools" not in server.requests[1]


@pytest.mark.parametrize(
    ("platform", "beta"), [("anthropic", None), ("foundry", "advanced-tool-use-2025-11-20")]
)
async def test_with_programs_on_the_beta_goes_where_it_is_needed(
    platform: Any, beta: str | None
) -> None:
    options = AnthropicOptions(model="claude-opus-5-5", platform=platform)
    async with talk([HELLO], options=options) as (server, client):
        await client.complete([ASK], [EXPENSES, NOTIFY])

        (body,), (headers,) = server.requests, server.headers
        names = [tool["name"] for tool in body["tools"]]
        assert names == ["code_execution", "get_expenses", "notify"]
        assert body["tools"][1]["allowed_callers"] == ["direct", "code_execution_20260521"]
        # As the vendor reads a tool that says nothing: for the model alone.
        assert "allowed_callers" not in body["tools"][2]
        assert headers.get("anthropic-beta") == beta
        assert server.refusals == []


async def test_betas_can_be_overridden() -> None:
    beta = "advanced-tool-use-2025-11-20"
    options = AnthropicOptions(model="claude-sonnet-5", betas=(beta,))
    async with talk([HELLO], options=options) as (server, client):
        await client.complete([ASK])

        assert server.headers[0]["anthropic-beta"] == beta


@pytest.mark.parametrize(
    "tool",
    [
        CODE_EXECUTION_TOOL,
        dict(CODE_EXECUTION_TOOL.to_dict()),
        {"type": "code_execution_20250825", "name": "code_execution"},
    ],
    ids=["spec", "printed", "vendor's"],
)
async def test_the_code_tool_alone_is_the_vendors(tool: Any) -> None:
    ran = Turn(blocks=(code("print(1)", program=PROGRAM), code_result("1\n", program=PROGRAM)))
    async with talk([ran]) as (server, client):
        response = await client.complete([ASK], [tool])

        assert response.tool_calls == ()
        assert [tool["type"] for tool in server.requests[0]["tools"]] == ["code_execution_20260521"]
        assert server.refusals == []


async def test_calls_that_were_not_allowed_are_not_to_be_made() -> None:
    blocks = (
        *STARTED,
        use("notify", {"emp": "e1"}, call_id="toolu_b", program=PROGRAM),
        use("delete_all", {}, call_id="toolu_c"),
        use("get_expenses", "{", call_id="toolu_d"),
    )
    async with talk([Turn(blocks=blocks), OVER]) as (server, client):
        response = await client.complete([ASK], [EXPENSES, NOTIFY])

        faults = {call.id: call.fault for call in response.tool_calls}
        assert faults["toolu_a"] == ""
        assert "may not be called by a program" in faults["toolu_b"]
        assert "no tool 'delete_all'" in faults["toolu_c"]
        assert "not JSON" in faults["toolu_d"]
        with pytest.raises(InvalidValue, match="must not be made"):
            response.tool_results({"toolu_a": "[]", "toolu_b": "done"})
        answers = response.tool_results({"toolu_a": "[]"})
        await client.complete(
            [*response.messages, answers], [EXPENSES, NOTIFY], container_id="container_01"
        )
        assert server.refusals == []


@pytest.mark.promise("anthropic.fresh")
async def test_a_lost_container_is_replaced_once_and_told() -> None:
    messages: list[Any] = []

    def answer(body: Any) -> Turn:
        return PAUSED if len(messages) == 0 else OVER if "container" in body else HELLO

    async with talk(answer) as (server, client):
        response = await client.complete([ASK], [EXPENSES])
        messages += response.messages
        over = await client.complete(
            [*messages, response.tool_results({"toolu_a": "[]"})],
            [EXPENSES],
            container_id=response.container.id,
        )
        server.end_containers()
        question = {"role": "user", "content": "And the others?"}
        again = await client.complete(
            [*over.messages, question], [EXPENSES], container_id=over.container.id
        )

        assert not over.container_was_lost
        assert again.container_was_lost
        assert again.text == "Hello there."
        assert len(server.refusals) == 1
        assert "container" not in server.requests[-1]
        # Nothing of what was said is taken away, and the model hears what it lost.
        assert list(again.messages[: len(over.messages) + 1]) == [*over.messages, question]
        last = server.requests[-1]["messages"][-1]["content"]
        assert last[0]["text"] == "And the others?"
        assert "fresh one" in last[1]["text"]


@pytest.mark.promise("anthropic.fresh")
async def test_a_lost_program_that_only_read_is_written_again() -> None:
    direct = use("get_expenses", {"emp": "e9"}, call_id="toolu_0")
    anew = Turn(
        blocks=(
            code("again", program="srvtoolu_10"),
            use("get_expenses", {"emp": "e1"}, call_id="toolu_z", program="srvtoolu_10"),
        )
    )
    ended = Turn(blocks=(code_result("[]\n", program="srvtoolu_10"), say("Nobody.")))
    script = [Turn(blocks=(direct,)), PAUSED, anew, ended]
    async with talk(script) as (server, client):
        first = await client.complete([ASK], [EXPENSES])
        kept = [*first.messages, first.tool_results({"toolu_0": "[]"})]
        paused = await client.complete(kept, [EXPENSES])
        server.end_containers()
        message = paused.tool_results({"toolu_a": "[]"})
        message["content"].append({"type": "text", "text": "Hurry."})
        response = await client.complete(
            [*paused.messages, message], [EXPENSES], container_id=paused.container.id
        )

        assert response.container_was_lost
        assert list(response.messages[: len(kept)]) == kept
        assert response.messages[-1] == response.message
        roles = [body["role"] for body in server.requests[-1]["messages"]]
        assert roles == ["user", "assistant", "user"]
        said = [block.get("text") for block in server.requests[-1]["messages"][-1]["content"]]
        assert said[1] == "Hurry."
        assert "fresh one" in said[2]

        answers = response.tool_results({"toolu_z": "[]"})
        over = await client.complete(
            [*response.messages, answers], [EXPENSES], container_id=response.container.id
        )
        assert over.text == "Nobody."
        assert len(server.refusals) == 1


@pytest.mark.promise("anthropic.fresh")
@pytest.mark.parametrize("severity", ["write", "destructive"])
async def test_nothing_is_begun_again_after_a_call_that_changes_something(severity: Any) -> None:
    changing = ToolSpec(
        name="get_expenses",
        parameters=SCHEMA,
        severity=severity,
        allowed_callers=frozenset({"direct", "programmatic"}),
    )
    async with talk([PAUSED, HELLO]) as (server, client):
        response = await client.complete([ASK], [changing])
        server.end_containers()
        answers = response.tool_results({"toolu_a": "[]"})
        with pytest.raises(RemoteContainerGone, match="'get_expenses' was called"):
            await client.complete(
                [*response.messages, answers], [changing], container_id=response.container.id
            )

        assert len(server.headers) == 2


async def test_a_container_that_is_lost_again_is_told() -> None:
    gone = Failure(status=404, kind="not_found_error", message="Container not found")
    async with talk([gone]) as (server, client):
        with pytest.raises(ProviderError):
            await client.complete([ASK], [EXPENSES], container_id="container_01")

        # The server itself knows no such container; the second try goes without one.
        assert [("container" in body) for body in server.requests] == [False]
        assert len(server.headers) == 2


@pytest.mark.parametrize(
    ("tool", "match"),
    [
        ("notify", r"tools\[0\] is 'notify'"),
        ({**NOTIFY, "parameter": {}}, r"tools\[0\] has the key 'parameter'.*'parameters'"),
        ({"name": "notify"}, r"tools\[0\] has no parameters"),
        ({**NOTIFY, "input_schema": SCHEMA}, "parameters and input_schema"),
        ({**NOTIFY, "parameters": {"properties": {}}}, r"tools\[0\]\.parameters is"),
        ({**NOTIFY, "name": "no.dots"}, r"tools\[0\]\.name is 'no\.dots'"),
        ({**NOTIFY, "name": None}, r"tools\[0\]\.name is ''"),
        ({**NOTIFY, "description": 7}, r"tools\[0\]\.description is 7"),
        ({**NOTIFY, "defer_loading": "yes"}, r"tools\[0\]\.defer_loading is 'yes'"),
        ({**NOTIFY, "allowed_callers": ["me"]}, r"tools\[0\]\.allowed_callers is \['me'\]"),
        ({**NOTIFY, "allowed_callers": []}, r"tools\[0\]\.allowed_callers is \[\]"),
        ({**NOTIFY, "allowed_callers": "direct"}, r"tools\[0\]\.allowed_callers is 'direct'"),
        ({**NOTIFY, "severity": "mild"}, r"tools\[0\]\.severity is 'mild'"),
        ({**NOTIFY, "input_examples": [7]}, r"tools\[0\]\.input_examples\[0\] is 7"),
        ({**NOTIFY, "type": "web_search_20260209"}, r"tools\[0\]\.type is 'web_search"),
        ({**NOTIFY, "name": "code_execution"}, "'code_execution' is taken"),
        (ToolSpec(name="bare"), "'bare' has neither parameters nor a handler"),
    ],
)
async def test_a_tool_that_cannot_be_declared_is_named(tool: Any, match: str) -> None:
    client = AnthropicClient("key", base_url="http://127.0.0.1:9")
    with pytest.raises(InvalidValue, match=match) as caught:
        await client.complete([ASK], [tool])

    assert caught.value.hint


async def test_two_tools_of_one_name_are_named() -> None:
    client = AnthropicClient("key")
    with pytest.raises(InvalidValue, match=r"tools\[1\]: the name 'notify' is taken"):
        await client.complete([ASK], [NOTIFY, NOTIFY])


async def test_a_tool_for_programs_alone_needs_programs() -> None:
    only = {**NOTIFY, "allowed_callers": ["code_execution_20260120"]}
    client = AnthropicClient("key", enable_ptc=False)
    with pytest.raises(InvalidValue, match="for programs only"):
        await client.complete([ASK], [only])


@pytest.mark.parametrize(
    ("message", "match"),
    [
        ("Hi.", r"messages\[0\]\.role is 'Hi\.'"),
        ({"role": "system", "content": "Be brief."}, "system="),
        ({"role": "user", "content": 7}, r"messages\[0\]\.content is 7"),
        ({"role": "user", "content": ["Hi."]}, r"messages\[0\]\.content\[0\] is 'Hi\.'"),
        ({"role": "user", "content": [{"type": "text"}]}, r"messages\[0\]\.content\[0\] is"),
        ({"role": "user", "content": [{"type": "thinking"}]}, "text, image, document"),
        (
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x"}]},
            r"messages\[0\]\.content\[0\]\.tool_use_id is 'x'",
        ),
        (
            {"role": "user", "content": [{"type": "image", "source": {"type": "url"}}]},
            r"messages\[0\]\.content\[0\]\.source",
        ),
        (
            {
                "role": "user",
                "content": [{"type": "image", "source": {"type": "base64", "data": "%"}}],
            },
            "not base64",
        ),
    ],
)
async def test_a_message_that_cannot_be_read_is_named(message: Any, match: str) -> None:
    client = AnthropicClient("key", base_url="http://127.0.0.1:9")
    with pytest.raises(InvalidValue, match=match) as caught:
        await client.complete([message])

    assert caught.value.hint


async def test_nothing_and_numbers_that_cannot_be_are_named() -> None:
    client = AnthropicClient("key")
    with pytest.raises(InvalidValue, match="messages is empty"):
        await client.complete([])
    with pytest.raises(InvalidValue, match="max_tokens is 0"):
        await client.complete([ASK], max_tokens=0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("messages", "Hi."), ("messages", 5), ("tools", 5), ("system", None), ("system", 5)),
        *(("container_id", 5), ("max_tokens", "5"), ("max_tokens", 1.5), ("max_tokens", True)),
        *(("temperature", "hot"), ("temperature", float("nan")), ("temperature", -1)),
    ],
)
async def test_an_argument_of_a_wrong_type_is_named(name: str, value: Any) -> None:
    client = AnthropicClient("key", base_url="http://127.0.0.1:9")
    with pytest.raises(InvalidValue) as caught:
        await client.complete(**{"messages": [ASK], name: value})
    assert caught.value.message.startswith(f"{name} is {value!r}")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("api_key", b"sk-secret", "api_key is of type bytes"),
        *(("model", 5, "model is 5, of type int"), ("base_url", 5, "base_url is 5, of type int")),
        *(("enable_ptc", "no", "enable_ptc is 'no'"), ("options", {}, "options is {}")),
    ],
)
def test_a_client_is_made_of_the_right_types(name: str, value: Any, match: str) -> None:
    with pytest.raises(ConfigError, match=match) as caught:
        AnthropicClient(**{"api_key": "key", name: value})
    assert caught.value.hint
    assert "secret" not in caught.value.message


def test_the_handler_that_is_never_called_says_what_to_do() -> None:
    with pytest.raises(ToolFailed, match="the arguments were emp") as caught:
        clients._call_elsewhere(emp="x")
    assert "tool_results" in str(caught.value.hint)


async def test_images_results_and_references_of_plain_messages_arrive() -> None:
    png = {"type": "base64", "media_type": "image/png", "data": "aGk="}
    found = Turn(blocks=(use("find_tools", {"emp": "x"}, call_id="toolu_s"),))
    seen = Turn(blocks=(use("notify", {"emp": "x"}, call_id="toolu_t"),))
    tools = [{**NOTIFY, "name": "find_tools"}, {**NOTIFY, "defer_loading": True}]
    image = {"role": "user", "content": [{"type": "image", "source": png}]}
    reference = {"type": "tool_reference", "tool_name": "notify"}
    async with talk([found, seen, HELLO]) as (server, client):
        response = await client.complete([image], tools)
        block = {"type": "tool_result", "tool_use_id": "toolu_s", "content": [reference]}
        response = await client.complete(
            [*response.messages, {"role": "user", "content": [block]}], tools
        )
        block = {
            "type": "tool_result",
            "tool_use_id": "toolu_t",
            "content": [{"type": "image", "source": png}],
            "is_error": True,
        }
        await client.complete([*response.messages, {"role": "user", "content": [block]}], tools)

        assert server.refusals == []
        assert server.requests[0]["messages"][0]["content"][0]["source"] == png
        assert server.requests[1]["messages"][2]["content"][0]["content"] == [reference]
        (last,) = server.requests[2]["messages"][4]["content"]
        assert last["is_error"] is True
        assert last["content"][0]["source"] == png


async def test_a_spec_with_a_handler_and_examples_of_an_object_are_declared() -> None:
    def look_up(city: str, days: int = 3) -> list[str]:
        """The weather of a city."""
        raise NotImplementedError

    plain = {**NOTIFY, "input_examples": [{"emp": "e1"}, {"scenario": "x", "input": {"emp": "e"}}]}
    async with talk([HELLO]) as (server, client):
        await client.complete([ASK], [ToolSpec(name="look_up", handler=look_up), plain])

        _, spec, told = server.requests[0]["tools"]
        assert spec["description"].startswith("The weather of a city.")
        assert spec["input_schema"]["required"] == ["city"]
        assert told["input_examples"] == [{"emp": "e1"}, {"emp": "e"}]
        assert server.refusals == []


def test_a_model_that_runs_no_programs_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        AnthropicClient("key", model="claude-nobody")
        AnthropicClient("key", model="claude-nobody", enable_ptc=False)

    assert [record.message for record in caplog.records] == ["anthropic.model_runs_no_programs"]


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="ANTHROPIC_API_KEY"):
        AnthropicClient()
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key")
    AnthropicClient()
