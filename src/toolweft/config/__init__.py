"""config."""

__all__ = ()
