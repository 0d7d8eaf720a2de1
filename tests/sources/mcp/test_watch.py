"""What is left behind where a gateway is killed, or a start is cut off: nothing."""

import os
import signal
import sys
from typing import Any

import anyio
import pytest
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream
from tests.sources.support import PATIENT_S, is_alive

from toolweft.core.ids import SourceName
from toolweft.sources import StdioServerOptions
from toolweft.sources.mcp.process import open_process

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc"),
]

# A server that ignores the end of its stdin and every polite signal, and has a child like that.
_STUBBORN = 'trap "" TERM HUP INT; sleep 600 & echo $$ $!; while :; do sleep 600; done'
_OWNER = f"""
import anyio, sys
from toolweft.sources import StdioServerOptions
from toolweft.sources.mcp.process import open_process

async def main():
    options = StdioServerOptions(name="a", command="/bin/sh", args=("-c", {_STUBBORN!r}))
    async with open_process(options) as server:
        print((await server.stdout.receive()).decode().strip(), flush=True)
        await anyio.to_thread.run_sync(sys.stdin.readline)
    print("closed", flush=True)

anyio.run(main)
"""


@pytest.mark.promise("sources.no-survivors")
@pytest.mark.parametrize("end", ["killed", "in order"])
async def test_no_child_outlives_its_owner(end: str) -> None:
    with anyio.fail_after(PATIENT_S):
        async with await anyio.open_process([sys.executable, "-c", _OWNER]) as owner:
            assert owner.stdout is not None
            assert owner.stdin is not None
            said = BufferedByteReceiveStream(owner.stdout)
            pids = [int(pid) for pid in (await said.receive_until(b"\n", 100)).split()]
            assert len(pids) == 2
            if end == "killed":
                os.kill(owner.pid, signal.SIGKILL)
            else:
                await owner.stdin.send(b"\n")
                assert await said.receive_until(b"\n", 100) == b"closed"
            while any(map(is_alive, pids)):  # noqa: ASYNC110 (a death gives no event)
                await anyio.sleep(0.05)


async def test_a_server_whose_start_is_cancelled_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Process] = []
    start = anyio.open_process

    async def note(*arguments: Any, **options: Any) -> Process:
        started.append(await start(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(anyio, "open_process", note)
    options = StdioServerOptions(
        name=SourceName("s"), command=sys.executable, args=("-c", "import time; time.sleep(600)")
    )

    with anyio.CancelScope() as scope:
        scope.cancel()
        async with open_process(options):
            await anyio.lowlevel.checkpoint()

    # The server, and who watches its group.
    assert len(started) == 2
    assert all(process.returncode is not None for process in started)
