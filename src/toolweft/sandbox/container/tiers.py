"""What confines the guest inside its container, strongest first: a second wall behind the first."""

from dataclasses import dataclass

from toolweft.sandbox.guest.lockdown import (
    CAPABILITIES,
    LANDLOCK,
    LIMITS,
    SCRATCH_FOLDER,
    SECCOMP,
)

__all__ = ("INNER_TIERS", "InnerTier")


@dataclass(frozen=True, slots=True, kw_only=True)
class InnerTier:
    """One way to confine the only process of a container."""

    name: str
    layers: frozenset[str]
    # Whether programs can import from files and have a scratch folder.
    has_files: bool


INNER_TIERS: tuple[InnerTier, ...] = (
    InnerTier(
        name="landlock",
        layers=frozenset({LANDLOCK, SCRATCH_FOLDER, CAPABILITIES, LIMITS, SECCOMP}),
        has_files=True,
    ),
    # Where the kernel has no Landlock, or a runtime's own kernel.
    InnerTier(name="noopen", layers=frozenset({CAPABILITIES, LIMITS, SECCOMP}), has_files=False),
)
