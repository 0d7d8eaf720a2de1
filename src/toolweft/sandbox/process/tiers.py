"""The tiers of isolation: which layers each is made of, strongest first."""

from dataclasses import dataclass

from toolweft.sandbox.guest.lockdown import CAPABILITIES, LANDLOCK, LIMITS, NAMESPACES, SECCOMP

__all__ = ("TIERS", "Tier")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One way to confine a process."""

    name: str
    layers: frozenset[str]
    # Whether programs get a scratch folder: only where no file of the host is in reach.
    has_files: bool = False

    @property
    def has_imports(self) -> bool:
        """Whether programs can import what was not loaded before the lock."""
        return bool(self.layers & {NAMESPACES, LANDLOCK})


TIERS: tuple[Tier, ...] = (
    # Needs user namespaces.
    Tier(
        name="ns",
        layers=frozenset({NAMESPACES, CAPABILITIES, LIMITS, SECCOMP}),
        has_files=True,
    ),
    # Needs Landlock (kernel 5.13); the existence and size of host files can be asked for.
    Tier(name="landlock", layers=frozenset({LANDLOCK, CAPABILITIES, LIMITS, SECCOMP})),
    # Needs seccomp only; no file can be opened, so only preloaded modules can be imported.
    Tier(name="noopen", layers=frozenset({CAPABILITIES, LIMITS, SECCOMP})),
)
