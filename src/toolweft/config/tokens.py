"""Files that hold one bearer key: read only where nobody else can."""

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from toolweft.core.errors import ConfigError
from toolweft.core.secret import Secret

__all__ = ("load_token", "make_token")

_MODE: Final = 0o600
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_MAX_BYTES: Final = 4096
_RANDOM_BYTES: Final = 32


def load_token(path: Path) -> Secret:
    """The key in a file.

    Raises:
        ConfigError: there is none, or others than its owner can read or change it.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            text = file.read(_MAX_BYTES + 1)
    except OSError as exc:
        raise ConfigError(
            f"the token file {str(path)!r} cannot be read: {exc.strerror or exc}",
            hint="name the file that `toolweft serve --http --token-file` wrote",
        ) from exc
    if os.name != "nt" and (status.st_mode & _OTHERS or status.st_uid != os.getuid()):
        raise ConfigError(
            f"the token file {str(path)!r} has mode {stat.S_IMODE(status.st_mode):04o}, or another"
            " owner: others could use its key",
            hint=f"chmod 600 {str(path)!r}; replace a key that others may have read",
        )
    token = text.decode("ascii", "replace").strip()
    if not token or len(text) > _MAX_BYTES or not token.isascii() or not token.isprintable():
        raise ConfigError(
            f"the token file {str(path)!r} holds no key: one line of printable text is needed",
            hint="remove it, and `toolweft serve --http --token-file` writes a new one",
        )
    return Secret(token, reference=f"file:{path}")


def make_token(path: Path) -> Secret:
    """The key in a file, a new random one in a new file, mode 0600, where there is none.

    Raises:
        ConfigError: it cannot be written, or is there and cannot be used.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    except FileExistsError:
        return load_token(path)
    except OSError as exc:
        raise ConfigError(
            f"the token file {str(path)!r} cannot be written: {exc.strerror or exc}",
            hint="name a file in a folder of yours",
        ) from exc
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{secrets.token_hex(_RANDOM_BYTES)}\n")
    return load_token(path)
