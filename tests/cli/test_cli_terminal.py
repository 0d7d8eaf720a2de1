"""Questions of tools to the person at the terminal."""

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.cli.shell import TOOLWEFT, Shell

from toolweft.cli.terminal import StandardInput, TerminalClient
from toolweft.core.client import Ask
from toolweft.core.errors import AskRefused
from toolweft.core.ids import SourceName

SERVER = Path(__file__).parents[1] / "fixtures" / "servers" / "asking.py"
CONFIG = f"""
[servers.desk]
command = {sys.executable!r}
args = [{str(SERVER)!r}, "stdio", "2026-07-28"]
[servers.desk.default_config]
severity = "read_only"
"""
FORM = {
    "message": "Who are you?\nerror: not one of ours",
    "requestedSchema": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
    },
}

SCRIPT = '{"replies": [{"text": "Paris", "usage": {"input_tokens": 9, "output_tokens": 1}}]}'


def ask_for(kind: Any, params: dict[str, Any]) -> Ask:
    return Ask(kind=kind, source=SourceName("desk"), params=params)


def person(*lines: str | None, **more: Any) -> TerminalClient:
    left = list(lines)

    async def read() -> str | None:
        return left.pop(0)

    return TerminalClient(lines=read, **more)


@pytest.mark.promise("front.terminal")
async def test_a_form_is_filled_in_field_by_field(capsys: pytest.CaptureFixture[str]) -> None:
    answer = await person("Ann", "old", "41").ask(ask_for("elicitation", FORM))

    assert answer == {"action": "accept", "content": {"name": "Ann", "age": 41}}
    shown = capsys.readouterr().err
    assert "desk asks:\n  | Who are you?\n  | error: not one of ours\n" in shown
    assert shown.count("enter a whole number; again:") == 1


async def test_the_end_of_the_input_declines() -> None:
    assert await person("Ann", None).ask(ask_for("elicitation", FORM)) == {"action": "decline"}


