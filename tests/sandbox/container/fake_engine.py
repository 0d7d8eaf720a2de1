"""An engine that speaks the Docker API over a Unix socket; its containers are plain processes.

A guest really runs, its frames really are multiplexed; nothing confines it, so what it is given is
ours. What looks round in a container finds what the test says.
"""

import asyncio
import json
import re
import signal
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

GOOD_SURVEY = {
    "status": {
        "Seccomp": "2",
        "NoNewPrivs": "1",
        "CapInh": "0",
        "CapPrm": "0",
        "CapEff": "0",
        "CapAmb": "0",
    },
    "interfaces": ["lo"],
    "writable": ["/dev/shm", "/tmp"],
    "scratch_bytes": 2 * 1024 * 1024,
    "scratch_runs": False,
    "max_files": 64,
    "release": "6.1.0",
    "landlock": 3,
    "python": [3, 12, 1],
    "magic": "",
    "processors_used": 0.9,
    "processes": 20,
}
_UPGRADED = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"


@dataclass
class FakeContainer:
    id: str
    recipe: dict[str, Any]
    state: str = "created"
    status: int = 0
    process: asyncio.subprocess.Process | None = None
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    signals: list[str] = field(default_factory=list)

    @property
    def labels(self) -> dict[str, str]:
        return self.recipe.get("Labels", {})


