"""A zygote that died or hung: its late answers are never used, and a fresh one follows."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from tests.sandbox.process.guests import ALL_TIERS, LIMITS, NAMES, echo

from toolweft.core.clock import SystemClock
from toolweft.core.errors import SandboxUnavailable
from toolweft.sandbox import SandboxOptions
from toolweft.sandbox.environments import PackageEnvironment
from toolweft.sandbox.process import ProcessBackend
from toolweft.sandbox.process.tiers import Tier
from toolweft.sandbox.process.zygote import Zygote, launch_zygote

pytestmark = pytest.mark.process


@contextmanager
def silent_zygote(**arguments: float) -> Iterator[tuple[Zygote, socket.socket]]:
    """A zygote that answers when the test does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    with ours, theirs, subprocess.Popen([sys.executable, "-c", ""]) as process:
        yield Zygote(process, ours, **arguments), theirs


async def test_an_answer_that_comes_too_late_is_never_taken_for_another() -> None:
    with silent_zygote(answer_timeout_s=0.01) as (zygote, far_end):
        with pytest.raises(SandboxUnavailable, match="does not answer"):
            await zygote.spawn(LIMITS)
        assert not zygote.is_usable
        far_end.send(json.dumps({"pid": 1}).encode())
        with pytest.raises(SandboxUnavailable, match="does not answer"):
            await zygote.spawn(LIMITS)


async def test_a_guest_whose_descriptor_was_lost_is_reaped() -> None:
    with silent_zygote() as (zygote, far_end):
        far_end.send(b'{"pid": 77}')
        far_end.send(b'{"status": 0}')
        with pytest.raises(SandboxUnavailable, match="too many files"):
            await zygote.spawn(LIMITS)
        asked = [json.loads(far_end.recv(4096)) for _ in range(2)]
    assert asked[1] == {"reap": 77}


@pytest.mark.parametrize("junk", [b"junk", b"7", b'{"ready": true}', b'{"pid": "1"}'])
async def test_what_is_no_answer_ends_the_use_of_a_zygote(junk: bytes) -> None:
    with silent_zygote() as (zygote, far_end):
        far_end.send(junk)
        with pytest.raises(SandboxUnavailable, match="disturbed") as refused:
            await zygote.spawn(LIMITS)
        assert repr(junk) in refused.value.message
        assert not zygote.is_usable
        with pytest.raises(SandboxUnavailable, match="does not answer"):
            await zygote.spawn(LIMITS)


async def test_a_descriptor_that_comes_with_what_is_no_answer_is_closed() -> None:
    reading, writing = os.pipe()
    with silent_zygote() as (zygote, far_end), os.fdopen(reading, "rb") as end:
        socket.send_fds(far_end, [b"junk"], [writing])
        os.close(writing)
        with pytest.raises(SandboxUnavailable, match="disturbed"):
            await zygote.spawn(LIMITS)
        # Nobody holds the other end any more.
        assert end.read() == b""


@pytest.fixture
def looping(tmp_path: Path) -> PackageEnvironment:
    """A package whose import never ends; it writes to the pipe `begun` as it begins."""
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    body = f"open({str(begun)!r}, 'w').close()\nwhile True: pass\n"
    (tmp_path / "looping.py").write_text(body)
    return PackageEnvironment(name="e", site=tmp_path, preload=("looping",), packages=())


async def wait_until_begun(looping: PackageEnvironment) -> None:
    with anyio.fail_after(30):
        await anyio.to_thread.run_sync((looping.site / "begun").read_bytes)


async def test_a_zygote_whose_import_never_ends_dies_with_its_control_socket(looping) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = launch_zygote(ALL_TIERS["noopen"], theirs.fileno(), packages=looping)
    await wait_until_begun(looping)
    ours.close()
    assert process.wait(timeout=5) == -signal.SIGKILL


async def test_a_start_that_is_cancelled_leaves_no_process(looping) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def launch(tier: Tier, control_fd: int) -> "subprocess.Popen[bytes]":
        started.append(launch_zygote(tier, control_fd, packages=looping))
        return started[0]

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(
                partial(Zygote.start, timeout_s=30, launch=launch), ALL_TIERS["noopen"]
            )
            await wait_until_begun(looping)
            tasks.cancel_scope.cancel()
    assert started[0].returncode == -signal.SIGKILL


async def test_a_fresh_zygote_takes_the_place_of_a_killed_one() -> None:
    started: list[int] = []

    async def note(zygote: Zygote, _tier: Tier, _clock: SystemClock) -> None:
        started.append(zygote._process.pid)

    async with ProcessBackend(SandboxOptions(), clock=SystemClock(), proof=note) as backend:
        first = await backend.open(LIMITS)
        os.kill(started[-1], signal.SIGKILL)
        second = await backend.open(LIMITS)
        outcome = await second.run("1 + 1", names=NAMES, limits=LIMITS, on_call=echo)
        assert outcome.value == b"2"
        assert len(set(started)) == 2
        await first.close()
