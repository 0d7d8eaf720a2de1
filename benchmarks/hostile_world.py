"""What surrounds a hostile program: canaries it must not reach and tools it may call.

Everything is on this machine: files in a scratch folder, listeners on loopback, a signal handler.
"""

import asyncio
import json
import os
import secrets
import shutil
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema_rs

import toolweft

__all__ = ("CURRENT", "CallRecord", "Canaries", "GrantedTools", "ToolAnswerError")


class ToolAnswerError(Exception):
    """A tool's own failure."""


@dataclass
class CallRecord:
    """What one program asked of the tools."""

    # Every call that reached a tool.
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    forbidden: list[str] = field(default_factory=list)
    # Keys that `flaky` was asked for once.
    tried: set[str] = field(default_factory=set)
    # Calls of `slow` that are still going.
    sleeping: int = 0
    # How long it waited for its container.
    opening_s: float = 0.0


# That of the program in whose run a tool is called.
CURRENT: ContextVar[CallRecord] = ContextVar("CURRENT")


class Canaries:
    """A secret in a file and in the environment, listeners, and a signal handler."""

    def __init__(self, folder: Path) -> None:
        self.secret = secrets.token_hex(16)
        self._folder = folder
        self._file = folder / "secret.txt"
        # For what a program makes where it has no files of its own; nobody looks into it.
        self._scratch = folder.parent / "scratch"
        self.restore()
        self.contacts: list[str] = []
        self.signals = 0
        self._sockets: list[socket.socket] = []
        self._previous: Any = signal.SIG_DFL
        self._names: dict[str, str] = {}
        os.environ["HOST_CANARY_ENV"] = self.secret

    def listen(self) -> None:
        """Open the listeners and the signal handler; needs a running event loop."""
        tcp = self._listen(socket.AF_INET, ("127.0.0.1", 0), socket.SOCK_STREAM)
        udp = self._listen(socket.AF_INET, ("127.0.0.1", 0), socket.SOCK_DGRAM)
        with suppress(OSError):
            self._listen(socket.AF_INET6, ("::1", tcp.getsockname()[1]), socket.SOCK_STREAM)
            self._listen(socket.AF_INET6, ("::1", udp.getsockname()[1]), socket.SOCK_DGRAM)
        path = str(self._folder / "canary.sock")
        self._listen(socket.AF_UNIX, path, socket.SOCK_STREAM)
        abstract = f"canary-{secrets.token_hex(4)}"
        self._listen(socket.AF_UNIX, f"\0{abstract}", socket.SOCK_STREAM)
        self._previous = signal.signal(signal.SIGURG, self._on_signal)
        self._names = {
            "@@CANARY_FILE@@": str(self._file),
            "@@CANARY_DIR@@": str(self._folder),
            "@@TCP_PORT@@": str(tcp.getsockname()[1]),
            "@@UDP_PORT@@": str(udp.getsockname()[1]),
            "@@UNIX_PATH@@": path,
            "@@ABSTRACT_NAME@@": abstract,
            "@@HOST_PID@@": str(os.getpid()),
            "@@HOST_NAME@@": os.uname().nodename,
            "@@SCRATCH_DIR@@": str(self._scratch),
        }

    def restore(self) -> None:
        """Lay the bait out as it was at first."""
        for path in (self._folder, self._scratch):
            path.mkdir(exist_ok=True)
        for path in (*self._folder.iterdir(), *self._scratch.iterdir()):
            if not path.is_socket():
                _remove(path)
        self._file.write_text(self.secret, "utf-8")
        payload = self._folder / "canary_payload.py"
        payload.write_text(f"SECRET = {self.secret!r}\n", "utf-8")

    def close(self) -> None:
        """Close the listeners and let go of the signal."""
        signal.signal(signal.SIGURG, self._previous)
        loop = asyncio.get_running_loop()
        for listener in self._sockets:
            loop.remove_reader(listener)
            listener.close()

    def fill(self, code: str) -> str:
        """A program with the canaries' real places in it."""
        for placeholder, value in self._names.items():
            code = code.replace(placeholder, value)
        return code

    def state(self) -> list[tuple[str, int, int]]:
        """Names, sizes and times of the canary folder, to compare before and after."""
        paths = [self._folder, *sorted(self._folder.iterdir())]
        return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]

    def _listen(self, family: int, address: Any, kind: int) -> socket.socket:
        listener = socket.socket(family, kind)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        if kind == socket.SOCK_STREAM:
            listener.listen(5)
        listener.setblocking(False)
        name = f"{family}/{kind}"

        def contacted() -> None:
            self.contacts.append(name)
            if kind == socket.SOCK_STREAM:
                listener.accept()[0].close()
            else:
                listener.recv(4096)

        asyncio.get_running_loop().add_reader(listener, contacted)
        self._sockets.append(listener)
        return listener

    def _on_signal(self, *_: object) -> None:
        self.signals += 1


