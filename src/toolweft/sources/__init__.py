"""sources."""

__all__ = ()
