"""Guests for tests: of every tier of this machine, and unlocked ones, which can be measured."""

import json
import subprocess
import sys
import sysconfig
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio

from toolweft.core.clock import SystemClock
from toolweft.core.ports import GuestCall, GuestNames, GuestReply, SandboxOutcome
from toolweft.core.programs import ProgramLimits
from toolweft.sandbox.process.session import ProcessSession
from toolweft.sandbox.process.tiers import TIERS, Tier
from toolweft.sandbox.process.zygote import Zygote

UNLOCKED = Tier(name="unlocked", layers=frozenset())
ALL_TIERS = {tier.name: tier for tier in (UNLOCKED, *TIERS)}
MIB = 1024 * 1024
LIMITS = ProgramLimits(memory_bytes=256 * MIB, wall_s=20.0, active_s=10.0, disk_bytes=2 * MIB)
NAMES = GuestNames(namespaces=("t",), functions=("echo",))
START_TIMEOUT_S = 30.0

_MAIN = (
    "import sys; from toolweft.sandbox.guest.zygote "
    "import main; main(int(sys.argv[1]), sys.argv[2])"
)


def launch_unlocked(_tier: Tier, control_fd: int, *inherited: int) -> "subprocess.Popen[bytes]":
    """A zygote of the same code, in an ordinary interpreter and without any layer."""
    setup = {
        "layers": [],
        "file_calls": "none",
        "standard_library": sysconfig.get_path("stdlib"),
        "packages": "",
        "preload": [],
        "proc_fd": -1,
    }
    return subprocess.Popen(
        [sys.executable, "-c", _MAIN, str(control_fd), json.dumps(setup)],
        pass_fds=[control_fd, *inherited],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@asynccontextmanager
async def open_zygote(tier: Tier) -> AsyncIterator[Zygote]:
    """A warm zygote of a tier, not proven."""
    launch = launch_unlocked if tier is UNLOCKED else None
    zygote = await Zygote.start(tier, timeout_s=START_TIMEOUT_S, launch=launch)
    try:
        yield zygote
    finally:
        await zygote.close()


@asynccontextmanager
async def open_guest(tier: Tier, limits: ProgramLimits = LIMITS) -> AsyncIterator["Guest"]:
    """One session of a tier."""
    async with open_zygote(tier) as zygote:
        session = await ProcessSession.open(zygote, limits, clock=SystemClock())
        try:
            yield Guest(session)
        finally:
            if tier is UNLOCKED:
                await _let_go(session)
            await session.close()


async def _let_go(session: ProcessSession) -> None:
    """Let an unlocked guest end by itself, so that what it ran is measured."""
    if session._exit_status is not None:
        return
    session._cancel_pause()
    session._child.resume()
    session._channel.close()
    with anyio.move_on_after(5):
        await session._child.wait_exit()


async def echo(call: GuestCall) -> GuestReply:
    """Give the arguments back."""
    return GuestReply(payload=call.arguments)


class Guest:
    """A session with short defaults."""

    survives_stops = True

    def __init__(self, session: ProcessSession) -> None:
        self.session = session

    async def run(
        self,
        code: str,
        *,
        on_call: Callable = echo,
        on_output: Callable[[str], None] | None = None,
        names: GuestNames = NAMES,
        **limits: object,
    ) -> SandboxOutcome:
        """Run code with `LIMITS`, changed by keyword."""
        return await self.session.run(
            code,
            names=names,
            limits=replace(LIMITS, **limits),
            on_call=on_call,
            on_output=on_output,
        )
