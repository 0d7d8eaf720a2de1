"""Sources that speak the Model Context Protocol: live servers, and recorded tool lists."""

__all__ = ()
