"""Guests for tests: of every tier of this machine, and unlocked ones, which can be measured."""

import json
import subprocess
import sys
import sysconfig
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
from tests import machine

from toolweft.core.clock import SystemClock
from toolweft.core.ports import GuestCall, GuestNames, GuestReply, SandboxOutcome
from toolweft.core.programs import ProgramLimits
from toolweft.sandbox.guest.lockdown import LANDLOCK, NAMESPACES
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
    """A warm zygote of a tier, not proven; skips the test where the machine cannot have one."""
    for name, layer in (("ns", NAMESPACES), ("landlock", LANDLOCK)):
        if layer in tier.layers:
            machine.need(name)
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
        kind = MeasuredSession if tier is UNLOCKED else ProcessSession
        session = await kind.open(zygote, limits, clock=SystemClock())
        try:
            yield Guest(session)
        finally:
            await session.close()


class MeasuredSession(ProcessSession):
    """A session of an unlocked guest."""

    async def _end(self) -> int:
        """Let the guest end by itself, so that what it ran is measured."""
        if self.is_alive:
            self._child.resume()
            self._channel.close()
            with anyio.move_on_after(5):
                await self._child.wait_exit()
        return await super()._end()


@asynccontextmanager
async def open_unlocked() -> AsyncIterator[Callable[[ProgramLimits], Awaitable[ProcessSession]]]:
    """What opens sessions of unlocked guests."""
    async with open_zygote(UNLOCKED) as zygote:
        yield lambda limits: MeasuredSession.open(zygote, limits, clock=SystemClock())


async def echo(call: GuestCall) -> GuestReply:
    """Give the arguments back."""
    return GuestReply(payload=call.arguments)


class Guest:
    """A session with short defaults."""

    def __init__(self, session: Any) -> None:
        # A `SandboxSession` of any backend.
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
