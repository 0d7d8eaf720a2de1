"""gateway."""

__all__ = ()
