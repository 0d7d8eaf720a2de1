"""toolbox."""

__all__ = ()
