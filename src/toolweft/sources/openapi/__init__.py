"""Services described by OpenAPI 3.0 and 3.1: each operation is a tool.

description → document → operations → definitions        (once, all pure)
arguments → request → client → response → raw result     (each call; only the client does I/O)
"""

__all__ = ()
