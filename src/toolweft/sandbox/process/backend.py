"""The process backend: real Python in confined child processes, on Linux."""

import logging
import platform
import resource
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Self

import anyio
import anyio.to_thread

from toolweft.core.clock import Clock
from toolweft.core.errors import SandboxError, SandboxUnavailable
from toolweft.core.ports import IsolationReport, SandboxCapabilities
from toolweft.core.programs import ProgramLimits
from toolweft.sandbox.abilities import FEW_MODULES, guest_limits
from toolweft.sandbox.environments import (
    MIN_MEMORY_BYTES,
    PackageEnvironment,
    describe_environments,
    load_environment,
)
from toolweft.sandbox.options import SandboxOptions
from toolweft.sandbox.process.advice import advise
from toolweft.sandbox.process.proof import prove_isolation
from toolweft.sandbox.process.session import ProcessSession
from toolweft.sandbox.process.tiers import TIERS, UNSAFE, Tier
from toolweft.sandbox.process.zygote import Zygote, launch_zygote

__all__ = ("ProcessBackend", "Proof")

log = logging.getLogger(__name__)

# Gets a zygote of a tier and raises `SandboxUnavailable` unless the tier holds.
Proof = Callable[[Zygote, Tier, Clock], Awaitable[None]]

_HINT = (
    'take another backend, sandbox.backend = "container" with an engine or "monty" with'
    " toolweft[monty]; or mend a tier: `toolweft doctor` says what each needs"
)


