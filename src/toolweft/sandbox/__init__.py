"""Runs programs in confined processes; knows nothing of tools or catalogs."""

from toolweft.sandbox.lazy import LazyBackend
from toolweft.sandbox.options import SandboxOptions
from toolweft.sandbox.process import ProcessBackend, ProcessSession

__all__ = (
    "LazyBackend",
    "ProcessBackend",
    "ProcessSession",
    "SandboxOptions",
)
