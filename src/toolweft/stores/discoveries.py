"""Servers' listings as files; see `discovery_files`."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final, get_args

from toolweft.core.clock import Clock
from toolweft.core.contents import ContentKind, Contents, Listing
from toolweft.core.discovery import Discovery
from toolweft.core.json import Json
from toolweft.stores.discovery_files import SERVERS, CacheFiles
from toolweft.stores.discovery_options import DiscoveryOptions

__all__ = ("FileDiscoveryCache",)

_FORMAT: Final = 1
_FLAGS: Final = ("can_read", "can_prompt", "can_complete", "can_subscribe")


class FileDiscoveryCache:
    """The `DiscoveryCache` of a folder; needs no opening or closing."""

    def __init__(self, options: DiscoveryOptions, *, folder: Path, clock: Clock) -> None:
        self._files = CacheFiles(options, folder=folder, clock=clock, content_format=_FORMAT)

    async def load(self, key: str) -> Discovery | None:
        """The last listing under a key; see `toolweft.core.discovery.DiscoveryCache`."""
        return await self._files.attempt(lambda: self._load(key), key=key)

    async def save(self, key: str, discovery: Discovery) -> None:
        """Remember a listing; see `toolweft.core.discovery.DiscoveryCache`."""
        await self._files.attempt(lambda: self._save(key, discovery), key=key)

    def _load(self, key: str) -> Discovery:
        address, content = self._files.read(SERVERS, key)
        return _parse(content, address)

    def _save(self, key: str, discovery: Discovery) -> None:
        content = {
            "tools": list(discovery.tools),
            "instructions": discovery.instructions,
            "protocol_version": discovery.protocol_version,
            "contents": None if discovery.contents is None else asdict(discovery.contents),
        }
        self._files.write(
            SERVERS,
            key,
            content,
            listed_at=discovery.listed_at.isoformat(),
            ttl_s=discovery.ttl_s,
            is_serial=discovery.is_serial,
        )


def _parse(content: Any, address: Any) -> Discovery:
    tools, ttl_s = content["tools"], address["ttl_s"]
    texts = [content["instructions"], content["protocol_version"]]
    listed_at = datetime.fromisoformat(address["listed_at"])
    is_timed = ttl_s is None or isinstance(ttl_s, int | float)
    is_text = all(isinstance(text, str) for text in texts)
    if not (isinstance(tools, list) and is_text and is_timed and listed_at.tzinfo):
        raise ValueError("a field has another kind of value than this version writes")
    listed: list[Json] = tools
    return Discovery(
        tools=listed,
        listed_at=listed_at,
        instructions=texts[0],
        protocol_version=texts[1],
        ttl_s=ttl_s,
        contents=_parse_contents(content.get("contents")),
        # Earlier versions did not write it.
        is_serial=address.get("is_serial") is True,
    )


def _parse_contents(stored: Any) -> Contents | None:
    """Those of a file; None where they were not listed yet."""
    if stored is None:
        return None
    flags = {name: stored[name] for name in _FLAGS if name in stored}
    if not all(isinstance(value, bool) for value in flags.values()):
        raise ValueError("a field has another kind of value than this version writes")
    listings: dict[str, Any] = {
        kind: _parse_listing(stored[kind]) for kind in get_args(ContentKind) if kind in stored
    }
    return Contents(**listings, **flags)


def _parse_listing(stored: Any) -> Listing:
    entries, ttl_s = stored["entries"], stored["ttl_s"]
    is_timed = ttl_s is None or isinstance(ttl_s, int | float)
    if not (is_timed and all(isinstance(entry, dict) for entry in entries)):
        raise ValueError("a field has another kind of value than this version writes")
    is_public = stored["is_public"] is True
    return Listing(entries=tuple(entries), ttl_s=ttl_s, is_public=is_public)
