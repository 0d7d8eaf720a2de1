"""Saving a run and using it, by commands."""

import json
from pathlib import Path

import pytest
from tests.cli.shell import Shell

pytestmark = pytest.mark.process

PROGRAM = '''"""Add a number to itself."""
NUMBER = 20  # what to double
await desk.add(a=NUMBER, b=NUMBER)
'''


def run_program(shell: Shell, code: str = PROGRAM) -> str:
    ended = shell("run", "--json", "-c", code)
    assert ended.code == 0, ended.err
    return str(ended.json["run_id"])


@pytest.mark.promise("saved.tool")
def test_a_run_becomes_a_tool_that_is_found_called_tested_and_removed(shell: Shell) -> None:
    run_id = run_program(shell)

    saved = shell("save", run_id, "double")
    assert saved.code == 0, saved.err
    assert "async def double(*,\n    number: int = 20,  # what to double\n) -> int:" in saved.out
    assert "version 1, read_only" in saved.err

    found = shell("search", "add a number to itself")
    called = shell("call", "saved.double", "number=4")
    program = shell("run", "-q", "-c", "print(await saved.double(number=3), await saved.double())")
    tested = shell("saved", "test", "double")
    shown = shell("show", "saved.double", "--json")
    assert "saved.double" in found.out.splitlines()[0]
    assert (called.code, called.out.strip()) == (0, "8")
    assert program.out == "6 40\n"
    assert (tested.code, tested.out) == (0, "double: same output, same value, same calls\n")
    assert (shown.json["severity"], shown.json["version"]) == ("read_only", "1")

    assert shell("saved", "remove", "double").code == 0
    assert shell("saved", "test", "double").code == 1
    assert "no tool named" in shell("call", "saved.double").err


def test_wrong_arguments_are_refused_before_anything_runs(shell: Shell) -> None:
    shell("save", run_program(shell), "double")

    ended = shell("call", "saved.double", "nubmer=4", "number=x")

    assert ended.code == 1
    assert "did you mean 'number'" in ended.err


def test_a_second_save_is_a_version_and_each_is_shown_and_tested(shell: Shell) -> None:
    shell("save", run_program(shell), "double")
    other = PROGRAM.replace("b=NUMBER", "b=0").replace("itself", "nothing")
    again = shell("save", run_program(shell, other), "double")

    listed = shell("saved", "list", "--json").json["saved"]
    old = shell("saved", "show", "double", "--version", "1")
    assert "version 2" in again.err
    assert [(item["name"], item["version"]) for item in listed] == [("double", 2)]
    assert "version     1 of 1, 2" in old.out
    assert PROGRAM.strip() in old.out
    assert shell("saved", "test", "--version", "1", "double").code == 0
    assert shell("call", "saved.double", "number=4").out.strip() == "4"
    shell("saved", "remove", "double", "--version", "2")
    assert shell("call", "saved.double", "number=4").out.strip() == "8"


