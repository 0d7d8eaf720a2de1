"""Real Python in confined child processes of this machine."""

from toolweft.sandbox.process.backend import ProcessBackend
from toolweft.sandbox.process.session import ProcessSession

__all__ = ("ProcessBackend", "ProcessSession")
