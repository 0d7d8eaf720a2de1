"""The synthetic tools as a Python source of a configuration: 5,000 and the two timing tools.

`TOOLS` is what a `[python.NAME]` entry with this file as its target offers.
"""

from benchmarks.synthetic import functions, timing_functions

__all__ = ("TOOLS",)

_COUNT = 5_000

TOOLS = [*functions(_COUNT), *timing_functions()]
