"""The server of the conformance suites, for tests of what is passed through."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import mcp
import mcp_types as types
from pydantic import TypeAdapter

__all__ = ("FIXTURE", "Person", "fixture", "fixture_over_http", "raw")

FIXTURE = Path(__file__).parents[1] / "conformance" / "fixture"
# Long enough for a busy machine; nothing waits for it unless it fails.
_PATIENT_S = 30.0
_ANY = TypeAdapter(dict[str, Any])
# Which server answered, and how long it holds: each hop says its own.
_OF_THE_HOP = ("ttlMs", "cacheScope")
_STAMP = "io.modelcontextprotocol/serverInfo"


def fixture() -> dict[str, Any]:
    """The configuration of one over stdio."""
    return {"command": sys.executable, "args": [str(FIXTURE), "stdio"]}


@asynccontextmanager
async def fixture_over_http(era: str = "") -> AsyncIterator[dict[str, Any]]:
    """The configuration of one that runs in a process of its own."""
    command = [sys.executable, str(FIXTURE), "http"]
    async with await anyio.open_process(command, env={"FIXTURE_ERA": era}) as process:
        assert process.stdout is not None
        line = b""
        with anyio.fail_after(_PATIENT_S):
            while not line.endswith(b"\n"):
                line += await process.stdout.receive()
        try:
            yield {"url": f"http://127.0.0.1:{int(line)}/mcp"}
        finally:
            if process.returncode is None:
                process.kill()


async def raw(client: mcp.Client, method: str, **params: Any) -> dict[str, Any]:
    """The answer to a request as it came, but for what each hop says of itself."""
    request = types.Request[dict[str, Any], str](method=method, params=params)
    answer = await client.session.send_request(request, _ANY)
    kept = {key: value for key, value in answer.items() if key not in _OF_THE_HOP}
    meta = kept.pop("_meta", {})
    meta.pop(_STAMP, None)
    return {**kept, "_meta": meta} if meta else kept


class Person:
    """Answers what a client is asked, and keeps what that was."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.logged: list[Any] = []

    async def elicit(self, _context: Any, params: Any) -> types.ElicitResult:
        self.asked.append(params)
        if params.mode == "url":
            return types.ElicitResult(action="accept")
        names = params.requested_schema["properties"]
        return types.ElicitResult(action="accept", content=dict.fromkeys(names, "anna"))

    async def sample(self, _context: Any, params: Any) -> types.CreateMessageResult:
        self.asked.append(params)
        words = types.TextContent(text="forty-two")
        return types.CreateMessageResult(role="assistant", content=words, model="m")

    async def roots(self, _context: Any) -> types.ListRootsResult:
        self.asked.append("roots")
        return types.ListRootsResult(roots=[types.Root(uri="file:///anna")])

    async def log(self, params: Any) -> None:
        self.logged.append(params)

    @asynccontextmanager
    async def using(self, address: str, mode: str, **more: Any) -> AsyncIterator[mcp.Client]:
        """Their client."""
        async with mcp.Client(
            address,
            mode=mode,
            cache=None,
            elicitation_callback=self.elicit,
            sampling_callback=self.sample,
            list_roots_callback=self.roots,
            logging_callback=self.log,
            **more,
        ) as client:
            yield client