def test_parameters_are_chosen_or_none(shell: Shell) -> None:
    run_id = run_program(shell, '"""Add."""\nleft = 1\nRIGHT = 2\nawait desk.add(a=left, b=RIGHT)')

    for options, names in (
        ((), ["right"]),
        (("--parameter", "first=left", "-p", "b=RIGHT"), ["first", "b"]),
        (("--no-parameters",), []),
    ):
        saved = shell("save", run_id, "add_up", "--json", *options)
        assert saved.code == 0, saved.err
        assert [item["name"] for item in saved.json["parameters"]] == names


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("save", "last", "Double"), "lower-case"),
        (("save", "last", "class"), "cannot be named 'class'"),
        (("save", "last", "double", "-p", "x=Y"), "no constant 'Y'"),
        (("save", "last", "double", "-p", "lambda=NUMBER"), "cannot be named 'lambda'"),
        (("save", "last", "double", "-p", "NUMBER"), "is not NAME=CONSTANT"),
        (("save", "last", "double", "-p", "a=NUMBER", "--no-parameters"), "both given"),
        (("save", "run_nothing", "double"), "the journal has no run 'run_nothing'"),
        (("runs", "replay", "run_nothing"), "the journal has no run 'run_nothing'"),
        (("saved", "show", "nothing"), "no program was saved as 'nothing'"),
        (("saved", "test", "nothing"), "no program was saved as 'nothing'"),
        (("saved", "remove", "nothing"), "no program was saved as 'nothing'"),
    ],
)
def test_what_cannot_be_done_is_said(shell: Shell, arguments: tuple[str, ...], said: str) -> None:
    run_program(shell)

    ended = shell(*arguments)

    assert ended.code in {1, 2}
    assert said in ended.err
    assert ended.out == ""


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("await desk.add(a=1)", "has no description"),
        ('"""Fail."""\n1 / 0', "ended as error"),
        ('"""Give a thing."""\nobject()', "is no JSON"),
    ],
)
def test_a_run_that_makes_no_tool_is_refused_with_the_reason(
    shell: Shell, code: str, said: str
) -> None:
    shell("run", "-c", code)

    ended = shell("save", "last", "thing")

    assert ended.code == 1
    assert said in ended.err
    assert shell("saved", "list", "--json").json == {"saved": []}


def test_a_program_that_only_prints_gives_its_text(shell: Shell) -> None:
    shell(
        "save", run_program(shell, "A = 1\nprint('sum', await desk.add(a=A))"), "tell", "-d", "Sum."
    )

    assert shell("call", "saved.tell", "a=5").out.strip() == "sum 6"
    assert "-> str" in shell("show", "saved.tell").out


def test_a_replay_and_a_test_say_what_differs_and_end_with_1(shell: Shell) -> None:
    run_program(shell, '"""Roll."""\nimport random\nprint(random.getrandbits(99))')
    shell("save", "last", "roll")

    replayed = shell("runs", "replay", "last")
    tested = shell("saved", "test", "--json")

    assert replayed.code == tested.code == 1
    assert "differs: line 1 of what it printed is" in replayed.out
    assert "not fixed by a replay: random numbers (random)" in replayed.out
    assert tested.json["tests"]["roll"]["is_same"] is False


@pytest.mark.promise("saved.needs")
def test_a_program_that_lacks_a_tool_is_unavailable_until_it_is_there(
    shell: Shell, tmp_path: Path
) -> None:
    shell("save", run_program(shell), "double")
    config = (tmp_path / "toolweft.toml").read_text()

    shell.write("toolweft.toml", config + "[python.desk.configs.add]\nenabled = false\n")
    without = shell("tools", "--json").json["tools"]
    refused = shell("call", "saved.double")
    shell.write("toolweft.toml", config + "[python.desk.configs.add]\nseverity = 'destructive'\n")
    closed = shell("call", "saved.double")
    shell.write("toolweft.toml", config)

    [status] = [(t["status"], t["reason"]) for t in without if t["namespace"] == "saved"]
    assert status[0] == "unavailable"
    assert "it calls desk.add, which is disabled" in status[1]
    assert "it calls desk.add" in refused.err
    assert "programs may not call" in closed.err
    assert shell("call", "saved.double").out.strip() == "40"
    # Its test needs no tool at all.
    shell.write("toolweft.toml", "")
    assert shell("saved", "test", "double").code == 0


def test_what_is_kept_is_for_its_user_alone(shell: Shell, tmp_path: Path) -> None:
    shell("save", run_program(shell), "double")

    home = tmp_path / "home" / ".local"
    kept = [path for path in home.rglob("*") if path.is_file() and path.suffix != ".db"]
    assert {path.name for path in kept} >= {"program.py", "tool.json", "run.jsonl"}
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    assert json.loads((home / "share/toolweft/saved/double/1/tool.json").read_text())["parameters"]
