"""Bounds that hold for every call."""

from dataclasses import dataclass

__all__ = ("CallOptions",)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """Size caps of the road."""

    max_result_bytes: int = 16 * 1024 * 1024
    # Above `max_result_bytes` and up to this a result is stored, and its caller gets a handle.
    max_kept_bytes: int = 256 * 1024 * 1024
    max_argument_bytes: int = 16 * 1024 * 1024
    # Lists and objects inside one another, in arguments and in results.
    max_depth: int = 100
    # Faults listed in one `invalid_arguments` failure.
    max_faults: int = 8
