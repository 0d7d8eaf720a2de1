"""Answers about tools on disk, by server and how it is reached. Synchronous.

The file is in the user's state folder, not beside the configuration: what one person answered
decides for nobody else.
"""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from toolweft.core.answers import Answer, Answers
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.json import Json, JsonObject
from toolweft.stores.alone import alone
from toolweft.stores.private_files import created, make_folder, write_all

__all__ = ("AnswerFile",)

log = logging.getLogger(__name__)

_FORMAT: Final = 1
_MAX_BYTES: Final = 16 * 1024 * 1024
_SEVERITIES: Final = ("read_only", "write", "destructive")


class AnswerFile:
    """What was answered so far.

    Args:
        path: made at the first answer, and its folder with it.
        reached: how each server is reached now; an answer about another one of its name does not
            count.
    """

    def __init__(self, path: Path, *, reached: Mapping[SourceName, str]) -> None:
        self.path = path
        self._reached = reached

    def read(self) -> Answers:
        """The answers about the servers as they are reached now; none where nothing is readable."""
        whole = self._read_all()
        return {
            name: _parse_tools(whole.get(name, {}).get(reached))
            for name, reached in self._reached.items()
        }

    def stamp(self) -> tuple[int, int, int] | None:
        """What is another after every change of the file; None where there is none."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def add(self, answers: Answers) -> None:
        """Keep more answers, each in place of an earlier one about the same tool.

        Raises:
            OSError: they cannot be written.
        """
        make_folder(self.path.parent)
        with alone(self.path.parent):
            whole = self._read_all()
            for name, tools in answers.items():
                server = whole.setdefault(name, {})
                kept = server.setdefault(self._reached.get(name, ""), {})
                for tool, answer in tools.items():
                    kept[tool] = {"hash": answer.pin_hash, "severity": answer.severity}
            self._write(json.dumps({"format": _FORMAT, "servers": whole}, indent=1))

    def _read_all(self) -> JsonObject:
        try:
            with self.path.open("rb") as file:
                found: Json = json.loads(file.read(_MAX_BYTES))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as exc:
            log.warning("answers.unreadable", extra={"path": str(self.path), "reason": str(exc)})
            return {}
        servers = found.get("servers") if isinstance(found, dict) else None
        if not isinstance(servers, dict) or found.get("format") != _FORMAT:
            return {}
        return {
            name: {key: tools for key, tools in reached.items() if isinstance(tools, dict)}
            for name, reached in servers.items()
            if isinstance(reached, dict)
        }

    def _write(self, text: str) -> None:
        aside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        aside.unlink(missing_ok=True)
        try:
            with created(aside) as fd:
                write_all(fd, text.encode("utf-8", "surrogatepass"))
                os.fsync(fd)
            aside.replace(self.path)
        finally:
            aside.unlink(missing_ok=True)


def _parse_tools(tools: Json) -> dict[ToolName, Answer]:
    found = {}
    for name, said in tools.items() if isinstance(tools, dict) else ():
        pin_hash = said.get("hash") if isinstance(said, dict) else None
        severity = said.get("severity") if isinstance(said, dict) else None
        if isinstance(pin_hash, str) and pin_hash and severity in _SEVERITIES:
            found[ToolName(name)] = Answer(pin_hash=pin_hash, severity=severity)
    return found
