"""The files of a cache that its user alone may write: small ones that name what they stand for.

    KIND/KEY.json        an address: the hash of its content, and a few fields
    contents/HASH.json   the content itself; addresses whose content is the same share it

Files of somebody else, files that others may write, links, files above a cap, and files that do not
hold what their name says are not used. Whatever is wrong, the cache knows nothing, says so once in
the log, and goes on.
"""

import json
import logging
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from toolweft.core.clock import Clock
from toolweft.core.json import Json
from toolweft.stores.discovery_options import DiscoveryOptions
from toolweft.stores.location import make_folder

__all__ = ("DERIVED", "SERVERS", "CacheFiles", "clear_discoveries")

log = logging.getLogger(__name__)

_T = TypeVar("_T")

# Kinds of addresses.
SERVERS: Final = "servers"
DERIVED: Final = "derived"
_CONTENTS: Final = "contents"
_HASH: Final = re.compile(r"[0-9a-f]{64}")
# A disk that does not answer holds up nobody longer.
_TIMEOUT_S: Final = 2.0
# An address file of its own cap: a few fields.
_MAX_ADDRESS_BYTES: Final = 4096
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
# Not on Windows, which has no links of this kind.
_NO_LINKS: Final[int] = getattr(os, "O_NOFOLLOW", 0)
# A pipe in the place of a file would be waited for.
_NO_WAIT: Final[int] = getattr(os, "O_NONBLOCK", 0)


class CacheFiles:
    """The addresses and contents in a folder.

    Args:
        options: caps.
        folder: of the files; made when the first one is written.
        clock: tells what was not used for long.
        content_format: of the contents; another one is as good as none.
    """

    def __init__(
        self, options: DiscoveryOptions, *, folder: Path, clock: Clock, content_format: int
    ) -> None:
        self._options, self._folder, self._clock = options, folder, clock
        self._format = content_format
        self._limiter = CapacityLimiter(4)
        self._has_failed = False
        self._is_pruned = False

    async def attempt(self, work: Callable[[], _T], *, key: str) -> _T | None:
        """What `work` gives, run in a thread; None where it fails or takes too long."""
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

    def read(self, kind: str, key: str) -> tuple[Any, Any]:
        """An address and its content, as plain JSON of any shape; both count as used now."""
        address_path = self._path(kind, key)
        address = json.loads(_read(address_path, max_bytes=_MAX_ADDRESS_BYTES))
        if address["format"] != self._format:
            raise ValueError(f"format {address['format']!r} is not {self._format}")
        content_path = self._path(_CONTENTS, address["content"])
        text = _read(content_path, max_bytes=self._options.max_listing_bytes)
        if sha256(text).hexdigest() != address["content"]:
            raise ValueError(f"{content_path.name} does not hold what its name says")
        # For the pruning.
        for path in (address_path, content_path):
            os.utime(path)
        return address, json.loads(text)

    def write(self, kind: str, key: str, content: Json, **fields: Json) -> None:
        """Keep a content under an address, in place of what was there."""
        text = json.dumps(content, separators=(",", ":")).encode()
        if len(text) > self._options.max_listing_bytes:
            raise ValueError(f"{len(text):,} bytes are more than is kept")
        content_hash = sha256(text).hexdigest()
        _write(self._path(_CONTENTS, content_hash), text)
        address_path = self._path(kind, key)
        before = _content_of(address_path) if kind == DERIVED else content_hash
        address = {"format": self._format, "content": content_hash, **fields}
        _write(address_path, json.dumps(address).encode())
        if before not in ("", content_hash):
            # Nobody shares it, and each is as large as all listings together.
            self._path(_CONTENTS, before).unlink(missing_ok=True)
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
    """Remove everything that is remembered.

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


def _content_of(address_path: Path) -> str:
    """The hash that an address names; "" where it names none."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        named = json.loads(_read(address_path, max_bytes=_MAX_ADDRESS_BYTES))["content"]
        return str(named) if _HASH.fullmatch(str(named)) else ""
    return ""


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


def _prune(folder: Path, options: DiscoveryOptions, *, now_s: float) -> None:
    """Remove what nobody used for long, and the least used beyond the cap."""
    newest_first = sorted(_files(folder), key=lambda found: -found[1].st_mtime)
    total_bytes = 0
    for path, status in newest_first:
        total_bytes += status.st_size
        if total_bytes > options.max_bytes or status.st_mtime < now_s - options.keep_s:
            path.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for kind in (SERVERS, DERIVED, _CONTENTS):
        for path in (folder / kind).glob("*.json"):
            # Another process may have been faster.
            with suppress(FileNotFoundError):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode):
                    yield path, status
