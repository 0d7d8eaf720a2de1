"""On whose behalf things happen."""

from dataclasses import dataclass, field
from typing import Final

__all__ = ("LOCAL", "Principal")


@dataclass(frozen=True, slots=True)
class Principal:
    """On whose behalf something happens: tenant, user, and the id of the key used."""

    tenant: str
    user: str
    # One user may have several keys, and is one principal with each of them.
    key: str | None = field(default=None, compare=False)


# Without a server there is one principal.
LOCAL: Final = Principal("local", "local")
