"""The part of a request that a vendor's cache matches first, as one short text.

Knows the names under which vendors put instructions and tools; providers' tests and cache keys use
it.
"""

import json
from hashlib import sha256
from typing import Final

from toolweft.core.json import JsonObject

__all__ = ("prefix_hash",)

_PREFIX_KEYS: Final = (
    *("tools", "system", "instructions", "system_instruction", "systemInstruction"),
)
_SYSTEM_ROLES: Final = frozenset({"system", "developer"})


def prefix_hash(body: JsonObject) -> str:
    """SHA-256 in hex over the tools and the system's words of a request's body, in its own order.

    Equal for every request of one conversation, or the vendor reads nothing from its cache. Where
    the system's words are messages, those count that come before anybody else's.
    """
    parts = [[key, body[key]] for key in _PREFIX_KEYS if key in body]
    for message in body.get("messages", ()):
        if message.get("role") not in _SYSTEM_ROLES:
            break
        parts.append(["messages", message])
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
