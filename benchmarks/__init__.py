"""Measurements that anyone can repeat: one script per question."""

__all__ = ()