class FakeEngine:
    def __init__(self, path: Path) -> None:
        self.url = f"unix://{path}"
        self.path = path
        self.version: dict[str, Any] = {"ApiVersion": "1.44", "Components": [{"Name": "Engine"}]}
        self.info: dict[str, Any] = {"KernelVersion": "6.1.0", "DefaultRuntime": "runc"}
        self.images = {"python:3.13-slim"}
        self.survey: dict[str, Any] = dict(GOOD_SURVEY)
        self.memory_holds = True
        # What containers get that ask for nothing in particular, or for what is ignored.
        self.runtime = "runc"
        self.containers: dict[str, FakeContainer] = {}
        self.made = 0
        # Method and end of the path -> answers given before the real one.
        self.refusals: dict[tuple[str, str], list[tuple[int, str]]] = {}
        self.requests: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    def add(self, recipe: dict[str, Any], *, state: str = "running") -> str:
        self.made += 1
        container = FakeContainer(f"{self.made:064x}", recipe, state=state)
        self.containers[container.id] = container
        return container.id

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, target, _ = head.split(" ", 2)
                size = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
                body = await reader.readexactly(int(size[1])) if size else b""
                path, _, query = target.partition("?")
                path = re.sub(r"^/v[0-9.]+", "", path)
                self.requests.append(f"{method} {path}")
                if path.endswith("/attach") and not self._refusal(method, path):
                    self.containers[path.split("/")[2]].streams = (reader, writer)
                    writer.write(_UPGRADED)
                    return
                status, answer = await self._answer(method, path, query, body)
                text = b"" if answer is None else json.dumps(answer).encode()
                writer.write(
                    f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text
                )
                await writer.drain()
        if not writer.is_closing() and not any(
            c.streams and c.streams[1] is writer for c in self.containers.values()
        ):
            writer.close()

    def _refusal(self, method: str, path: str) -> list[tuple[int, str]]:
        for (wanted, end), answers in self.refusals.items():
            if method == wanted and path.endswith(end) and answers:
                return answers
        return []

    async def _answer(self, method: str, path: str, query: str, body: bytes) -> tuple[int, Any]:
        refusals = self._refusal(method, path)
        if refusals:
            status, message = refusals.pop(0)
            return status, {"message": message}
        parts = path.strip("/").split("/")
        if path in {"/version", "/info"}:
            return 200, self.version if path == "/version" else self.info
        if parts[0] == "images":
            name = "/".join(parts[1:-1])
            return (200, {"Id": name}) if name in self.images else (404, {"message": "no image"})
        if path == "/containers/create":
            return 201, {"Id": self.add(json.loads(body), state="created")}
        if path == "/containers/json":
            return 200, [{"Id": c.id, "Labels": c.labels} for c in self.containers.values()]
        container = self.containers.get(parts[1])
        if container is None:
            return 404, {"message": "no such container"}
        return await self._act(container, method, parts[2] if len(parts) > 2 else "", query)

    async def _act(
        self, container: FakeContainer, method: str, action: str, query: str
    ) -> tuple[int, Any]:
        match method, action:
            case "POST", "start":
                container.state = "running"
                self._start(container)
            case "POST", "kill":
                name = query.partition("=")[2]
                container.signals.append(name)
                self._signal(container, signal.Signals[name])
            case "POST", "pause":
                container.state = "paused"
                self._signal(container, signal.SIGSTOP)
            case "POST", "unpause":
                container.state = "running"
                self._signal(container, signal.SIGCONT)
            case "POST", "wait":
                await container.ended.wait()
                return 200, {"StatusCode": container.status}
            case "GET", "json":
                runtime = self.runtime or container.recipe["HostConfig"].get("Runtime", "runc")
                return 200, {"State": {"Pid": 0}, "HostConfig": {"Runtime": runtime}}
            case "GET", "stats":
                used = {"total_usage": _used_ns(container)}
                return 200, {"cpu_stats": {"cpu_usage": used}, "memory_stats": {"usage": 4096}}
            case "DELETE", _:
                self._signal(container, signal.SIGKILL)
                del self.containers[container.id]
        return 204, None

    def _signal(self, container: FakeContainer, number: signal.Signals) -> None:
        if container.process is not None:
            with suppress(ProcessLookupError):
                container.process.send_signal(number)

    def _start(self, container: FakeContainer) -> None:
        task = asyncio.get_running_loop().create_task(self._run(container))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, container: FakeContainer) -> None:
        module, setup = container.recipe["Cmd"]
        assert container.streams is not None
        reader, writer = container.streams
        if module == "survey":
            await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
            is_fill = "fill_bytes" in setup
            container.status = 137 if is_fill and self.memory_holds else 0
            report = {"filled": True} if is_fill else self.survey
            if not container.status:
                _write_piece(writer, 1, json.dumps(report).encode())
        else:
            arguments = container.recipe["Entrypoint"][1:]
            unlocked = json.dumps({**json.loads(setup), "layers": []})
            process = container.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *arguments,
                module,
                unlocked,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            async with asyncio.TaskGroup() as tasks:
                pump = tasks.create_task(_pump_in(reader, process.stdin))
                tasks.create_task(_pump_out(process.stderr, writer, stream=2))
                await _pump_out(process.stdout, writer, stream=1)
                status = await process.wait()
                pump.cancel()
            container.status = 128 - status if status < 0 else status
        container.state = "exited"
        container.ended.set()
        writer.close()

    async def close(self) -> None:
        for container in self.containers.values():
            self._signal(container, signal.SIGKILL)
        if self._tasks:
            await asyncio.wait(self._tasks)
        for writer in self._writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def fake_engine(folder: Path) -> AsyncIterator[FakeEngine]:
    """A running one."""
    engine = FakeEngine(folder / "engine.sock")
    server = await asyncio.start_unix_server(engine.serve, engine.path)
    try:
        yield engine
    finally:
        server.close()
        await engine.close()


async def _pump_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _pump_out(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, stream: int
) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            _write_piece(writer, stream, data)
            await writer.drain()


def _write_piece(writer: asyncio.StreamWriter, stream: int, data: bytes) -> None:
    writer.write(struct.pack(">BxxxI", stream, len(data)) + data)


def _used_ns(container: FakeContainer) -> int:
    if container.process is None:
        return 0
    try:
        stat = Path(f"/proc/{container.process.pid}/stat").read_text("utf-8")
    except OSError:
        return 0
    fields = stat.rpartition(")")[2].split()
    # Hundredths of a second, in user and in system mode.
    return (int(fields[11]) + int(fields[12])) * 10_000_000