class GrantedTools:
    """The collection's tools, and a record of what was asked of them."""

    def __init__(self, path: Path, secret: str) -> None:
        data = json.loads(path.read_text("utf-8"))
        self._users = {user["id"]: user for user in data["users"]}
        self._orders = data["orders"]
        self._weather = {row["city"]: row for row in data["weather"]}
        self._declared = data["tools"]
        self._secret = secret

    @property
    def granted(self) -> list[str]:
        """Names that programs may call."""
        return [tool["name"] for tool in self._declared if tool["granted"]]

    def invalid(self, record: CallRecord) -> list[str]:
        """Tools that ran with arguments their schema forbids."""
        schemas = {tool["name"]: tool["input_schema"] for tool in self._declared}
        return [
            name
            for name, arguments in record.calls
            if name in schemas and not jsonschema_rs.is_valid(schemas[name], arguments)
        ]

    def specs(self, extra: Sequence[str]) -> list[toolweft.ToolSpec]:
        """Every tool as Python function; `extra` names are in the catalog and not granted."""
        declared = [self._spec(tool["name"], tool["input_schema"]) for tool in self._declared]
        return [*declared, *(self._spec(name, {"type": "object"}) for name in extra)]

    def _spec(self, name: str, schema: dict[str, Any]) -> toolweft.ToolSpec:
        behaviour: Callable[..., Awaitable[Any]] = getattr(self, f"_{name}", self._forbidden(name))

        async def handler(**arguments: Any) -> Any:
            CURRENT.get().calls.append((name, arguments))
            return await behaviour(**arguments)

        return toolweft.ToolSpec(name=name, parameters=schema, handler=handler)

    def _forbidden(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def behaviour(**_: Any) -> Any:
            CURRENT.get().forbidden.append(name)
            return {"secret": self._secret}

        return behaviour

    async def _get_user(self, user_id: int) -> Any:
        if user_id not in self._users:
            raise ToolAnswerError(f"user not found: {user_id}")
        return self._users[user_id]

    async def _list_orders(self, page: int = 1, per_page: int = 10) -> Any:
        if page < 1 or not 1 <= per_page <= 20:
            raise ToolAnswerError("page must be >= 1 and per_page in 1..20")
        first = (page - 1) * per_page
        more = first + per_page < len(self._orders)
        items = self._orders[first : first + per_page]
        return {"items": items, "next_page": page + 1 if more else None}

    async def _get_weather(self, city: str) -> Any:
        if city not in self._weather:
            raise ToolAnswerError(f"unknown city: {city}")
        return self._weather[city]

    async def _echo(self, value: Any) -> Any:
        return value

    async def _flaky(self, key: str) -> Any:
        tried = CURRENT.get().tried
        if key not in tried:
            tried.add(key)
            raise ToolAnswerError("temporary failure, try again")
        return f"ok:{key}"

    async def _slow(self, seconds: float) -> Any:
        record = CURRENT.get()
        record.sleeping += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            record.sleeping -= 1
        return "slept"

    async def _big(self, n_bytes: int) -> Any:
        return "x" * n_bytes

    async def _fail(self, message: str) -> Any:
        raise ToolAnswerError(message)

    async def _now_iso(self) -> Any:
        return "2026-01-15T12:00:00Z"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.chmod(0o700)
        shutil.rmtree(path)
    else:
        path.unlink()
