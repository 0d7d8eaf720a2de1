"""One `toolweft.lock`: read whole, and changed by one process at a time. Synchronous."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from toolweft.core.errors import ConfigError
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.pins import Pin, PinHashes, PinnedServer, Pins
from toolweft.stores.alone import alone
from toolweft.stores.pins.text import parse_pins, render_pins

__all__ = ("LockFile", "merge_new", "take_hashes")

# It is kept in version control, and others may read it.
_MODE: Final = 0o644


class LockFile:
    """The accepted definitions on disk.

    Args:
        path: made at the first write, and its folder with it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def stamp(self) -> tuple[int, int] | None:
        """What changes whenever the file does; None while there is none."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino

    def read(self) -> Pins:
        """What is accepted; nothing where there is no file yet.

        Raises:
            ConfigError: there is one, and it cannot be used.
        """
        if self.path.exists() and not self.path.is_file():
            # A pipe would be waited for.
            raise ConfigError(
                f"{self.path}: it is no file", hint="move away what is in the place of the lock"
            )
        try:
            text = self.path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{self.path}: it cannot be read: {error}",
                hint="make it readable, or name another place with pins.path",
            ) from error
        return parse_pins(text, place=str(self.path))

    def change(self, change: Callable[[Pins], Pins]) -> Pins:
        """Read, change and write with no other process between; returns what is written.

        Raises:
            ConfigError: the file cannot be used.
            OSError: it cannot be written.
        """
        # Whoever comes by another link waits for the same folder.
        folder = self.path.resolve().parent
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder):
            before = self.read()
            after = change(before)
            if after != before:
                self._write(render_pins(after))
            return after

    def _write(self, text: str) -> None:
        # A link stays one: the file it leads to is replaced.
        path = self.path.resolve()
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with aside.open("w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            aside.chmod(path.stat().st_mode & 0o777 if path.exists() else _MODE)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)


def merge_new(
    pins: Pins,
    new: Mapping[SourceName, Mapping[ToolName, Pin]],
    reached: Mapping[SourceName, str],
) -> Pins:
    """The pins with those seen for the first time; what another process wrote before them stays."""
    merged = dict(pins)
    for name, tools in new.items():
        server = merged.get(name, PinnedServer(reached=reached.get(name, "")))
        merged[name] = PinnedServer(reached=server.reached, tools={**tools, **server.tools})
    return merged


def take_hashes(pins: Pins) -> PinHashes:
    """What decides, without what is only shown."""
    return {
        name: {tool: pin.hash for tool, pin in server.tools.items()}
        for name, server in pins.items()
    }
