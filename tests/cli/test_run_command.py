"""Programs through the real entry point, in the real sandbox; bad ones above all."""

import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from tests.cli.shell import TOOLWEFT, Shell

pytestmark = pytest.mark.process

GATHER = """
import asyncio
rows, total, text = await asyncio.gather(
    list_rows(count=500), desk.add(a=40, b=2), echo(text="hello")
)
print(len(rows), total, text)
"""


def test_a_file_runs_and_only_what_it_prints_is_on_stdout(shell: Shell) -> None:
    shell.write("program.py", GATHER)

    ended = shell("run", "program.py")

    assert (ended.code, ended.out) == (0, "500 42 hello\n")
    assert "ok in process/" in ended.err
    assert "3 calls" in ended.err


@pytest.mark.parametrize("given", [("-",), ("-c", GATHER)])
def test_code_comes_from_stdin_or_the_command_line(shell: Shell, given: tuple[str, ...]) -> None:
    ended = shell("run", "--quiet", *given, stdin=GATHER)

    assert (ended.code, ended.out, ended.err) == (0, "500 42 hello\n", "")


@pytest.mark.parametrize("given", [(), ("a.py", "-c", "1"), ("missing.py",)])
def test_no_program_or_two_is_a_usage_error(shell: Shell, given: tuple[str, ...]) -> None:
    ended = shell("run", *given)

    assert ended.code == 2
    assert "error: " in ended.err


def test_a_file_that_is_not_text_is_refused(shell: Shell) -> None:
    (shell.folder / "program.py").write_bytes(b"\xff\xfe\x00")

    assert "UTF-8" in shell("run", "program.py").err


def test_json_prints_the_whole_outcome_and_nothing_else(shell: Shell) -> None:
    ended = shell("run", "--json", "-c", GATHER + "{'answer': total}")

    outcome = ended.json
    assert ended.code == 0
    assert outcome["status"] == "ok"
    assert outcome["stdout"] == "500 42 hello\n"
    assert outcome["value"] == {"answer": 42}
    assert sorted(call["tool"] for call in outcome["calls"]) == [
        "desk.add",
        "desk.echo",
        "desk.list_rows",
    ]
    assert outcome["stats"]["tokens_withheld"] > 1000
    assert outcome["container"]["backend"].startswith("process/")


@pytest.mark.parametrize(
    ("code", "status", "shown"),
    [
        ("x = (1,\ny = 2", "invalid", "SyntaxError"),
        ("print(await desk.ad(a=1))", "invalid", "desk.add"),
        ("print(await desk.add(c=1))", "invalid", "'c'"),
        ("await desk.erase_everything()", "error", "allowed_callers"),
        ("await break_down(reason='rust')", "error", "cannot go on: rust"),
        ("1 / 0", "error", "ZeroDivisionError"),
        ("import os\nos._exit(3)", "crashed", "status 3"),
    ],
)
def test_a_program_that_fails_says_why_and_ends_with_1(
    shell: Shell, code: str, status: str, shown: str
) -> None:
    ended = shell("run", "-c", code)

    assert ended.code == 1
    assert ended.out == ""
    assert f"program {status}" in ended.err
    assert shown in ended.err
    assert str(shell.folder) not in ended.err


def test_an_endless_loop_ends_at_its_limit(shell: Shell) -> None:
    ended = shell("run", "--wall", "1 s", "-c", "print('on', flush=True)\nwhile True: pass")

    assert ended.code == 1
    assert ended.out == "on\n"
    assert "program limit: wall" in ended.err


def test_two_hundred_megabytes_of_output_stop_the_program(shell: Shell) -> None:
    ended = shell("run", "-c", "for _ in range(200):\n    print('x' * 1_000_000)")

    assert ended.code == 1
    assert "program limit: output" in ended.err
    assert len(ended.out) <= 100_000
    assert "were dropped" in ended.err


def test_memory_is_limited_by_the_flag(shell: Shell) -> None:
    ended = shell("run", "--memory", "200 MiB", "-c", "x = bytearray(400 * 1024 * 1024)")

    assert ended.code == 1
    assert "memory" in ended.err.lower()


@pytest.mark.parametrize("flag", [("--memory", "much"), ("--wall", "-5")])
def test_a_limit_that_is_none_is_a_usage_error(shell: Shell, flag: tuple[str, str]) -> None:
    ended = shell("run", *flag, "-c", "1")

    assert ended.code == 2
    assert repr(flag[1])[1:-1] in ended.err


def test_output_arrives_while_the_program_runs_and_an_interrupt_ends_it(shell: Shell) -> None:
    with subprocess.Popen(
        [
            TOOLWEFT,
            "run",
            "-c",
            "print('first', flush=True)\nimport asyncio\nawait asyncio.sleep(60)",
        ],
        cwd=shell.folder,
        env=shell.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        first = running.stdout.readline()
        still_running = running.poll() is None
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=20)

    assert first == "first\n"
    assert still_running
    assert running.returncode == 130
    assert "Traceback" not in errors


