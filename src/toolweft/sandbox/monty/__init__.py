"""Programs in an interpreter of their own, which has no system to reach: for any platform."""

from toolweft.sandbox.monty.backend import MontyBackend
from toolweft.sandbox.monty.session import MontySession

__all__ = ("MontyBackend", "MontySession")
