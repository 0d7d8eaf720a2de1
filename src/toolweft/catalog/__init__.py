"""catalog."""

__all__ = ()
