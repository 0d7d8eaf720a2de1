"""The words every other folder shares: frozen data, protocols, errors and pure state machines.

Nothing here does input or output, and nothing here imports a third-party package.
Import from the modules themselves; this package re-exports nothing.
"""

__all__ = ()
