import json

import pytest

from toolweft.cli import output
from toolweft.cli.output import Column


def test_control_and_bidirectional_characters_are_shown_not_sent() -> None:
    text = "a\x1b[31mb\u202ec\x07\td\n"

    assert output.printable(text) == "a\\x1b[31mb\\u202ec\\x07\td\n"


def test_a_pipe_gets_a_table_uncut_and_without_colour(
    capsys: pytest.CaptureFixture[str],
) -> None:
    long = "word " * 100

    output.write_table([Column(title="a"), Column(title="b", right=True)], [[long, "1"]])

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["a", "b"]
    assert long.strip() in lines[1]
    assert "\x1b" not in "".join(lines)


def test_markup_in_a_cell_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    output.write_table([Column(title="a")], [["[bold]x[/bold] \x1b[0m"]])

    assert "[bold]x[/bold] \\x1b[0m" in capsys.readouterr().out


def test_a_cell_of_several_lines_passes_for_no_row(capsys: pytest.CaptureFixture[str]) -> None:
    output.write_table([Column(title="a"), Column(title="b")], [["x\ny", "1"], ["z\r\n", "2"]])

    assert capsys.readouterr().out == "a     b\nx y   1\nz\\r   2\n"


def test_half_a_character_is_shown_and_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    output.write("a\ud800")
    output.note("b\udfff")
    output.write_table([Column(title="c")], [["d\ud801"]])

    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("a\\ud800\nc\nd\\ud801\n", "b\\udfff\n")


def test_json_goes_to_stdout_with_its_own_letters(capsys: pytest.CaptureFixture[str]) -> None:
    output.write_json({"name": "Zoë", "list": [1, None]})

    written = capsys.readouterr()
    assert json.loads(written.out) == {"name": "Zoë", "list": [1, None]}
    assert "Zoë" in written.out
    assert written.err == ""


def test_an_error_is_one_block_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    output.write_error("config_error", "x is wrong", hint="write y")

    written = capsys.readouterr()
    assert written.out == ""
    assert written.err == "error: x is wrong\n  code: config_error\n  next: write y\n"


def test_an_error_without_a_hint_has_no_next_line(capsys: pytest.CaptureFixture[str]) -> None:
    output.write_error("denied", "no")

    assert "next" not in capsys.readouterr().err


def test_only_the_flexible_column_gives_way_and_stays_recognisable() -> None:
    columns = [Column(title="a"), Column(title="b", flexible=True), Column(title="c")]

    assert output._fit([10, 50, 10], columns, 60) == [10, 36, 10]
    assert output._fit([10, 50, 10], columns, 20) == [10, 16, 10]
    assert output._fit([10, 5, 10], columns, 20) == [10, 5, 10]
    assert output._fit([10, 50, 10], columns, 200) == [10, 50, 10]


def test_a_lone_surrogate_is_written_as_json_writes_it(capsys: pytest.CaptureFixture[str]) -> None:
    output.write_json({"query": "\ud800 x"})

    text = capsys.readouterr().out
    assert json.loads(text) == {"query": "\ud800 x"}
    text.encode()
