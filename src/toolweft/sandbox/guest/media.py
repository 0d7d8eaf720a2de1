"""What of a program's value a model sees or hears as it is: images and sounds beside the JSON.

The host reads the same bounds and checks them again.
"""

import contextlib
import re
from typing import Any, TypeGuard

from .handles import Handle
from .names import Blob, ToolError

__all__ = ("MAX_MEDIA", "MAX_MEDIA_BYTES", "fetch_media", "is_media", "take_blob")

MAX_MEDIA = 16
# Together; as much as one call's result may have by default.
MAX_MEDIA_BYTES = 16 * 1024 * 1024
_MEDIA = re.compile(r"(?:image|audio)/[A-Za-z0-9.+-]{1,64}")


def is_media(media_type: Any) -> TypeGuard[str]:
    """Whether something of this type is shown as it is."""
    return isinstance(media_type, str) and _MEDIA.fullmatch(media_type) is not None


async def fetch_media(value: Any) -> Any:
    """A stored image as its bytes, where it is small enough; anything else as it is."""
    if isinstance(value, Handle):
        with contextlib.suppress(ToolError):
            known = await value.info()
            if is_media(known["media_type"]) and known["size_bytes"] <= MAX_MEDIA_BYTES:
                return await value
    return value


def take_blob(value: Any, found: list[Blob]) -> dict[str, Any]:
    """What stands for bytes in JSON; images and sounds are added to `found`.

    Raises:
        TypeError: it is no `Blob`.
    """
    if not isinstance(value, Blob):
        raise TypeError(f"{type(value).__name__} is not JSON")
    if is_media(value.media_type):
        found.append(value)
    return {"media_type": value.media_type, "size_bytes": len(value)}
