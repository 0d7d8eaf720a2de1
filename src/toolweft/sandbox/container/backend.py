"""The container backend: one container of a Docker or Podman engine per session."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import Self

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from toolweft.core.clock import Clock
from toolweft.core.errors import SandboxError, SandboxUnavailable
from toolweft.core.json import JsonObject
from toolweft.core.ports import IsolationReport, SandboxCapabilities
from toolweft.core.programs import ProgramLimits
from toolweft.sandbox.abilities import FEW_MODULES, guest_limits
from toolweft.sandbox.container.address import parse_address
from toolweft.sandbox.container.disposal import Disposal
from toolweft.sandbox.container.engine import Engine, EngineError
from toolweft.sandbox.container.maker import ContainerMaker
from toolweft.sandbox.container.owner import (
    LABEL,
    Owner,
    parse_owner,
    process_start,
    this_process,
)
from toolweft.sandbox.container.parcel import load_parcel
from toolweft.sandbox.container.pool import Pool
from toolweft.sandbox.container.session import ContainerSession
from toolweft.sandbox.container.survey import survey_containers
from toolweft.sandbox.container.tiers import INNER_TIERS, InnerTier
from toolweft.sandbox.guest.limits import Limits
from toolweft.sandbox.limits import fixed_limits
from toolweft.sandbox.options import SandboxOptions
from toolweft.sandbox.trial import TRIAL_LIMITS, try_session

__all__ = ("ContainerBackend", "Proof")

# Gets a session of a tier and raises `SandboxUnavailable` unless the tier holds.
Proof = Callable[[ContainerSession, InnerTier], Awaitable[None]]

log = logging.getLogger(__name__)


class ContainerBackend:
    """Opens containers, each with a guest of the strongest inner tier that proved itself."""

    def __init__(
        self,
        options: SandboxOptions,
        *,
        clock: Clock,
        warm_limits: ProgramLimits | None = None,
        tiers: Sequence[InnerTier] = INNER_TIERS,
        proof: Proof | None = None,
    ) -> None:
        """Keep what is needed; nothing starts yet.

        Args:
            options: engine, image, and which inner tier is wanted.
            clock: where time comes from.
            warm_limits: of the sessions that containers are kept ready for; others wait for
                theirs to be made.
            tiers: what the guest inside is confined by, strongest first.
            proof: the dry run an inner tier has to pass; the full one unless given.
        """
        self._options = options
        self._clock = clock
        self._warm = fixed_limits(warm_limits or ProgramLimits())
        self._tiers = tiers
        self._proof = proof or _prove
        self._stack = AsyncExitStack()
        self._maker: ContainerMaker | None = None
        self._pool: Pool | None = None
        self._tier: InnerTier | None = None
        self._found: JsonObject = {}
        self._reports: list[IsolationReport] = []
        self._sessions: set[ContainerSession] = set()

    async def __aenter__(self) -> Self:
        """Sweep what a killed host left, prove the isolation, and begin to fill the pool.

        Raises:
            SandboxUnavailable: there is no engine or image, or something asked for does not hold.
        """
        self._reports.clear()
        container = self._options.container
        address = await anyio.to_thread.run_sync(parse_address, container)
        async with AsyncExitStack() as stack:
            engine = await stack.enter_async_context(Engine(address))
            owner = await anyio.to_thread.run_sync(this_process)
            await _sweep(engine, owner)
            await self._check_image(engine)
            disposal = Disposal(engine)
            # Last of all: when no task makes or removes any more.
            stack.push_async_callback(disposal.discard_all)
            tasks = await stack.enter_async_context(_Background())
            maker = ContainerMaker(
                disposal,
                container,
                clock=self._clock,
                tasks=tasks,
                owner=owner.render(),
                parcel=await anyio.to_thread.run_sync(partial(load_parcel, magic="")),
            )
            self._found = await self._survey(maker, engine)
            magic = str(self._found.get("magic", ""))
            maker.parcel = await anyio.to_thread.run_sync(partial(load_parcel, magic=magic))
            self._tier = await self._choose(maker)
            self._maker = maker
            self._pool = Pool(self._make_warm, size=container.pool_size)
            tasks.start_soon(self._pool.fill)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End and remove every container."""
        with anyio.CancelScope(shield=True):
            for session in self._sessions:
                await session.close()
            self._sessions.clear()
            if self._pool is not None:
                await self._pool.close()
        self._maker = self._pool = self._tier = None
        # The body's error is not the group's: it comes out as it is, not wrapped.
        await self._stack.__aexit__(None, None, None)

    @property
    def capabilities(self) -> SandboxCapabilities:
        """What was proven at start."""
        tier = self._tier
        if tier is None:
            raise _not_open()
        version = ".".join(str(part) for part in self._found.get("python", ()))
        return SandboxCapabilities(
            backend="container",
            tier=tier.name,
            language=f"CPython {version}",
            files=tier.has_files,
            # Not every engine takes such a number for a folder in memory.
            counted_files=False,
            every_module=tier.has_files,
            lacks="" if tier.has_files else FEW_MODULES,
            handles=True,
            limits=guest_limits(has_files=tier.has_files),
        )

    @property
    def reports(self) -> Sequence[IsolationReport]:
        """The dry run of every inner tier that was tried, strongest first."""
        return tuple(self._reports)

    @property
    def ready_containers(self) -> int:
        """How many containers of the pool wait for a session."""
        return 0 if self._pool is None else len(self._pool)

    async def open(
        self, limits: ProgramLimits, *, environment: str | None = None
    ) -> ContainerSession:
        """A fresh session: one of the pool where it fits, else a new container."""
        if environment is not None:
            raise SandboxUnavailable(
                f"containers have the packages of their image, not environment {environment!r}",
                hint="leave the environment out, or name an image with these packages",
            )
        maker, tier, pool = self._maker, self._tier, self._pool
        if maker is None or tier is None or pool is None:
            raise _not_open()
        fixed = fixed_limits(limits)
        ready = pool.take() if fixed == self._warm else None
        session = ready or await _open(maker, tier, fixed)
        self._sessions = {known for known in self._sessions if known.is_alive}
        self._sessions.add(session)
        return session

    async def _make_warm(self) -> ContainerSession:
        if self._maker is None or self._tier is None:
            raise _not_open()
        return await _open(self._maker, self._tier, self._warm)

    async def _check_image(self, engine: Engine) -> None:
        image = self._options.container.image
        if await engine.inspect_image(image) is None:
            raise SandboxUnavailable(
                f"the container engine has no image {image!r}",
                hint=f"pull it (`docker pull {image}`), make one from a root file system"
                " (scripts/container_engine.sh), or name another in sandbox.container.image",
            )

    async def _survey(self, maker: ContainerMaker, engine: Engine) -> JsonObject:
        timeout_s = self._options.probe_timeout_s
        try:
            with anyio.fail_after(timeout_s):
                return await survey_containers(maker, engine, self._options.container)
        except TimeoutError:
            raise SandboxUnavailable(
                f"looking round in a container took longer than {timeout_s:g} s",
                hint="sandbox.probe_timeout_s allows more",
            ) from None

    async def _choose(self, maker: ContainerMaker) -> InnerTier:
        """The strongest inner tier that holds."""
        wanted = self._options.tier
        for tier in self._tiers:
            if wanted not in ("auto", tier.name):
                continue
            reason = await self._try(maker, tier)
            self._reports.append(
                IsolationReport(tier=tier.name, holds=reason is None, reason=reason or "")
            )
            if reason is None:
                return tier
        tried = "; ".join(f"{report.tier}: {report.reason}" for report in self._reports)
        raise SandboxUnavailable(
            "no tier holds inside a container"
            f" ({tried or f'none is named {wanted!r}; there are landlock and noopen'})",
            hint="the engine's seccomp profile may forbid what a guest needs to lock itself down",
        )

    async def _try(self, maker: ContainerMaker, tier: InnerTier) -> str | None:
        """None where this tier holds; otherwise the reason why not."""
        timeout_s = self._options.probe_timeout_s
        try:
            with anyio.fail_after(timeout_s):
                session = await _open(maker, tier, fixed_limits(TRIAL_LIMITS))
                try:
                    await self._proof(session, tier)
                finally:
                    with anyio.CancelScope(shield=True):
                        await session.close()
        except SandboxError as fault:
            return fault.message
        except TimeoutError:
            return f"the dry run took longer than {timeout_s:g} s"
        return None


