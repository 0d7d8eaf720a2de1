"""Python functions as a source."""

__all__ = ()
