"""What was worked out of definitions as files; see `discovery_files`.

Opened by `toolweft.bootstrap`; of definitions and indexes it knows nothing.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from toolweft.core.clock import Clock
from toolweft.core.derived import Derived
from toolweft.stores.discovery_files import DERIVED, CacheFiles
from toolweft.stores.discovery_options import DiscoveryOptions

__all__ = ("FileDerivedCache",)

_FORMAT: Final = 1


class FileDerivedCache:
    """A folder of it; needs no opening or closing, and never fails."""

    def __init__(self, options: DiscoveryOptions, *, folder: Path, clock: Clock) -> None:
        self._files = CacheFiles(options, folder=folder, clock=clock, content_format=_FORMAT)

    async def load(self, key: str, *, is_read: bool = True) -> Derived:
        """What was kept under a key, and will be kept there; empty where none can be used.

        Args:
            key: of a set of sources and of the code that works it out, in lower-case hex.
            is_read: False for an empty one that is kept all the same.
        """

        async def save(derived: Derived) -> None:
            # Taken now: where the disk is slow, they are forgotten meanwhile.
            sound, parts = frozenset(derived.sound), derived.parts
            await self._files.attempt(lambda: self._save(key, sound, parts), key=key)

        if not is_read:
            return Derived(save=save)
        sound, parts = await self._files.attempt(lambda: self._load(key), key=key) or ((), {})
        return Derived(sound, parts, save=save)

    def _load(self, key: str) -> tuple[list[str], dict[str, bytes]]:
        content: Any = self._files.read(DERIVED, key)[1]
        sound, parts = content["sound"], content["parts"]
        is_read = isinstance(sound, list) and isinstance(parts, dict)
        if not (is_read and all(isinstance(pin_hash, str) for pin_hash in sound)):
            raise ValueError("a field has another kind of value than this version writes")
        return sound, {name: b64decode(part) for name, part in parts.items()}

    def _save(self, key: str, sound: frozenset[str], parts: Mapping[str, bytes]) -> None:
        texts = {name: b64encode(part).decode("ascii") for name, part in parts.items()}
        self._files.write(DERIVED, key, {"sound": sorted(sound), "parts": texts})