async def _prove(session: ContainerSession, tier: InnerTier) -> None:
    await try_session(session, own_files=tier.has_files, imports=tier.has_files)


async def _open(maker: ContainerMaker, tier: InnerTier, limits: Limits) -> ContainerSession:
    return await maker.open_session(limits, layers=tier.layers, preload_all=not tier.has_files)


class _Background:
    """A task group that is cancelled when its body ends."""

    def __init__(self) -> None:
        self._group = anyio.create_task_group()

    async def __aenter__(self) -> TaskGroup:
        return await self._group.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._group.cancel_scope.cancel()
        # Whatever went wrong outside of it is not the group's.
        await self._group.__aexit__(None, None, None)


async def _sweep(engine: Engine, here: Owner) -> None:
    """Remove containers whose owner runs no more."""
    for item in await engine.list(label=LABEL):
        labels = item.get("Labels") or {}
        owner = parse_owner(str(labels.get(LABEL, "")))
        if owner is None or not owner.is_gone(here, process_start):
            continue
        container = str(item.get("Id"))
        try:
            await engine.remove(container)
        except EngineError as fault:
            # Another process sweeping too, or an engine in trouble: the next start tries again.
            log.warning(
                "sandbox.sweep_failed", extra={"container": container, "reason": fault.message}
            )
        else:
            log.info("sandbox.swept", extra={"container": container})


def _not_open() -> SandboxUnavailable:
    return SandboxUnavailable(
        "the sandbox is not open", hint="use it inside `async with` the backend"
    )
