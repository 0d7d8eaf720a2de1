"""Every sandbox there is, and how the suite opens a guest of each.

A new backend gets one more entry here; what it cannot do is read from its capabilities, so no test
names a backend.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
from tests import machine
from tests.conformance.hostile import CHANNEL, WORDS, Attack
from tests.sandbox.process.guests import LIMITS, UNLOCKED, Guest, open_unlocked

from toolweft.core.clock import SystemClock
from toolweft.core.ports import SandboxBackend, SandboxCapabilities, SandboxSession
from toolweft.core.programs import SESSION_LIMITS, ProgramLimits
from toolweft.sandbox.container import ContainerBackend
from toolweft.sandbox.container.engine import Engine
from toolweft.sandbox.container.owner import LABEL
from toolweft.sandbox.monty import MontyBackend
from toolweft.sandbox.options import EngineOptions, SandboxOptions
from toolweft.sandbox.process import ProcessBackend

ENGINE = os.environ.get("TOOLWEFT_TEST_CONTAINER_ENGINE", "")
IMAGE = os.environ.get("TOOLWEFT_TEST_CONTAINER_IMAGE", "")
NO_ENGINE = (
    ""
    if ENGINE and IMAGE
    else "no container engine at hand: TOOLWEFT_TEST_CONTAINER_ENGINE and"
    " TOOLWEFT_TEST_CONTAINER_IMAGE name none"
)
# For a dry run on a busy machine.
_PROBE_TIMEOUT_S = 60.0
_GONE_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBackend:
    """A backend that has been entered."""

    capabilities: SandboxCapabilities
    open: Callable[[ProgramLimits], Awaitable[SandboxSession]]
    # Something only this guest has, by which `is_gone` knows it after its end.
    trace: Callable[[Any], object]
    is_gone: Callable[[object], Awaitable[bool]]
    # What a hostile guest can say to the host in this backend's own terms.
    forgeries: tuple[Attack, ...]

    @asynccontextmanager
    async def guest(self, limits: ProgramLimits = LIMITS) -> AsyncIterator[Guest]:
        """One session, ended with the block."""
        session = await self.open(limits)
        try:
            yield Guest(session)
        finally:
            await session.close()

    async def wait_gone(self, trace: object) -> None:
        """Return once nothing is left of a guest outside."""
        with anyio.fail_after(_GONE_TIMEOUT_S):
            while not await self.is_gone(trace):  # noqa: ASYNC110  neither kernels nor engines tell
                await anyio.sleep(0.01)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One sandbox of the registry."""

    name: str
    enter: Callable[[], AbstractAsyncContextManager[OpenBackend]]
    # Why it cannot be tried here; "" where it can.
    missing: str = ""


@asynccontextmanager
async def _enter_tier(tier: str) -> AsyncIterator[OpenBackend]:
    machine.need(tier)
    options = SandboxOptions(tier=tier, probe_timeout_s=_PROBE_TIMEOUT_S)
    async with ProcessBackend(options, clock=SystemClock()) as backend:
        yield _of_processes(backend)


def _of_processes(backend: SandboxBackend) -> OpenBackend:
    return OpenBackend(
        capabilities=backend.capabilities,
        open=backend.open,
        trace=lambda session: session.pid,
        is_gone=has_no_process,
        forgeries=CHANNEL,
    )


@asynccontextmanager
async def _enter_unlocked() -> AsyncIterator[OpenBackend]:
    async with open_unlocked() as open_session:
        capabilities = SandboxCapabilities(
            backend="process",
            tier=UNLOCKED.name,
            language="Python",
            # It has the host's files, which is no scratch folder.
            files=False,
            counted_files=False,
            handles=True,
            is_isolated=False,
            limits=SESSION_LIMITS - {"memory", "files", "disk"},
        )
        yield OpenBackend(
            capabilities=capabilities,
            open=open_session,
            trace=lambda session: session.pid,
            is_gone=has_no_process,
            forgeries=(),
        )


@asynccontextmanager
async def _enter_monty() -> AsyncIterator[OpenBackend]:
    options = SandboxOptions(probe_timeout_s=_PROBE_TIMEOUT_S)
    async with MontyBackend(options, clock=SystemClock()) as backend:
        yield OpenBackend(
            capabilities=backend.capabilities,
            open=backend.open,
            trace=lambda session: session.process_id,
            is_gone=has_no_process,
            forgeries=WORDS,
        )


@asynccontextmanager
async def _enter_container() -> AsyncIterator[OpenBackend]:
    options = container_options()
    async with (
        ContainerBackend(options, clock=SystemClock(), warm_limits=LIMITS) as backend,
        Engine(backend._maker._engine.address) as engine,
    ):

        async def is_gone(container: object) -> bool:
            known = await engine.list(label=LABEL)
            return container not in {item["Id"] for item in known}

        yield OpenBackend(
            capabilities=backend.capabilities,
            open=backend.open,
            trace=lambda session: session.container,
            is_gone=is_gone,
            forgeries=CHANNEL,
        )


def container_options(**changes: Any) -> SandboxOptions:
    """The engine that the environment names, without a pool unless asked for."""
    container = replace(EngineOptions(engine=ENGINE, image=IMAGE, pool_size=0), **changes)
    return SandboxOptions(container=container, probe_timeout_s=_PROBE_TIMEOUT_S)


async def has_no_process(pid: object) -> bool:
    return not Path(f"/proc/{pid}").exists()  # noqa: ASYNC240  one look at the kernel's memory


def _tier(name: str) -> Entry:
    return Entry(name=f"process/{name}", enter=lambda: _enter_tier(name))


ENTRIES = (
    _tier("ns"),
    _tier("landlock"),
    _tier("noopen"),
    # The guest's own code without any layer, so that it can be measured.
    Entry(name="process/unlocked", enter=_enter_unlocked),
    Entry(name="monty", enter=_enter_monty),
    Entry(name="container", enter=_enter_container, missing=NO_ENGINE),
)
