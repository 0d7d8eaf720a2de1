"""Learning from use: which tools were called after which searches, and what that raises.

Knows events, not where they are kept; the searcher alone asks it.
"""

from toolweft.search.learning.fold import UseLearner
from toolweft.search.learning.lifting import apply_lifts
from toolweft.search.learning.memory import Lift, UseMemory
from toolweft.search.learning.recall import LearnedUses

__all__ = ("LearnedUses", "Lift", "UseLearner", "UseMemory", "apply_lifts")
