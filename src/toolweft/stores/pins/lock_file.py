"""One `toolweft.lock`: read whole, and changed by one process at a time. Synchronous."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from toolweft.core.errors import ConfigError
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.pins import Pin, PinHashes, PinnedServer, Pins
from toolweft.stores.pins.text import parse_pins, render_pins

__all__ = ("LockFile", "merge_new", "take_hashes")

_WAIT_S: Final = 5.0
_STEP_S: Final = 0.02
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
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(self.path.parent):
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
            aside.write_text(text, encoding="utf-8", newline="\n")
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


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes of toolweft out of a folder's lock for as long as it lasts.

    Raises:
        OSError: another one has been in it for five seconds.
    """
    deadline = time.monotonic() + _WAIT_S
    if sys.platform == "win32":
        import msvcrt

        guard = folder / ".toolweft.lock.guard"
        fd = os.open(guard, os.O_RDWR | os.O_CREAT)
        try:
            _until(deadline, lambda: msvcrt.locking(fd, msvcrt.LK_NBLCK, 1))
            yield
        finally:
            with suppress(OSError):
                msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)
            os.close(fd)
    else:
        import fcntl

        # The folder itself: a file would be replaced under the one who waits for it.
        fd = os.open(folder, os.O_RDONLY)
        try:
            _until(deadline, lambda: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB))
            yield
        finally:
            os.close(fd)


def _until(deadline_s: float, attempt: Callable[[], None]) -> None:
    while True:
        try:
            attempt()
        except (BlockingIOError, PermissionError):
            if time.monotonic() > deadline_s:
                raise
            time.sleep(_STEP_S)
        else:
            return