def test_runs_lists_what_ran_and_show_lists_its_calls(shell: Shell) -> None:
    run_id = shell("run", "--json", "-c", GATHER).json["run_id"]

    listed = shell("runs", "--json").json["runs"]
    shown = shell("runs", "show", run_id, "--json").json

    assert [run["run_id"] for run in listed] == [run_id]
    assert listed[0]["stats"]["calls"] == 3
    assert [call["status"] for call in shown["calls"]] == ["ok"] * 3
    assert {call["caller"] for call in shown["calls"]} == {"programmatic"}
    assert run_id in shell("runs").out
    table = shell("runs", "show", run_id).out
    assert "desk.list_rows" in table
    assert "programmatic" in table


def test_no_runs_yet_is_not_an_error(shell: Shell) -> None:
    ended = shell("runs")

    assert ended.code == 0
    assert "no runs yet" in ended.err


def test_an_unknown_run_ends_with_1(shell: Shell) -> None:
    ended = shell("runs", "show", "run_0")

    assert ended.code == 1
    assert "'run_0'" in ended.err


def test_a_file_is_put_for_the_program_and_gone_afterwards(shell: Shell) -> None:
    shell.write("rows.jsonl", '{"a": 1}\n{"a": 41}\n')
    shell.write(
        "program.py",
        "rows = await load('rows')\n"
        "print(sum(row['a'] for row in rows), len(await load('same').raw()))",
    )
    puts = ("--put", "rows=rows.jsonl", "--put", "same=rows.jsonl")

    ended = shell("run", "--quiet", *puts, "program.py")

    assert (ended.code, ended.out, ended.err) == (0, "42 19\n", "")
    kept = shell.folder / "home" / ".local" / "state" / "toolweft" / "handles"
    assert kept.is_dir()
    assert [path for path in kept.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_run_in_order_and_nothing_put_stays(
    shell: Shell, number: signal.Signals
) -> None:
    shell.write("rows.jsonl", '{"a": 1}\n')
    program = "print(await load('rows'), flush=True)\nimport asyncio\nawait asyncio.sleep(60)"
    with subprocess.Popen(
        [TOOLWEFT, "run", "--put", "rows=rows.jsonl", "-c", program],
        cwd=shell.folder,
        env=shell.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        first = running.stdout.readline()
        running.send_signal(number)
        out, errors = running.communicate(timeout=20)

    assert (first, out) == ("[{'a': 1}]\n", "")
    # As a shell has it: 128 and the number.
    assert running.returncode == -number
    assert "Traceback" not in errors
    kept = shell.folder / "home" / ".local" / "state" / "toolweft" / "handles"
    assert kept.is_dir()
    assert [path for path in kept.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "held",
    [
        pytest.param("time.sleep(600)", id="blocks"),
        pytest.param(
            "while True:\n"
            "        try:\n            await asyncio.sleep(600)\n"
            "        except asyncio.CancelledError:\n            print('no', flush=True)",
            id="swallows",
        ),
    ],
)
def test_a_second_signal_ends_what_the_first_cannot(
    with_config: Callable[[str], Shell], held: str
) -> None:
    shell = with_config(
        '[python.stubborn]\ntarget = "stubborn.py"\ndefault_config = { severity = "read_only" }\n'
    )
    shell.write(
        "stubborn.py",
        "import asyncio, sys, time\n__all__ = ['hold']\n"
        "async def hold() -> None:\n"
        '    """Hold."""\n'
        '    print("held", file=sys.stderr, flush=True)\n'
        f"    {held}\n",
    )
    with subprocess.Popen(
        [TOOLWEFT, "run", "-c", "await stubborn.hold()"],
        cwd=shell.folder,
        env=shell.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr is not None
        while "held" not in (line := running.stderr.readline()):
            assert line, "it ended too early"
        running.terminate()
        ended = None
        deadline_s = time.monotonic() + 20
        while ended is None and time.monotonic() < deadline_s:
            with suppress(subprocess.TimeoutExpired):
                ended = running.wait(timeout=0.5)
            if ended is None:
                running.send_signal(signal.SIGHUP)
        running.kill()
    assert ended in (-signal.SIGTERM, -signal.SIGHUP)


@pytest.mark.parametrize("pair", ["rows", "=x", "rows=", "rows=missing.jsonl", "h_1=program.py"])
def test_what_cannot_be_put_is_refused_before_the_program_runs(shell: Shell, pair: str) -> None:
    shell.write("program.py", "print('ran')")

    ended = shell("run", "--put", pair, "program.py")

    assert ended.code != 0
    assert ended.out == ""
    assert "error: " in ended.err


def test_nothing_is_put_where_no_program_can_load_it(with_config: Callable[[str], Shell]) -> None:
    pytest.importorskip("pydantic_monty")
    shell = with_config('[sandbox]\nbackend = "monty"\n')
    shell.write("rows.jsonl", "{}\n")

    ended = shell("run", "--put", "rows=rows.jsonl", "-c", "print('ran')")

    assert (ended.code, ended.out) == (1, "")
    assert "cannot load files" in ended.err
    assert 'sandbox.backend = "process"' in ended.err
