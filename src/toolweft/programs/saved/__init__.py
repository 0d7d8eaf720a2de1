"""Programs kept as tools: made from recorded runs, run with arguments of their own."""

from toolweft.programs.saved.build import SaveRequest, build_saved, check_saved_name
from toolweft.programs.saved.running import SavedRunner

__all__ = ("SaveRequest", "SavedRunner", "build_saved", "check_saved_name")
