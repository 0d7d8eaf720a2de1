"""The one place that reads the process's environment and asks for its user's home.

Everything else in this package gets the variables as a mapping, so that it can be tested with
any. Called by the command line and by `toolweft.open`.
"""

import os
from pathlib import Path

from toolweft.core.errors import ConfigError

__all__ = ("read_environment", "read_home")


def read_environment() -> dict[str, str]:
    """A copy of the process's environment variables."""
    return dict(os.environ)


def read_home() -> Path:
    """The folder of the user this process runs as.

    Raises:
        ConfigError: it has none, as users of containers often do.
    """
    try:
        return Path.home()
    except RuntimeError as error:
        raise ConfigError(
            "this user has no home folder: HOME is not set and the system does not know the user",
            hint="set HOME to a folder that this user may write to",
        ) from error
