"""sandbox."""

__all__ = ()
