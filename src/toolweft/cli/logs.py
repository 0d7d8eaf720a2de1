"""Logs on stderr: one line per event, its fields behind it."""

import logging
import sys

from toolweft.cli.masking import mask_urls
from toolweft.cli.output import printable

__all__ = ("EventFormatter", "configure_logging")

_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class EventFormatter(logging.Formatter):
    """Formats a record as `12:00:01 warning source.refresh_failed source='git' attempt=2`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """The record with its traceback, without the secrets that addresses carry."""
        return mask_urls(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - named by logging
        """One line; fields in the order given, control characters shown."""
        record.levelname = record.levelname.lower()
        fields = [f"{k}={v!r}" for k, v in vars(record).items() if k not in _OWN_FIELDS]
        return printable(" ".join([super().formatMessage(record), *fields]))


def configure_logging(verbosity: int, *, usual: int = logging.ERROR) -> None:
    """Send logs to stderr.

    Args:
        verbosity: below 0 errors only, 1 what happens, 2 everything of toolweft and the
            warnings of SDKs, whose other lines may hold what a server was given as a secret.
        usual: the level of verbosity 0. A command that shows its own warnings logs only errors.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(EventFormatter())
    ours = {-1: logging.ERROR, 0: usual, 1: logging.INFO, 2: logging.DEBUG}
    logging.basicConfig(
        level=logging.ERROR if verbosity < 2 else logging.WARNING, handlers=[handler]
    )
    logging.getLogger("toolweft").setLevel(ours[max(-1, min(2, verbosity))])