@pytest.mark.parametrize(("line", "action"), [("y", "accept"), ("", "decline"), (None, "decline")])
async def test_an_address_is_shown_and_never_opened(
    line: str | None, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    params = {"mode": "url", "message": "Pay", "url": "https://pay.test/x"}

    assert (await person(line).ask(ask_for("elicitation", params)))["action"] == action
    shown = capsys.readouterr().err
    assert "if you trust pay.test" in shown
    assert "https://pay.test/x" in shown


async def test_an_approval_without_fields_is_a_yes_or_no() -> None:
    agreed = {"action": "accept", "content": {}}

    assert await person("yes").ask(ask_for("approval", {"message": "Send?"})) == agreed
    assert (await person("no").ask(ask_for("approval", {"message": "Send?"})))["action"] != "accept"


async def test_roots_are_those_of_the_configuration() -> None:
    client = person(roots=("file:///work",))

    assert await client.ask(ask_for("roots", {})) == {"roots": [{"uri": "file:///work"}]}


@pytest.mark.promise("front.terminal")
@pytest.mark.parametrize("kind", ["elicitation", "roots", "sampling", "approval"])
async def test_where_nobody_and_nothing_can_answer_asks_are_refused(kind: str) -> None:
    client = TerminalClient(lines=None)

    assert client.capabilities == {}
    with pytest.raises(AskRefused, match="cannot be asked"):
        await client.ask(ask_for(kind, {}))


async def test_one_question_is_asked_after_the_other() -> None:
    open_now = 0

    async def read() -> str:
        nonlocal open_now
        open_now += 1
        await anyio.sleep(0.01)
        assert open_now == 1
        open_now -= 1
        return "y"

    client = TerminalClient(lines=read)
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(client.ask, ask_for("approval", {}))


async def test_lines_are_read_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        os.write(writing, "eins\r\nzwei é\n".encode())
        lines = StandardInput()
        with anyio.fail_after(5):
            assert [await lines(), await lines()] == ["eins", "zwei é"]
            with anyio.move_on_after(0.05) as limit:
                await lines()
            assert limit.cancelled_caught
            os.close(writing)
            assert await lines() is None


async def test_the_host_of_an_address_is_shown_in_plain_letters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # A Cyrillic letter in place of a Latin one.
    params = {"mode": "url", "message": "Pay", "url": "https://p\u0430y.test/x"}

    await person("").ask(ask_for("elicitation", params))
    assert "if you trust xn--py-7kc.test:" in capsys.readouterr().err


async def test_a_log_line_of_a_server_passes_for_none_of_ours(
    capsys: pytest.CaptureFixture[str],
) -> None:
    person().log("error", "one\nerror: not ours", logger="a\nb")

    assert capsys.readouterr().err == "a b: error: one\n  | error: not ours\n"


@pytest.mark.promise("front.terminal")
async def test_what_was_entered_before_a_question_is_no_answer_to_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parent, child = pty.openpty()
    with os.fdopen(child) as stdin, os.fdopen(parent, "wb", buffering=0) as keys:
        monkeypatch.setattr(sys, "stdin", stdin)
        lines = StandardInput()
        client = TerminalClient(lines=lines, forget=lines.forget)
        with anyio.move_on_after(0.05):
            await client.ask(ask_for("approval", {"message": "First?"}))
        assert "what desk asked is not needed any more" in capsys.readouterr().err
        # The answer to the first, which comes too late.
        keys.write(b"y\n")
        await anyio.wait_readable(stdin)
        with anyio.move_on_after(0.2) as waiting:
            await client.ask(ask_for("approval", {"message": "Second?"}))
    assert waiting.cancelled_caught


@pytest.mark.parametrize("required", [7, {"a": 1}, "name"])
async def test_an_odd_form_is_asked_all_the_same(required: object) -> None:
    schema = {"properties": {"name": {"type": "string"}}, "required": required}
    params = {"message": "Who?", "requestedSchema": schema}

    answer = await person("").ask(ask_for("elicitation", params))
    assert answer == {"action": "accept", "content": {}}


def remember_tools(shell: Shell) -> None:
    """Have the server listed once: on a busy machine its start outlasts what a command waits."""
    for _ in range(4):
        if "ask_form" in shell("tools").out:
            return
    raise AssertionError("the server never started")


def at_terminal(shell: Shell, answers: list[tuple[str, str]], *arguments: str) -> tuple[int, str]:
    """Run a command at a terminal; each answer is given once its question was shown."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [str(TOOLWEFT), *arguments],
        cwd=shell.folder,
        env=shell.environ(TERM="dumb", PYTHONPATH=os.environ.get("PYTHONPATH", "")),
        stdin=child,
        stdout=child,
        stderr=child,
    )
    os.close(child)
    shown, left = "", list(answers)
    try:
        while True:
            try:
                chunk = os.read(parent, 65_536).decode()
            except OSError:
                break
            shown += chunk
            if left and left[0][0] in shown:
                os.write(parent, f"{left.pop(0)[1]}\n".encode())
        return process.wait(timeout=50), shown
    finally:
        process.kill()
        process.wait()
        os.close(parent)


@pytest.mark.process
@pytest.mark.promise("front.terminal")
@pytest.mark.parametrize("command", ["call", "run"])
def test_a_command_asks_at_the_terminal(command: str, bare: Shell) -> None:
    bare.write("toolweft.toml", CONFIG)
    remember_tools(bare)
    code = "print((await desk.ask_form(message='Who?'))['it']['content'])"
    arguments = ("call", "desk.ask_form") if command == "call" else ("run", "-c", code)
    answers = [("name [text]:", "Ann"), ("age [whole number; may be left empty]:", "")]

    ended, shown = at_terminal(bare, answers, *arguments)

    assert ended == 0, shown
    assert "desk asks:" in shown
    assert "{'name': 'Ann'}" in shown or '"name": "Ann"' in shown


@pytest.mark.process
@pytest.mark.promise("front.terminal")
def test_without_a_terminal_a_command_says_what_to_do(bare: Shell) -> None:
    bare.write("toolweft.toml", CONFIG)
    remember_tools(bare)

    ended = bare("call", "desk.ask_form")

    assert ended.code != 0
    assert "there is no terminal to answer on: run the command on one" in ended.err


@pytest.mark.process
@pytest.mark.promise("front.terminal")
def test_configured_roots_and_models_answer_in_a_command(bare: Shell) -> None:
    script = bare.folder / "answers.json"
    script.write_text(SCRIPT)
    bare.write(
        "toolweft.toml",
        CONFIG + f'[asks]\nroots = ["data"]\nsampling_model = "scripted:{script}"\n',
    )

    remember_tools(bare)

    roots = bare("call", "desk.ask_roots", "--json")
    sampled = bare("call", "desk.ask_sample", "--json")
    models = bare("runs", "models", "--json")

    assert (bare.folder / "data").as_uri() in roots.out
    assert "Paris" in sampled.out, sampled.err
    assert f"scripted:{script}" in models.out
