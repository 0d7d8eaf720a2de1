"""What a gateway that is killed leaves behind: nothing."""

import os
import signal
import sys

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from tests.sources.support import PATIENT_S, is_alive

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
