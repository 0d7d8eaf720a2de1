"""Servers' listings as files: two small ones for each server, content apart from its address.

    servers/KEY.json     when it was listed, and the hash of what
    contents/HASH.json   the listing itself; servers that list the same share it

A cache: whatever is wrong with it, it knows nothing, says so once in the log, and goes on. Files
of somebody else, files that others may write, links and files above the cap are not even read.
"""

import json
import logging
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

import anyio
from anyio import CapacityLimiter, to_thread

from toolweft.core.clock import Clock
from toolweft.core.contents import ContentKind, Contents, Listing
from toolweft.core.discovery import Discovery
from toolweft.core.json import Json
from toolweft.stores.discovery_options import DiscoveryOptions
from toolweft.stores.location import make_folder

__all__ = ("FileDiscoveryCache", "clear_discoveries")

log = logging.getLogger(__name__)

_T = TypeVar("_T")

# Of the files; another one is as good as none.
_FORMAT: Final = 1
_SERVERS: Final = "servers"
_CONTENTS: Final = "contents"
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
# Not on Windows, which has no links of this kind.
_NO_LINKS: Final[int] = getattr(os, "O_NOFOLLOW", 0)
# A pipe in the place of a file would be waited for.
_NO_WAIT: Final[int] = getattr(os, "O_NONBLOCK", 0)
_FLAGS: Final = ("can_read", "can_prompt", "can_complete", "can_subscribe")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
# A disk that does not answer holds up nobody longer.
_TIMEOUT_S: Final = 2.0
# An address file of its own cap: a few fields.
_MAX_ADDRESS_BYTES: Final = 4096


class FileDiscoveryCache:
    """The `DiscoveryCache` of a folder; needs no opening or closing."""

    def __init__(self, options: DiscoveryOptions, *, folder: Path, clock: Clock) -> None:
        self._options, self._folder, self._clock = options, folder, clock
        self._limiter = CapacityLimiter(4)
        self._has_failed = False
        self._is_pruned = False

    async def load(self, key: str) -> Discovery | None:
        """The last listing under a key; see `toolweft.core.discovery.DiscoveryCache`."""
        return await self._try(lambda: self._load(key), key)

    async def save(self, key: str, discovery: Discovery) -> None:
        """Remember a listing; see `toolweft.core.discovery.DiscoveryCache`."""
        await self._try(lambda: self._save(key, discovery), key)

    async def _try(self, work: Callable[[], _T], key: str) -> _T | None:
        found: list[_T] = []

        def run() -> None:
            try:
                found.append(work())
            except FileNotFoundError:
                pass
            except (OSError, ValueError, KeyError, TypeError, RecursionError) as exc:
                self._note(key, f"{type(exc).__name__}: {exc}")

        with anyio.move_on_after(_TIMEOUT_S) as scope:
            await to_thread.run_sync(run, abandon_on_cancel=True, limiter=self._limiter)
        if scope.cancelled_caught:
            self._note(key, "timeout")
        return found[0] if found else None

    def _load(self, key: str) -> Discovery:
        address_path = self._path(_SERVERS, key)
        address = json.loads(_read(address_path, max_bytes=_MAX_ADDRESS_BYTES))
        if address["format"] != _FORMAT:
            raise ValueError(f"format {address['format']!r} is not {_FORMAT}")
        content_path = self._path(_CONTENTS, address["content"])
        text = _read(content_path, max_bytes=self._options.max_listing_bytes)
        if sha256(text).hexdigest() != address["content"]:
            raise ValueError(f"{content_path.name} does not hold what its name says")
        # Used now, for the pruning.
        for path in (address_path, content_path):
            os.utime(path)
        return _parse(json.loads(text), address)

    def _save(self, key: str, discovery: Discovery) -> None:
        content = {
            "tools": list(discovery.tools),
            "instructions": discovery.instructions,
            "protocol_version": discovery.protocol_version,
            "contents": None if discovery.contents is None else asdict(discovery.contents),
        }
        text = json.dumps(content, separators=(",", ":")).encode()
        if len(text) > self._options.max_listing_bytes:
            raise ValueError(f"a listing of {len(text):,} bytes is not kept")
        content_hash = sha256(text).hexdigest()
        content_path = self._path(_CONTENTS, content_hash)
        _write(content_path, text)
        address = {
            "format": _FORMAT,
            "content": content_hash,
            "listed_at": discovery.listed_at.isoformat(),
            "ttl_s": discovery.ttl_s,
            "is_serial": discovery.is_serial,
        }
        _write(self._path(_SERVERS, key), json.dumps(address).encode())
        if not self._is_pruned:
            self._is_pruned = True
            _prune(self._folder, self._options, now_s=self._clock.now().timestamp())

    def _path(self, kind: str, name: str) -> Path:
        if not _HASH.fullmatch(name):
            raise ValueError(f"{name!r:.80} is no hash")
        return self._folder / kind / f"{name}.json"

    def _note(self, key: str, reason: str) -> None:
        if not self._has_failed:
            log.warning("discovery.cache_failed", extra={"key": key[:12], "reason": reason})
        self._has_failed = True


def clear_discoveries(folder: Path) -> tuple[int, int]:
    """Remove every remembered listing.

    Returns:
        How many files there were, and their bytes.

    Raises:
        OSError: one of them cannot be removed.
    """
    count = size_bytes = 0
    for path, status in _files(folder):
        path.unlink(missing_ok=True)
        count, size_bytes = count + 1, size_bytes + status.st_size
    return count, size_bytes


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


def _read(path: Path, *, max_bytes: int) -> bytes:
    with os.fdopen(os.open(path, os.O_RDONLY | _NO_LINKS | _NO_WAIT), "rb") as file:
        status = os.fstat(file.fileno())
        owner = getattr(os, "getuid", lambda: status.st_uid)()
        if status.st_uid != owner or (os.name != "nt" and status.st_mode & _OTHERS_WRITE):
            raise PermissionError(f"{str(path)!r} is not ours alone to write")
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{str(path)!r} is no file")
        text = file.read(max_bytes + 1)
    if len(text) > max_bytes:
        raise ValueError(f"{str(path)!r} is above {max_bytes:,} bytes")
    return text


def _write(path: Path, text: bytes) -> None:
    """Put a file in place at once, mode 0600, in a folder of mode 0700."""
    make_folder(path.parent)
    # Made with mode 0600.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-", suffix=".json")
    scratch = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
        scratch.replace(path)
    except BaseException:
        with suppress(OSError):
            scratch.unlink()
        raise


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for kind in (_SERVERS, _CONTENTS):
        for path in (folder / kind).glob("*.json"):
            # Another process may have been faster.
            with suppress(FileNotFoundError):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode):
                    yield path, status


def _prune(folder: Path, options: DiscoveryOptions, *, now_s: float) -> None:
    """Remove what nobody used for long, and the least used beyond the cap."""
    newest_first = sorted(_files(folder), key=lambda found: -found[1].st_mtime)
    total_bytes = 0
    for path, status in newest_first:
        total_bytes += status.st_size
        if total_bytes > options.max_bytes or status.st_mtime < now_s - options.keep_s:
            path.unlink(missing_ok=True)
