"""Programs run the same where the user's code was started by asyncio itself, not by anyio."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, sys
import sniffio
import toolweft

@toolweft.tool(severity="read_only")
async def plus_one(n: int) -> int:
    await asyncio.sleep(0.01)
    return n + 1

async def main():
    settings = {"ledger.url": sys.argv[1], "sandbox.backend": sys.argv[2]}
    async with toolweft.open(tools=[plus_one], overrides=settings) as box:
        code = "import asyncio\\nx = await asyncio.gather(plus_one(n=1), plus_one(n=2))\\nprint(x)"
        first = await box.run(code)
        # Long enough for the idle container to be stopped.
        await asyncio.sleep(0.2)
        again = await box.run("print(x)", container_id=first.container.id)
        try:
            async with asyncio.timeout(0.5):
                await box.run("while True: pass")
        except TimeoutError:
            print(first.container.backend.split("/")[0], first.stdout, again.stdout)

asyncio.run(main())
"""


@pytest.mark.parametrize("backend", ["process", "monty"])
def test_a_program_calls_tools_under_plain_asyncio(tmp_path: Path, backend: str) -> None:
    if backend == "process" and sys.platform != "linux":
        pytest.skip("the process backend needs Linux")
    command = [sys.executable, "-c", PROGRAM, f"sqlite:///{tmp_path}/ledger.db", backend]
    ended = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split("\n") == [f"{backend} [2, 3]", " [2, 3]", "", ""], ended.stderr
    assert "Fatal error" not in ended.stderr
