"""Runs programs where they reach nothing; knows nothing of tools or catalogs.

Backends are imported by `choice` alone, each where its system has what it needs.
"""

from toolweft.sandbox.lazy import LazyBackend
from toolweft.sandbox.options import SandboxOptions

__all__ = (
    "LazyBackend",
    "SandboxOptions",
)
