"""Servers that do not start, hang, die or lie: each fails with its reason, alone."""

from pathlib import Path

import anyio
import pytest
from tests.sources.support import (
    AT_ONCE,
    SERVERS,
    WaitingListener,
    build_stdio,
    is_alive,
    use,
)

from toolweft.catalog import Catalog, CatalogOptions
from toolweft.core.errors import SourceUnavailable
from toolweft.core.secret import Secret
from toolweft.sources import SourceGroup, StdioSource

pytestmark = pytest.mark.process


async def find_failure(listener: WaitingListener, source: StdioSource) -> str:
    async with SourceGroup([source], listener=listener):
        return (await listener.wait_for("plain", "failed")).reason


async def test_a_missing_command_is_named_with_the_path_it_was_looked_for_on(
    listener: WaitingListener,
) -> None:
    reason = await find_failure(
        listener, build_stdio(listener, command="nonesuch", env={"PATH": "/nowhere" + ":/x" * 99})
    )
    assert "'nonesuch' is not found on PATH (/nowhere:" in reason
    assert "install 'nonesuch'" in reason
    assert len(reason) < 500


async def test_a_command_that_is_no_program_is_named(
    listener: WaitingListener, tmp_path: Path
) -> None:
    script = tmp_path / "server.py"
    script.write_text("print()")
    reason = await find_failure(listener, build_stdio(listener, command=str(script)))
    assert f"{str(script)!r} cannot be started: Permission denied" in reason


async def test_a_missing_working_folder_is_named(listener: WaitingListener, tmp_path: Path) -> None:
    reason = await find_failure(listener, build_stdio(listener, cwd=tmp_path / "nowhere"))
    assert f"{str(tmp_path / 'nowhere')!r} is not a folder" in reason


@pytest.mark.promise("sources.stderr")
async def test_an_exit_at_import_shows_the_traceback_without_secrets(
    listener: WaitingListener,
) -> None:
    key = Secret("s3cr3t-value", reference="env:KEY")
    reason = await find_failure(
        listener, build_stdio(listener, "plain.py", "crash", env={"API_KEY": key})
    )
    assert "it exited with code 1" in reason
    assert "ImportError: cannot import name 'FastMCP' with ***" in reason
    assert "s3cr3t" not in reason


async def test_wrong_arguments_show_the_usage(listener: WaitingListener) -> None:
    reason = await find_failure(listener, build_stdio(listener, "plain.py", "usage"))
    assert "it exited with code 2" in reason
    assert "usage: plain.py --port PORT" in reason


async def test_a_signal_is_named(listener: WaitingListener) -> None:
    reason = await find_failure(listener, build_stdio(listener, "plain.py", "killed"))
    assert reason == "it was killed by SIGKILL"


@pytest.mark.parametrize("mode", ["silent", "stubborn"])
async def test_a_silent_server_is_given_up_at_the_time_out(
    listener: WaitingListener, mode: str
) -> None:
    reason = await find_failure(
        listener, build_stdio(listener, "plain.py", mode, start_timeout_s=0.5)
    )
    assert reason.startswith("it did not list its tools within 0.5 s")
    assert "exited" not in reason


async def test_garbage_is_quoted(listener: WaitingListener) -> None:
    reason = await find_failure(
        listener, build_stdio(listener, "plain.py", "garbage", start_timeout_s=1.0)
    )
    assert "no JSON-RPC, the first: '~~ hello, human ~~'" in reason


async def test_a_refused_tool_list_is_a_failure_with_the_servers_words(
    listener: WaitingListener,
) -> None:
    reason = await find_failure(listener, build_stdio(listener, "plain.py", "list-error"))
    assert "its tools/list failed: the upstream token is missing (-32603)" in reason


async def test_a_tool_list_that_breaks_the_protocol_is_a_failure_with_its_place(
    listener: WaitingListener,
) -> None:
    reason = await find_failure(listener, build_stdio(listener, "plain.py", "list-invalid"))
    assert "does not fit the protocol: Input should be a valid list at $.tools" in reason


@pytest.mark.promise("sources.alone")
async def test_odd_tools_do_not_take_the_others_of_their_server_down(
    listener: WaitingListener,
) -> None:
    catalog = Catalog(CatalogOptions())
    source = build_stdio(listener, "plain.py", "list-odd")
    async with SourceGroup([source], listener=listener):
        status = await listener.wait_for("plain", "ready")
        assert (await use(source, "echo", a=1)).structured == {"a": 1}
    catalog.source_changed(status, listener.tools("plain"))
    tools = {tool.definition.name: tool for tool in catalog.snapshot.tools.values()}
    disabled = {name for name, tool in tools.items() if tool.status == "disabled"}
    assert disabled == {"text", "array"}
    assert "input schema of 'array'" in tools["array"].status_reason
    assert set(tools) - disabled == {"echo", "missing", "nothing"}


async def test_a_line_without_end_is_named_at_once(listener: WaitingListener) -> None:
    source = build_stdio(listener, "plain.py", "flood", max_message_bytes=100_000)
    reason = await find_failure(listener, source)
    assert "a line without end, above the cap of 100,000 bytes" in reason
    assert "did not list its tools" not in reason


