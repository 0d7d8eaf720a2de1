"""The tiers of isolation: which layers each is made of, strongest first."""

from dataclasses import dataclass

from toolweft.sandbox.guest.lockdown import (
    CAPABILITIES,
    LANDLOCK,
    LIMITS,
    NAMESPACES,
    SECCOMP,
    FileCalls,
)
from toolweft.sandbox.options import UNSAFE_TIER

__all__ = ("TIERS", "UNSAFE", "Tier")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One way to confine a process."""

    name: str
    layers: frozenset[str]
    # What the system call list allows on paths.
    file_calls: FileCalls = "none"
    # Whether programs get a scratch folder: only where no file of the host is in reach.
    has_files: bool = False
    # Whether it keeps programs from the machine at all; never chosen by itself where it does not.
    is_confining: bool = True

    @property
    def has_imports(self) -> bool:
        """Whether programs can import what was not loaded before the lock."""
        return SECCOMP not in self.layers or bool(self.layers & {NAMESPACES, LANDLOCK})


TIERS: tuple[Tier, ...] = (
    # Needs user namespaces.
    Tier(
        name="ns",
        layers=frozenset({NAMESPACES, CAPABILITIES, LIMITS, SECCOMP}),
        file_calls="change",
        has_files=True,
    ),
    # Needs Landlock (kernel 5.13); the existence and size of host files can be asked for.
    Tier(
        name="landlock",
        layers=frozenset({LANDLOCK, CAPABILITIES, LIMITS, SECCOMP}),
        file_calls="read",
    ),
    # Needs seccomp only; no file can be opened, so only preloaded modules can be imported.
    Tier(name="noopen", layers=frozenset({CAPABILITIES, LIMITS, SECCOMP})),
)

# For whoever spells it out: no isolation, only what needs no help of the machine. Not among the
# candidates, so nothing falls back to it.
UNSAFE = Tier(name=UNSAFE_TIER, layers=frozenset({CAPABILITIES, LIMITS}), is_confining=False)
