"""A zygote that died or hung: its late answers are never used, and a fresh one follows."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.sandbox.process.guests import LIMITS, NAMES, echo

from toolweft.core.clock import SystemClock
from toolweft.core.errors import SandboxUnavailable
from toolweft.sandbox import SandboxOptions
from toolweft.sandbox.process import ProcessBackend
from toolweft.sandbox.process.tiers import Tier
from toolweft.sandbox.process.zygote import Zygote

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
