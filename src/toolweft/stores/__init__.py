"""stores."""

__all__ = ()