async def test_no_planted_secret_is_shown(listener: WaitingListener, tmp_path: Path) -> None:
    script = tmp_path / "leak.py"
    script.write_text(
        "import os, sys, time\n"
        "text = f'{os.environ[\"API_KEY\"]} {sys.argv[1]}'\n"
        "print(text, flush=True)\n"
        "print(text, file=sys.stderr, flush=True)\n"
        "sys.exit(text)\n"
    )
    reason = await find_failure(
        listener,
        build_stdio(
            listener,
            args=(str(script), "--dsn=planted-in-args"),
            env={"API_KEY": Secret("planted-in-env", reference="env:KEY")},
            secrets=(Secret("planted-in-args", reference="env:DSN"),),
        ),
    )
    assert "the first: '*** --dsn=***'" in reason
    assert "planted" not in reason


async def test_a_slow_server_does_not_delay_the_others(listener: WaitingListener) -> None:
    silent = build_stdio(listener, "plain.py", "silent", name="silent")
    good = build_stdio(listener, name="good")
    async with SourceGroup([silent, good], listener=listener):
        await listener.wait_for("good", "ready")
        assert (await use(good, "echo", a=1)).structured == {"a": 1}
        # A call of the other waits for it, as long as the caller likes.
        with anyio.move_on_after(0.1) as patience:
            await use(silent, "echo")
        assert patience.cancelled_caught
        assert listener.latest("silent").state == "starting"


async def test_a_server_that_dies_fails_its_calls_at_once_and_says_why(
    listener: WaitingListener,
) -> None:
    source = build_stdio(listener)
    failures: list[str] = []

    async def hang() -> None:
        with pytest.raises(SourceUnavailable) as caught:
            await use(source, "hang")
        failures.append(caught.value.message)

    async with SourceGroup([source], listener=listener):
        await listener.wait_for("plain", "ready")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hang)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(SourceUnavailable) as caught:
                await use(source, "die", code=7)
        assert "server 'plain' broke off during 'die': it exited with code 7" in str(caught.value)
        # Callers may be far away; whoever sees this machine may see more.
        assert "cheese" not in str(caught.value)
        assert "`toolweft doctor`" in str(caught.value)
        assert "fatal: out of cheese" in (await listener.wait_for("plain", "failed")).reason
        with pytest.raises(SourceUnavailable) as later:
            await use(source, "echo")
        assert "exited with code 7" in str(later.value)
        assert "cheese" not in str(later.value)
        assert caught.value.hint is not None
        assert "broke off during 'hang'" in failures[0]
        await listener.wait_for("plain", "failed")
        with pytest.raises(SourceUnavailable, match="is not connected: it exited with code 7"):
            await use(source, "echo")


@pytest.mark.promise("sources.reconnect")
async def test_a_dead_server_comes_back(listener: WaitingListener) -> None:
    source = build_stdio(listener, again=AT_ONCE)
    async with SourceGroup([source], listener=listener):
        await listener.wait_for("plain", "ready")
        for _ in range(2):
            with pytest.raises(SourceUnavailable):
                await use(source, "die")
            await listener.wait_for("plain", "failed")
            await listener.wait_for("plain", "ready")
            assert (await use(source, "echo", a=1)).structured == {"a": 1}
    # The tools stayed the same, so they were told once.
    assert sum(change.definitions is not None for change in listener.changes) == 1


async def test_a_server_that_cannot_start_is_tried_again(
    listener: WaitingListener, tmp_path: Path
) -> None:
    script = tmp_path / "server.py"
    source = build_stdio(listener, args=(str(script),), never_ready=AT_ONCE)
    async with SourceGroup([source], listener=listener):
        assert "can't open file" in (await listener.wait_for("plain", "failed")).reason
        script.symlink_to(SERVERS / "plain.py")
        await listener.wait_for("plain", "ready")


async def test_a_server_that_closes_its_stdout_is_ended(listener: WaitingListener) -> None:
    source = build_stdio(listener)
    async with SourceGroup([source], listener=listener):
        await listener.wait_for("plain", "ready")
        with pytest.raises(SourceUnavailable, match="broke off during 'close_stdout'"):
            await use(source, "close_stdout")


async def test_an_answer_above_the_cap_without_an_id_ends_the_connection(
    listener: WaitingListener,
) -> None:
    source = build_stdio(listener, max_message_bytes=100_000)
    async with SourceGroup([source], listener=listener):
        await listener.wait_for("plain", "ready")
        with pytest.raises(SourceUnavailable, match="above the cap of 100,000"):
            await use(source, "huge_without_id", size=200_000)


async def test_no_grandchild_outlives_its_server(listener: WaitingListener) -> None:
    source = build_stdio(listener)
    async with SourceGroup([source], listener=listener):
        await listener.wait_for("plain", "ready")
        (content,) = (await use(source, "child")).content
        child = int(content.text)
        assert is_alive(child)
    with anyio.fail_after(10):
        while is_alive(child):  # noqa: ASYNC110 (a stranger's exit gives no event)
            await anyio.sleep(0.01)


async def test_a_death_is_seen_while_a_grandchild_keeps_the_pipes_open(
    listener: WaitingListener,
) -> None:
    source = build_stdio(listener)
    async with SourceGroup([source], listener=listener):
        await listener.wait_for("plain", "ready")
        await use(source, "child")
        with pytest.raises(SourceUnavailable, match="it exited with code 3"):
            await use(source, "die")


async def test_a_call_before_the_start_is_refused(listener: WaitingListener) -> None:
    with pytest.raises(SourceUnavailable, match="'plain' is not started yet"):
        await use(build_stdio(listener), "echo")
