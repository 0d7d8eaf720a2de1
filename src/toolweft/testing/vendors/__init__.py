"""Servers that speak like the vendors of models, for tests: local, scripted, and strict.

Each refuses what its vendor refuses, in the vendor's words, so that a request that passes here has
a good chance there. Nothing in them thinks: a script says what the model answers.
"""

__all__ = ()
