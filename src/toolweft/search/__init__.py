"""search."""

__all__ = ()
