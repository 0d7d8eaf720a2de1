"""Where servers' listings are remembered, and for how long."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ("DiscoveryOptions",)

_MIB = 1024 * 1024
_DAY_S = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryOptions:
    """A folder of small files that only its owner may read: definitions may be private."""

    # None remembers nothing.
    folder: Path | None = None
    # Listings that nobody used for so long are removed.
    keep_s: float = 30 * _DAY_S
    # All files together; the least used go first.
    max_bytes: int = 256 * _MIB
    # One listing; the largest of 45 measured servers has 0.12 MB.
    max_listing_bytes: int = 32 * _MIB
    # An older listing is shown at once all the same, and its server asked anew behind that.
    refresh_s: float = _DAY_S
    # False: every server is started and asked anew; what it says is remembered all the same.
    is_read: bool = True
