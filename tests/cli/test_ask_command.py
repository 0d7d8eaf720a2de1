"""`toolweft ask`: progress on stderr, the answer on stdout, an exit code that says how it ended."""

import json
import signal
import subprocess
import time
from typing import Any

import pytest
from tests.cli.shell import TOOLWEFT, Shell, render_config

pytestmark = pytest.mark.process


def write(shell: Shell, *replies: dict[str, Any], more: str = "") -> None:
    shell.write("answers.json", json.dumps({"replies": replies}))
    text = f'[models]\nplanner = "scripted:answers.json"\n{more}\n{render_config()}'
    shell.write("toolweft.toml", text)


def program(code: str, call_id: str = "c1") -> dict[str, Any]:
    return {"calls": [{"id": call_id, "name": "run_code", "arguments": {"code": code}}]}


USAGE = {"input_tokens": 1_200, "cache_read_tokens": 1_000, "output_tokens": 34}
SEARCH = {"id": "c0", "name": "search_tools", "arguments": {"queries": ["add numbers"]}}


def test_progress_goes_to_stderr_and_the_answer_to_stdout(shell: Shell) -> None:
    write(
        shell,
        {"calls": [SEARCH], "usage": USAGE},
        program("print(6 * 7)"),
        {"text": "The answer is 42."},
    )
    ended = shell("ask", "What is six times seven?")
    assert (ended.code, ended.out) == (0, "The answer is 42.\n"), ended.err
    for line in (
        "turn 1: scripted:answers.json",
        'search: "add numbers": desk.',
        "tokens: 2,200 tokens in (1,000 cached), 34 out",
        "program: 1 lines",
        "| 42",
        "program ok: 0 calls",
        "done: 3 turns, 2 calls",
    ):
        assert line in ended.err


def test_json_is_the_whole_result(shell: Shell) -> None:
    write(shell, program("print(1)"), {"text": "One."})
    ended = shell("ask", "Count.", "--json", "-q")
    assert ended.code == 0
    assert ended.err == ""
    result = ended.json
    assert (result["status"], result["text"], result["turns"]) == ("done", "One.", 2)
    assert [call["tool"] for call in result["calls"]] == ["run_code"]
    assert result["prompt_tokens"]["total"] > 0


def test_a_task_that_is_not_done_ends_with_one(shell: Shell) -> None:
    write(shell, *[program(f"print({n})") for n in range(5)])
    ended = shell("ask", "Go on.", "--max-turns", "2")
    assert ended.code == 1
    assert "error: the task is not done after 2 replies of the planner" in ended.err
    assert "code: max_turns" in ended.err


def test_a_worker_answers_inside_a_program(shell: Shell) -> None:
    write(shell, program("print(await worker('Which?'))"), {"text": "Done."})
    shell.write("worker.json", json.dumps({"replies": [{"text": "this one"}]}))
    ended = shell("ask", "Ask.", "--worker", "scripted:worker.json")
    assert ended.code == 0, ended.err
    assert "| this one" in ended.err


def test_it_says_that_the_planner_stands_in_for_a_worker(shell: Shell) -> None:
    asks = program("print(await worker('Which?'), await worker('And?'))")
    write(shell, asks, {"text": "this"}, {"text": "that"}, {"text": "Done."})
    refusals = [{"text": "", "stop": "refusal"}] * 2
    shell.write("worker.json", json.dumps({"replies": refusals}))
    ended = shell("ask", "Ask.", "--worker", "scripted:worker.json")
    assert ended.code == 0, ended.err
    assert "| this that" in ended.err
    told = "degraded: worker scripted:worker.json: it refused; scripted:answers.json stands in"
    assert ended.err.count(told) == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--planner", "anthropic:claude-opus-5-5"), "there is no key in ANTHROPIC_API_KEY"),
        (("--planner", "antropic:x"), "did you mean 'anthropic'?"),
        (("--planner", "scripted:none.json"), "'none.json' cannot be read"),
        (("--max-cost", "1"), "has no known prices"),
        (("--max-turns", "0"), "max_turns is 0"),
    ],
)
def test_a_model_that_cannot_be_had_is_an_error_of_use(
    shell: Shell, arguments: tuple[str, ...], reason: str
) -> None:
    write(shell, {"text": "never"})
    ended = shell("ask", "Hello?", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert reason in ended.err
    assert "next: " in ended.err or "cannot be read" in ended.err


def test_without_any_planner_it_says_how_to_name_one(shell: Shell) -> None:
    shell.write("toolweft.toml", render_config())
    ended = shell("ask", "Hello?")
    assert ended.code == 2
    assert "the agent has no planner" in ended.err


def test_an_empty_task_is_refused(shell: Shell) -> None:
    write(shell, {"text": "never"})
    ended = shell("ask", " ")
    assert ended.code == 2
    assert "the task is empty" in ended.err


def test_an_interrupt_ends_it_and_its_program(shell: Shell) -> None:
    endless = "import asyncio\nprint('begun')\nwhile True:\n    await asyncio.sleep(0.01)"
    write(shell, program(endless), {"text": "never"})
    process = subprocess.Popen(
        [str(TOOLWEFT), "ask", "Go on."],
        cwd=shell.folder,
        env=shell.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if "| begun" in line:
                break
        process.send_signal(signal.SIGINT)
        started_s = time.monotonic()
        out, err = process.communicate(timeout=50)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert time.monotonic() - started_s < 40
