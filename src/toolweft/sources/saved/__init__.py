"""Saved programs as tools."""

__all__ = ()
