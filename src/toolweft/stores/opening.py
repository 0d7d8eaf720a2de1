"""How files are opened that nobody may swap for another."""

import os
from typing import Final

__all__ = ("AS_IT_IS",)

# Added to `os.open`: no link is followed, and bytes are bytes. Unix has the first, Windows the
# second. That children do not inherit a descriptor is Python's default on both.
AS_IT_IS: Final[int] = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
