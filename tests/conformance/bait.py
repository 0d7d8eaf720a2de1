"""Things on the host that a hostile program may go for, and what happened to them."""

import os
import secrets
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ("Host", "open_host")


@dataclass
class Host:
    """Bait, and what happened to it."""

    folder: Path
    secret: str = field(default_factory=lambda: secrets.token_hex(16))
    signals: list[int] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.file = self.folder / "secret.txt"
        self.file.write_text(self.secret)
        (self.folder / "canary_module.py").write_text(f"SECRET = {self.secret!r}")
        self.abstract = "toolweft-" + secrets.token_hex(4)
        self.sockets = {
            "tcp": self._bind(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            "udp": self._bind(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
            "unix": self._bind(socket.AF_UNIX, socket.SOCK_STREAM, str(self.folder / "s")),
            "abstract": self._bind(socket.AF_UNIX, socket.SOCK_DGRAM, "\0" + self.abstract),
        }
        self.scratch = self.folder.parent / (self.folder.name + "-scratch")
        self.scratch.mkdir()
        self.before = self.look()

    @staticmethod
    def _bind(family, kind, address) -> socket.socket:
        bound = socket.socket(family, kind)
        bound.bind(address)
        if kind == socket.SOCK_STREAM:
            bound.listen()
        bound.setblocking(False)
        return bound

    def fill(self, code: str) -> str:
        values = {
            "CANARY_FILE": str(self.file),
            "CANARY_FOLDER": str(self.folder),
            "CANARY_DIR": str(self.folder),
            "SCRATCH_DIR": str(self.scratch),
            "HOST_NAME": os.uname().nodename,
            "SECRET_VALUE": self.secret[:-4],
            "TCP_PORT": str(self.sockets["tcp"].getsockname()[1]),
            "UDP_PORT": str(self.sockets["udp"].getsockname()[1]),
            "UNIX_PATH": str(self.folder / "s"),
            "ABSTRACT_NAME": self.abstract,
            "HOST_PID": str(os.getpid()),
        }
        for name, value in values.items():
            code = code.replace(f"@@{name}@@", value).replace(name, value)
        return code

    def look(self) -> object:
        names = sorted(path.name for path in self.folder.iterdir())
        if not self.file.exists():
            return names
        stat = self.file.stat()
        return names, stat.st_mtime_ns, stat.st_mode, stat.st_size, stat.st_nlink

    def contacted(self) -> list[str]:
        found = []
        for name, bound in self.sockets.items():
            try:
                if bound.type == socket.SOCK_STREAM:
                    bound.accept()[0].close()
                else:
                    bound.recv(10)
            except BlockingIOError:
                continue
            found.append(name)
        return found

    def close(self) -> None:
        for bound in self.sockets.values():
            bound.close()


@contextmanager
def open_host(folder: Path) -> Iterator[Host]:
    """Bait in a folder, listeners and a signal handler."""
    host = Host(folder)
    os.environ["HOST_SECRET"] = host.secret
    previous = signal.signal(signal.SIGURG, lambda number, _frame: host.signals.append(number))
    try:
        yield host
    finally:
        signal.signal(signal.SIGURG, previous)
        del os.environ["HOST_SECRET"]
        host.close()
