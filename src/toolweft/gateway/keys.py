"""Bearer keys: only their hashes are known, and the comparison takes the same time for all."""

import hashlib
import hmac
from collections.abc import Sequence

from toolweft.core.calls import Principal
from toolweft.gateway.options import ApiKey

__all__ = ("KeyRing", "hash_key")


def hash_key(key: str) -> str:
    """The SHA-256 of a bearer key in lower-case hex, as `[[http.keys]]` wants it.

    Keys are random and long (`openssl rand -hex 32`), so one round of a fast hash is enough: there
    is no dictionary to try. Do not use it for passwords.

    >>> hash_key("correct horse battery staple")[:16]
    'c4bbcb1fbec99d65'
    """
    return hashlib.sha256(key.encode()).hexdigest()


class KeyRing:
    """Whose key is it?"""

    def __init__(self, keys: Sequence[ApiKey]) -> None:
        self._principals = [
            (key.sha256, Principal(tenant=key.tenant, user=key.user, key=key.id)) for key in keys
        ]

    @property
    def is_empty(self) -> bool:
        """Whether no key is known at all."""
        return not self._principals

    def find(self, key: str) -> Principal | None:
        """On whose behalf a bearer of this key acts; None where the key is unknown."""
        found = None
        hashed = hash_key(key)
        for known, principal in self._principals:
            # No early exit: the time must not tell which key came near.
            if hmac.compare_digest(known, hashed):
                found = principal
        return found
