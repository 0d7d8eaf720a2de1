"""The four tools as a model and as Python use them."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import pytest
from tests.programs.fakes import ANN, BEN, FakeSearcher, World, make_snapshot, make_tool, open_world

from toolweft.core.calls import Blob, Failure, LinkContent, TextContent, ToolResult
from toolweft.core.errors import ContainerExpired, InvalidArguments, InvalidValue, RunNotFound
from toolweft.core.events import RunFinished, SearchDone
from toolweft.core.ids import CallId, RunId
from toolweft.core.snapshot import CatalogTool, GoneTool
from toolweft.toolbox import Toolbox, ToolboxOptions
from toolweft.toolbox.surfaces import Surfaces
from toolweft.toolbox.visible import VisibleTools, callable_tools

TEXT = {"type": "string"}
ISSUES = make_tool(
    "github.list_issues", parameters={"repo": TEXT}, required=["repo"], description="List issues"
)
LISTED = make_tool("clock.now", description="What time it is", deferred=False, severity="write")
SECRET = make_tool("vault.open", description="List secrets", callers=frozenset())
BROKEN = make_tool("vault.shut", description="List locks", status="disabled")
SLOW = make_tool("jobs.wait", description="Wait for a job")


@asynccontextmanager
async def open_toolbox(
    *tools: CatalogTool, options: ToolboxOptions | None = None
) -> AsyncIterator[tuple[Toolbox, World]]:
    async with open_world(*tools) as world:
        yield make_toolbox(world, options), world


def make_toolbox(
    world: World, options: ToolboxOptions | None = None, principal: Any = ANN
) -> Toolbox:
    return Toolbox(
        principal=principal,
        holder=world.holder,
        searcher=FakeSearcher(),
        visible=VisibleTools(),
        surfaces=Surfaces(world.runner, options=options or ToolboxOptions()),
        road=world.road,
        runner=world.runner,
        ledger=world.ledger,
        clock=world.clock,
        ids=world.ids,
        handles=world.handles,
        options=options or ToolboxOptions(),
    )


# ------------------------------------------------------------------------------------------ search


async def test_a_search_answers_each_query_with_signatures() -> None:
    async with open_toolbox(ISSUES, LISTED) as (box, world):
        answer = await box.search(["list issues", "time", "zzz"])
    assert [[hit.qualified for hit in query.hits] for query in answer.queries] == [
        ["github.list_issues"],
        ["clock.now"],
        [],
    ]
    assert "async def list_issues(*, repo: str)" in answer.queries[0].hits[0].stub
    assert "say it in other words" in answer.queries[2].note
    event = world.ledger.events[0]
    assert isinstance(event, SearchDone)
    assert (event.queries, event.hits, event.run_id) == (3, 2, None)
    assert answer.to_dict()["queries"][0]["hits"][0]["name"] == "github.list_issues"


async def test_a_search_never_shows_what_nobody_may_call() -> None:
    async with open_toolbox(ISSUES, SECRET, BROKEN) as (box, _):
        answer = await box.search("list", limit=50)
    assert [hit.qualified for hit in answer.queries[0].hits] == ["github.list_issues"]


async def test_a_search_may_keep_to_one_source() -> None:
    async with open_toolbox(ISSUES, make_tool("git-lab.list")) as (box, _):
        for spelled in ("git-lab", "git_lab"):
            answer = await box.search("list", namespace=spelled)
            assert [hit.qualified for hit in answer.queries[0].hits] == ["git_lab.list"]
        with pytest.raises(InvalidArguments, match="no source named 'githab'") as caught:
            await box.search("list", namespace="githab")
    assert caught.value.hint == "did you mean github, git_lab?"


async def test_sources_that_still_start_are_named_when_nothing_fits() -> None:
    async with open_toolbox(ISSUES) as (box, world):
        snapshot = world.holder.snapshot
        status = next(iter(snapshot.sources.values()))
        object.__setattr__(status, "state", "starting")
        reply = await box.invoke("search_tools", {"queries": ["zzz"]})
    assert reply.text == "no tool fits 'zzz' yet; still starting: github; sources: github 1"


async def test_a_model_reads_stubs_under_its_queries_and_none_twice() -> None:
    async with open_toolbox(ISSUES) as (box, _):
        one = await box.invoke("search_tools", {"queries": "issues"})
        two = await box.invoke("search_tools", {"queries": ["issues", "list"]})
    assert one.text.startswith("# github.list_issues (read-only)\nasync def")
    assert two.text == f"## issues\n{one.text}\n\n## list\n# github.list_issues: above"
    assert not one.is_error


# ---------------------------------------------------------------------------------------- describe


async def test_describe_gives_everything_and_names_what_is_unknown() -> None:
    async with open_toolbox(ISSUES) as (box, _):
        answer = await box.describe(["list_issues", "github.lst_issues"])
        reply = await box.invoke("describe_tools", {"names": ["list_issues", "nope"]})
        none = await box.invoke("describe_tools", {"names": "nope"})
    assert [tool.qualified for tool in answer.tools] == ["github.list_issues"]
    assert answer.unknown[0].hint is not None
    assert "did you mean github.list_issues" in answer.unknown[0].hint
    assert answer.to_dict()["unknown"][0]["name"] == "github.lst_issues"
    assert "# the catalog has no tool named 'nope'" in reply.text
    assert (reply.is_error, none.is_error) == (False, True)


# -------------------------------------------------------------------------------------------- call


async def test_a_direct_call_has_the_tools_own_time() -> None:
    async with open_toolbox(make_tool("a.b", timeout_s=7.0)) as (box, world):
        await box.call("b", {"x": 1})
        await box.call("b", timeout_s=2)
        await box.call("unknown")
    calls = world.road.calls
    # Without a time of its own a call outlasts its tool's, which then is what ends it.
    assert [call.countdown.left_s() for call in calls] == [12, 2, 65]
    assert (calls[0].caller.type, calls[0].principal, calls[0].id) == ("direct", ANN, "call_1")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"a": [1, "é"]}, '{"a":[1,"\\u00e9"]}'),
        ("plain", "plain"),
        (None, "null"),
        (Failure(code="denied", message="no", hint="ask"), "denied: no\nhint: ask"),
        (
            Failure(code="busy", message="later", retry_after_s=2.0),
            "busy: later\nretry after 2 s",
        ),
    ],
)
async def test_a_model_reads_a_result_as_plainly_as_a_direct_call(answer: Any, text: str) -> None:
    async with open_toolbox(ISSUES) as (box, world):
        world.road.answers["github.list_issues"] = answer
        reply = await box.invoke("call_tool", {"name": "list_issues", "arguments": {"repo": "a/b"}})
    assert (reply.text, reply.content) == (text, ())
    assert reply.is_error == isinstance(answer, Failure)
    assert world.road.calls[0].arguments == {"repo": "a/b"}


async def test_images_and_links_go_on_as_they_came() -> None:
    image = Blob(data=b"png", media_type="image/png")
    blocks = (TextContent("x" * 99), image, LinkContent(uri="a:b"))
    async with open_toolbox(ISSUES, options=ToolboxOptions(shown_result_characters=10)) as (
        box,
        world,
    ):
        world.road.answers["github.list_issues"] = ToolResult(call_id=CallId("1"), content=blocks)
        reply = await box.invoke("call_tool", {"name": "list_issues"})
    assert reply.text == ""
    first, *others = reply.content
    assert isinstance(first, TextContent)
    assert "89 characters not shown" in first.text
    assert tuple(others) == blocks[1:]


async def test_a_structured_value_stands_before_the_links_that_came_with_it() -> None:
    link = LinkContent(uri="a:b")
    for value, blocks, text in (
        ({"id": 7}, (link,), '{"id":7}'),
        ({"id": 7}, (TextContent("see"), link), '{"id":7}'),
        ({"id": 7}, (TextContent('{"id": 7}'), link), ""),
        ({"uri": "a:b"}, (link,), ""),
        (["see", {"uri": "a:b"}], (TextContent("see"), link), ""),
    ):
        async with open_toolbox(ISSUES) as (box, world):
            answer = ToolResult(call_id=CallId("1"), value=value, content=blocks)
            world.road.answers["github.list_issues"] = answer
            reply = await box.invoke("call_tool", {"name": "list_issues"})
        assert (reply.text, reply.content) == (text, blocks)


async def test_all_blocks_share_one_budget_of_characters() -> None:
    blocks = (*(TextContent("q" * 8) for _ in range(50)), LinkContent(uri="a:b"))
    async with open_toolbox(ISSUES, options=ToolboxOptions(shown_result_characters=20)) as (
        box,
        world,
    ):
        world.road.answers["github.list_issues"] = ToolResult(call_id=CallId("1"), content=blocks)
        reply = await box.invoke("call_tool", {"name": "list_issues"})
    texts = [block.text for block in reply.content if isinstance(block, TextContent)]
    assert sum(text.count("q") for text in texts) == 20
    assert len(texts) == 4
    assert "376 characters" in texts[-1]


async def test_bytes_among_values_stand_after_the_text() -> None:
    image = Blob(data=b"png", media_type="image/png")
    async with open_toolbox(ISSUES) as (box, world):
        replies = []
        for value in (image, [image], ["see", image]):
            answer = ToolResult(call_id=CallId("1"), value=value)
            world.road.answers["github.list_issues"] = answer
            replies.append(await box.invoke("call_tool", {"name": "list_issues"}))
    assert [reply.text for reply in replies] == ["", "", '["see","[image/png, 3 bytes]"]']
    assert all(reply.content == (image,) for reply in replies)


async def test_a_listed_tool_is_called_by_its_wire_name() -> None:
    async with open_toolbox(LISTED, ISSUES) as (box, world):
        world.road.answers["clock.now"] = "noon"
        assert (await box.invoke("clock-now", {})).text == "noon"
        hidden = await box.invoke("github-list_issues", {})
        unknown = await box.invoke("serch_tools", {})
    assert hidden.is_error
    assert "call_tool(name='github.list_issues'" in hidden.text
    assert "did you mean search_tools" in unknown.text


async def test_a_listed_tool_that_was_taken_away_is_gone() -> None:
    async with open_toolbox(LISTED, ISSUES) as (box, world):
        gone = GoneTool(
            qualified=LISTED.qualified, source=LISTED.definition.namespace, at=world.clock.now()
        )
        only = make_snapshot(ISSUES, version=2)
        world.holder.snapshot = replace(only, gone={"clock-now": gone, "clock.now": gone})
        reply = await box.invoke("clock-now", {})
        described = await box.describe("clock.now")
    assert reply.code == "tool_gone"
    assert "clock.now is gone: its source 'clock' took it away" in reply.text
    assert "is gone" in described.unknown[0].message


async def test_the_four_are_not_reached_through_call_tool() -> None:
    async with open_toolbox(ISSUES) as (box, _):
        reply = await box.invoke("call_tool", {"name": "run_code", "arguments": {"code": "1"}})
    assert reply.is_error
    assert "use run_code itself" in reply.text


# --------------------------------------------------------------------------------------------- run


async def test_a_model_runs_a_program_and_goes_on_in_its_container() -> None:
    heard: list[str] = []
    async with open_toolbox(ISSUES) as (box, _):
        first = await box.invoke("run_code", {"code": "x = 6\nprint(x)"}, on_output=heard.append)
        second = await box.invoke("run_code", {"code": "print(x * 7)", "container_id": "c_1"})
    assert first.text == "6\n[container_id c_1, kept 270 s]"
    assert second.text == "42\n[container_id c_1, kept 270 s]"
    assert (heard, first.is_error) == (["6\n"], False)


async def test_a_program_that_fails_is_an_error_to_the_model() -> None:
    async with open_toolbox(ISSUES) as (box, _):
        failed = await box.invoke("run_code", {"code": "1/0"})
        invalid = await box.invoke("run_code", {"code": "await github.list_issues()"})
        expired = await box.invoke("run_code", {"code": "1", "container_id": "c_77"})
    assert failed.text.startswith("Error, line 1: ZeroDivisionError: division by zero")
    assert invalid.text.startswith("Not run, line 1: InvalidArguments: github.list_issues() needs")
    assert expired.text.startswith("container_not_found: there is no container 'c_77'\nhint:")
    assert all(reply.is_error for reply in (failed, invalid, expired))


async def test_a_long_run_is_waited_for_in_pieces() -> None:
    async with open_toolbox(SLOW) as (box, world):
        gate = anyio.Event()
        world.road.answers["jobs.wait"] = gate.wait
        first = await box.invoke("run_code", {"code": "await jobs.wait()\n'done'", "wait_s": 0})
        assert first.text.startswith("[still running: run_code(run_id='run_1') waits on]")
        assert not first.is_error
        while not world.road.calls:
            await anyio.lowlevel.checkpoint()
        gate.set()
        with anyio.fail_after(5):
            second = await box.invoke("run_code", {"run_id": "run_1"})
    assert second.text.startswith('=> "done"\n')


async def test_a_run_is_out_of_reach_for_others() -> None:
    async with open_toolbox(ISSUES) as (box, world):
        await box.run_code("1")
        with pytest.raises(RunNotFound):
            await make_toolbox(world, principal=BEN).run_code(run_id=RunId("run_1"))


async def test_whoever_stops_waiting_stops_the_run() -> None:
    async with open_toolbox(SLOW) as (box, world):
        world.road.answers["jobs.wait"] = anyio.Event().wait
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(box.run_code, "await jobs.wait()")
            while not world.road.calls:
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(5):
            while not isinstance(world.ledger.events[-1], RunFinished):
                await anyio.lowlevel.checkpoint()


async def test_giving_up_a_wait_leaves_the_run_to_whoever_started_it() -> None:
    async with open_toolbox(SLOW) as (box, world):
        gate = anyio.Event()
        world.road.answers["jobs.wait"] = gate.wait
        started = await box.run_code("await jobs.wait()", wait_s=0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(box.run_code, run_id=started.run_id))
            while not world.road.calls:
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        gate.set()
        outcome = await box.run_code(run_id=started.run_id)
    assert outcome.status == "ok"


@pytest.mark.parametrize("digits", [400, 5_000])
async def test_numbers_beyond_all_bounds_are_refused_in_words(digits: int) -> None:
    wait_s = 10**digits
    async with open_toolbox(ISSUES) as (box, _):
        waited = await box.invoke("run_code", {"code": "1", "wait_s": wait_s})
        found = await box.invoke("search_tools", {"queries": "a", "limit": wait_s})
    assert "$.wait_s must be from 0 to 600" in waited.text
    assert "$.limit must be from 1" in found.text


async def test_a_search_refuses_a_detail_and_a_limit_that_are_none() -> None:
    detail: Any = "nope"
    async with open_toolbox(ISSUES) as (box, _):
        with pytest.raises(InvalidArguments, match="no detail 'nope'"):
            await box.search("list", detail=detail)
        with pytest.raises(InvalidArguments, match="limit is 0"):
            await box.search("list", limit=0)


def test_where_every_tool_may_be_called_nothing_is_filtered() -> None:
    assert callable_tools(make_snapshot(ISSUES, LISTED)) is None
    assert callable_tools(make_snapshot(ISSUES, SECRET)) == {"github.list_issues"}


async def test_a_program_or_a_run_is_named_never_both() -> None:
    async with open_toolbox(ISSUES) as (box, _):
        with pytest.raises(InvalidArguments):
            await box.run_code()
        with pytest.raises(InvalidArguments):
            await box.run_code("1", run_id=RunId("run_1"))


@pytest.mark.parametrize("seconds", [math.nan, "30", True])
async def test_a_time_that_is_none_is_refused_with_its_place(seconds: Any) -> None:
    async with open_toolbox(SLOW) as (box, _):
        with pytest.raises(InvalidValue, match=f"wait_s is a number of seconds, not {seconds!r}"):
            await box.run_code("1", wait_s=seconds)
        with pytest.raises(InvalidValue, match="timeout_s is a number of seconds") as refused:
            await box.call("jobs.wait", timeout_s=seconds)
    assert refused.value.hint == "timeout_s=30"


@pytest.mark.parametrize("seconds", [10**400, -(10**400), 10**5000], ids=["400", "-400", "5000"])
async def test_a_time_beyond_what_a_clock_holds_is_refused(seconds: int) -> None:
    async with open_toolbox(SLOW) as (box, _):
        with pytest.raises(InvalidValue, match="wait_s is a number of seconds"):
            await box.run_code("1", wait_s=seconds)
        with pytest.raises(InvalidValue, match="timeout_s is a number of seconds"):
            await box.call("jobs.wait", timeout_s=seconds)


async def test_python_runs_to_the_end_and_closes_what_it_opened() -> None:
    async with open_toolbox(ISSUES) as (box, _):
        outcome = await box.run("x = 1")
        assert outcome.container is not None
        await box.containers.close(outcome.container.id)
        with pytest.raises(ContainerExpired):
            await box.run("x", container_id=outcome.container.id)


async def test_wrong_arguments_name_every_fault() -> None:
    async with open_toolbox(ISSUES) as (box, _):
        reply = await box.invoke("search_tools", {"query": "x", "limit": 900})
    assert reply.is_error
    assert reply.text == (
        "invalid_arguments: search_tools: $.query is not a parameter; did you mean 'queries'?; "
        "$.queries is missing; give a list of texts; $.limit must be from 1 to 50, not 900\n"
        "hint: search_tools takes queries, limit, detail, namespace, category"
    )


async def test_the_surface_is_built_from_what_is_live() -> None:
    async with open_toolbox(ISSUES, LISTED) as (box, _):
        surface = box.surface()
    assert [tool.name for tool in surface.tools] == [
        "search_tools",
        "describe_tools",
        "call_tool",
        "run_code",
        "clock-now",
    ]
    assert "CPython 3.11.7" in surface.tools[3].description
