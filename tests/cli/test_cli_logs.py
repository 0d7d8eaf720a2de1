import logging

from toolweft.cli.logs import EventFormatter


def test_an_event_is_one_line_with_its_fields_and_no_control_characters() -> None:
    record = logging.makeLogRecord(
        {
            "levelname": "WARNING",
            "msg": "source.refresh_failed",
            "source": "git\x1b[2J",
            "attempt": 2,
        }
    )

    line = EventFormatter().format(record)

    assert line.endswith("warning source.refresh_failed source='git\\x1b[2J' attempt=2")
