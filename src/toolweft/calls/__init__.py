"""calls."""

__all__ = ()
