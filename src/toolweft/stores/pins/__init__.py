"""What was accepted, in a file that people read and keep with their configuration."""

from toolweft.stores.pins.keeper import PinKeeper
from toolweft.stores.pins.lock_file import LockFile

__all__ = ("LockFile", "PinKeeper")
