import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from toolweft.cli.logs import EventFormatter, configure_logging


@contextmanager
def fresh_logging() -> Iterator[None]:
    """Loggers as a new process has them; given back afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("toolweft")
    handlers, level, our_level = root.handlers[:], root.level, ours.level
    root.handlers = []
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)
        ours.setLevel(our_level)


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


def test_no_line_shows_what_an_address_hides() -> None:
    record = logging.makeLogRecord(
        {
            "levelname": "WARNING",
            "msg": "source.ended",
            "reason": "https://me:hunter2@host/mcp?key=hunter2 is down",
        }
    )

    assert "hunter2" not in EventFormatter().format(record)


def test_sdks_never_say_more_than_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    with fresh_logging():
        configure_logging(2)

        logging.getLogger("httpx").info("POST https://host/mcp/hunter2")
        logging.getLogger("mcp.client").warning("the stream broke")
        logging.getLogger("toolweft.sources").debug("source.step")

    printed = capsys.readouterr().err
    assert "hunter2" not in printed
    assert "the stream broke" in printed
    assert "source.step" in printed
