"""testing."""

__all__ = ()
