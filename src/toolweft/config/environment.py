"""The one place that reads the process's environment.

Everything else in this package gets the variables as a mapping, so that it can be tested with
any. Called by the command line and by `toolweft.open`.
"""

import os

__all__ = ("read_environment",)


def read_environment() -> dict[str, str]:
    """A copy of the process's environment variables."""
    return dict(os.environ)
