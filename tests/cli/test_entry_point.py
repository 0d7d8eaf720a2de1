"""Every command once through the installed entry point, in a process of its own."""

import pytest
from tests.cli.shell import Shell

COMMANDS = {
    "help": (("--help",), 0, "Usage: toolweft"),
    "init": (("init", "--force"), 0, "wrote"),
    "tools": (("tools",), 0, "desk.add"),
    "search": (("search", "add", "numbers"), 0, "add("),
    "show": (("show", "desk.add"), 0, "input schema"),
    "call": (("call", "desk.add", "a=41"), 0, "42"),
    "failing call": (("call", "break_down", "reason=x"), 1, ""),
    "run": (("run", "-c", "print(await add(a=1, b=1))"), 0, "2"),
    "failing run": (("run", "-c", "1 / 0"), 1, ""),
    "runs": (("runs",), 0, "tokens kept out"),
    "doctor": (("doctor",), 0, "ok   desk"),
    "explain": (("config", "explain"), 0, "limits.wall_s"),
    "validate": (("config", "validate"), 0, "valid"),
    "usage": (("serve", "127.0.0.1:1"), 2, ""),
}


@pytest.mark.process
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_answers_on_stdout_with_its_exit_code(shell: Shell, name: str) -> None:
    arguments, code, shown = COMMANDS[name]

    ended = shell.spawn(*arguments)

    assert ended.code == code, ended.err
    assert shown in ended.out
    assert "Traceback" not in ended.err
