"""The one road every call takes: recorded, checked, limited, made plain."""

from toolweft.calls.keeping import ResultKeeper
from toolweft.calls.options import CallOptions
from toolweft.calls.road import Road

__all__ = ("CallOptions", "ResultKeeper", "Road")
