"""Learning from use: which tools were called after which searches, and what that raises.

Knows events, not where they are kept; the searcher alone asks it. Nothing is imported here, since
who searches without learning needs no events.
"""

__all__ = ()
