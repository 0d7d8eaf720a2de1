"""policies."""

__all__ = ()
