"""A backend of which this system has nothing: it says so, and nothing is imported for it."""

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from toolweft.core.errors import SandboxUnavailable
from toolweft.core.ports import IsolationReport, SandboxCapabilities, SandboxSession
from toolweft.core.programs import ProgramLimits

__all__ = ("AbsentBackend", "is_linux", "is_windows")


def is_linux() -> bool:
    """Whether this is Linux, where alone processes can be confined."""
    return sys.platform.startswith("linux")


def is_windows() -> bool:
    """Whether this is Windows."""
    return sys.platform == "win32"


class AbsentBackend:
    """Refuses to start, with the reason."""

    def __init__(self, capabilities: SandboxCapabilities, *, reason: str, hint: str) -> None:
        """Keep what is said.

        Args:
            capabilities: of the backend that is not there; its tier may be several, "a, b".
            reason: why it is not there.
            hint: what to use instead.
        """
        self._capabilities = capabilities
        self._reason = reason
        self._hint = hint

    async def __aenter__(self) -> Self:
        """Refuse.

        Raises:
            SandboxUnavailable: always.
        """
        raise self._refusal()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing was started."""

    @property
    def capabilities(self) -> SandboxCapabilities:
        """What it would be."""
        return self._capabilities

    @property
    def reports(self) -> Sequence[IsolationReport]:
        """That none of its tiers holds, and why."""
        tiers = self._capabilities.tier.split(", ")
        return tuple(IsolationReport(tier=tier, holds=False, reason=self._reason) for tier in tiers)

    async def open(
        self, limits: ProgramLimits, *, environment: str | None = None
    ) -> SandboxSession:
        """Refuse.

        Raises:
            SandboxUnavailable: always.
        """
        raise self._refusal()

    def _refusal(self) -> SandboxUnavailable:
        return SandboxUnavailable(self._reason, hint=self._hint)
