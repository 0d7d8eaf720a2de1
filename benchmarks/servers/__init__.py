"""MCP servers that benchmarks start."""

__all__ = ()
