"""The command line: one file per command, one way out for results, one boundary for errors.

Called by the console script `toolweft` and by `python -m toolweft`. It adds no behaviour to the
parts it shows: whatever a command does, the library can do.
"""

from toolweft.cli.entry import main

__all__ = ("main",)
