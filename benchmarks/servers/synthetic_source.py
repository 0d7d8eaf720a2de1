"""The synthetic tools as a Python source of a configuration: 5,000 and the two timing tools."""

import toolweft
from benchmarks.synthetic import functions, timing_functions

__all__ = ()

_COUNT = 5_000
_read_only = toolweft.tool(severity="read_only")

for _function in (*functions(_COUNT), *timing_functions()):
    globals()[_function.__name__] = _read_only(_function)