class ProcessBackend:
    """Opens guests of the strongest tier that proved itself when the backend was entered."""

    def __init__(
        self,
        options: SandboxOptions,
        *,
        clock: Clock,
        tiers: Sequence[Tier] = TIERS,
        proof: Proof = prove_isolation,
        survey: bool = False,
    ) -> None:
        """Keep what is needed; nothing starts yet.

        Args:
            options: which tier is wanted.
            clock: where time comes from.
            tiers: the candidates, strongest first.
            proof: the dry run a tier has to pass.
            survey: try the weaker tiers too, for the reports; the strongest that holds is used.
        """
        self._options = options
        self._clock = clock
        # It has to be spelled out: "auto" never comes to it.
        self._tiers = (UNSAFE,) if options.tier == UNSAFE.name else tiers
        self._proof = proof
        self._survey = survey
        self._zygote: Zygote | None = None
        self._tier: Tier | None = None
        self._reports: list[IsolationReport] = []
        self._sessions: set[ProcessSession] = set()
        self._environments: dict[str, tuple[str, ...]] = {}
        # By the name of the environment; each starts with its first session.
        self._with_packages: dict[str, Zygote] = {}
        self._starting = anyio.Lock()

    async def __aenter__(self) -> Self:
        """Try the tiers, strongest first, and keep the first that holds."""
        wanted = self._options.tier
        folder = self._options.environments
        self._environments = await anyio.to_thread.run_sync(describe_environments, folder)
        # A start may follow one that failed.
        self._reports.clear()
        for tier in self._tiers:
            if wanted not in ("auto", tier.name):
                continue
            reason = await self._try(tier)
            note = "" if tier.is_confining else "its limits only, nothing is confined"
            self._reports.append(
                IsolationReport(
                    tier=tier.name,
                    holds=reason is None,
                    reason=reason or note,
                    hint=advise(reason or ""),
                )
            )
            if reason is None and not self._survey:
                break
        if self._tier is not None:
            if not self._tier.is_confining:
                log.warning("sandbox.unsafe", extra={"tier": self._tier.name})
            return self
        tried = "; ".join(f"{report.tier}: {report.reason}" for report in self._reports)
        raise SandboxUnavailable(
            f"no isolation tier holds on this machine ({tried or f'no tier is named {wanted!r}'})",
            hint=_HINT,
        )

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End every session, then the zygote."""
        with anyio.CancelScope(shield=True):
            for session in self._sessions:
                await session.close()
            self._sessions.clear()
            for zygote in (*self._with_packages.values(), self._zygote):
                if zygote is not None:
                    await zygote.close()
            self._with_packages.clear()
            self._zygote = None

    @property
    def capabilities(self) -> SandboxCapabilities:
        """What was proven at start."""
        tier = self._proven_tier()
        version = platform.python_version()
        return SandboxCapabilities(
            backend="process",
            tier=tier.name,
            language=f"CPython {version}",
            files=tier.has_files,
            counted_files=tier.has_files,
            standard_library=True,
            every_module=tier.has_imports,
            lacks="" if tier.has_imports else FEW_MODULES,
            environments=self._environments,
            handles=True,
            limits=guest_limits(has_files=tier.has_files),
            is_isolated=tier.is_confining,
        )

    @property
    def reports(self) -> Sequence[IsolationReport]:
        """The dry run of every tier that was tried, strongest first."""
        return tuple(self._reports)

    async def open(
        self, limits: ProgramLimits, *, environment: str | None = None
    ) -> ProcessSession:
        """A fresh session."""
        self._proven_tier()
        _check_files(limits)
        if environment is not None:
            _check_memory(limits, environment)
        zygote = await self._zygote_for(environment)
        try:
            session = await ProcessSession.open(zygote, limits, clock=self._clock)
        except SandboxUnavailable:
            if zygote.is_usable:
                raise
            # It died, or hung: a fresh one takes its place.
            zygote = await self._zygote_for(environment)
            session = await ProcessSession.open(zygote, limits, clock=self._clock)
        self._sessions = {known for known in self._sessions if known.is_alive}
        self._sessions.add(session)
        return session

    async def _zygote_for(self, environment: str | None) -> Zygote:
        """The zygote whose guests have these packages; a fresh one for one that is lost."""
        if environment is not None:
            return await self._zygote_with(environment)
        async with self._starting:
            tier = self._proven_tier()
            assert self._zygote is not None
            if not self._zygote.is_usable:
                log.warning("sandbox.zygote_lost", extra={"tier": tier.name})
                await self._zygote.close()
                self._zygote = await self._start_proven(tier)
            return self._zygote

    async def _zygote_with(self, name: str) -> Zygote:
        """The zygote whose guests have the packages of an environment; proven like the first."""
        async with self._starting:
            known = self._with_packages.get(name)
            if known is not None and known.is_usable:
                return known
            if known is not None:
                log.warning("sandbox.zygote_lost", extra={"environment": name})
                del self._with_packages[name]
                await known.close()
            folder, tier = self._options.environments, self._proven_tier()
            if folder is None:
                raise SandboxUnavailable(
                    f"there is no environment {name!r}: no folder for environments is configured",
                    hint="set sandbox.environments",
                )
            packages = await anyio.to_thread.run_sync(load_environment, folder, name)
            try:
                zygote = await self._start_proven(tier, packages)
            except SandboxUnavailable as fault:
                raise SandboxUnavailable(
                    f"environment {name!r} cannot be used: {fault.message}",
                    hint=f"`toolweft env remove {name}`, and create it again without the package"
                    " that does this",
                ) from fault
            self._with_packages[name] = zygote
            return zygote

    async def _start_proven(self, tier: Tier, packages: PackageEnvironment | None = None) -> Zygote:
        """A zygote of a tier that holds.

        Raises:
            SandboxUnavailable: it does not hold, or not in time.
        """
        timeout_s = self._options.probe_timeout_s
        launch = partial(launch_zygote, packages=packages)
        zygote = None
        try:
            with anyio.fail_after(timeout_s):
                zygote = await Zygote.start(tier, timeout_s=timeout_s, launch=launch)
                await self._proof(zygote, tier, self._clock)
        except BaseException as fault:
            if zygote is not None:
                with anyio.CancelScope(shield=True):
                    await zygote.close()
            if isinstance(fault, TimeoutError):
                reason = f"the dry run took longer than {timeout_s:g} s"
                raise SandboxUnavailable(reason) from fault
            if isinstance(fault, OSError):
                raise SandboxUnavailable(f"the dry run failed: {fault}") from fault
            raise
        return zygote

    async def _try(self, tier: Tier) -> str | None:
        """Keep this tier's zygote if the tier holds; otherwise the reason why not."""
        try:
            zygote = await self._start_proven(tier)
        except SandboxError as fault:
            return str(fault)
        if self._tier is None:
            self._zygote, self._tier = zygote, tier
        else:
            await zygote.close()
        return None

    def _proven_tier(self) -> Tier:
        if self._tier is None or self._zygote is None:
            raise SandboxUnavailable(
                "the sandbox is not open", hint="use it inside `async with` the backend"
            )
        return self._tier


def _check_files(limits: ProgramLimits) -> None:
    # A guest has no right to raise what this process was given.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most != resource.RLIM_INFINITY and limits.max_files > most:
        raise SandboxUnavailable(
            f"limits.max_files is {limits.max_files:,}, and no process here may open more than"
            f" {most:,} files",
            hint=f"give limits.max_files {most:,} or less, or raise the hard limit of this"
            " process, which `ulimit -Hn` shows",
        )


def _check_memory(limits: ProgramLimits, environment: str) -> None:
    if limits.memory_bytes < MIN_MEMORY_BYTES:
        least, given = (size // 1024**2 for size in (MIN_MEMORY_BYTES, limits.memory_bytes))
        raise SandboxUnavailable(
            f"environment {environment!r} needs {least} MiB of memory, the limit is {given} MiB",
            hint=f"raise limits.memory to {least} MiB or more",
        )
