"""programs."""

__all__ = ()
