"""Runs programs in confined processes; knows nothing of tools or catalogs."""

from toolweft.sandbox.backend import ProcessBackend
from toolweft.sandbox.lazy import LazyBackend
from toolweft.sandbox.options import SandboxOptions
from toolweft.sandbox.session import ProcessSession

__all__ = ("LazyBackend", "ProcessBackend", "ProcessSession", "SandboxOptions")
