from pathlib import Path

import pytest

from toolweft.cli.boundary import run_guarded
from toolweft.cli.errors import UsageFault
from toolweft.cli.exit_codes import ExitCode
from toolweft.core.errors import ConfigError, ToolNotFound


def raising(error: BaseException) -> int:
    def action() -> None:
        raise error

    return run_guarded(action)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), ExitCode.USAGE),
        (UsageFault("x"), ExitCode.USAGE),
        (ToolNotFound("x"), ExitCode.FAILED),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
        (ExceptionGroup("tasks", [ExceptionGroup("inner", [ConfigError("x")])]), ExitCode.USAGE),
        (SystemExit(2), 2),
        (SystemExit(None), ExitCode.OK),
        (SystemExit("text"), ExitCode.FAILED),
    ],
    ids=repr,
)
def test_each_kind_of_end_has_its_exit_code(error: BaseException, code: int) -> None:
    assert raising(error) == code


def test_a_command_that_returns_has_succeeded() -> None:
    assert run_guarded(lambda: None) == ExitCode.OK


def test_an_expected_error_shows_message_and_next_step_and_no_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    raising(ToolNotFound("no tool 'x'", hint="did you mean y?"))

    written = capsys.readouterr().err
    assert written == "error: no tool 'x'\n  code: tool_not_found\n  next: did you mean y?\n"


def test_a_bug_names_a_log_that_holds_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    code = raising(ZeroDivisionError("by zero"))

    written = capsys.readouterr().err
    path = Path(next(line for line in written.splitlines() if "log:" in line).split()[-1])
    try:
        assert code == ExitCode.BUG
        assert "ZeroDivisionError: by zero" in written
        assert "Traceback" not in written
        assert "Traceback" in path.read_text(encoding="utf-8")
        assert path.stat().st_mode & 0o077 == 0
    finally:
        path.unlink()


def test_several_errors_at_once_are_a_bug(capsys: pytest.CaptureFixture[str]) -> None:
    code = raising(ExceptionGroup("tasks", [ConfigError("a"), ConfigError("b")]))

    written = capsys.readouterr().err
    Path(next(line for line in written.splitlines() if "log:" in line).split()[-1]).unlink()
    assert code == ExitCode.BUG
