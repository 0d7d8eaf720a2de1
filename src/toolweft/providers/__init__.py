"""Models behind their vendors' APIs: one folder for each API, and what all of them share.

A folder knows its vendor and `toolweft.core`, and no other folder. Encoding and decoding are plain
functions on data; only a client talks to anybody.
"""

__all__ = ()
