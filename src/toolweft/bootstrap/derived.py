"""What earlier starts worked out of definitions, found again by sources and code."""

import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import anyio
from anyio import to_thread

from toolweft import __version__
from toolweft.config import Settings
from toolweft.core.clock import Clock, SystemClock
from toolweft.core.derived import Derived
from toolweft.stores import FileDerivedCache

__all__ = ("open_derived",)

# Whatever decides about definitions and makes parts of them; what sources and settings say of them
# is judged anew at each start. Not only the version counts, but the files: a check that is made
# stricter in a checkout holds at its next start.
_CODE: Final = ("toolweft.core", "toolweft.catalog", "toolweft.search", "jsonschema_rs")
_LOADED_S: Final = SystemClock().now().timestamp()
# A disk that does not answer holds up nobody longer.
_TIMEOUT_S: Final = 2.0


@asynccontextmanager
async def open_derived(settings: Settings, *, clock: Clock) -> AsyncIterator[Derived]:
    """What an earlier start worked out of the definitions of the same sources; kept at the end."""
    derived = await _load(settings, clock)
    try:
        yield derived
    finally:
        # A command may be over before anything is searched.
        with anyio.CancelScope(shield=True):
            await derived.finish()


async def _load(settings: Settings, clock: Clock) -> Derived:
    options = settings.discovery
    names = sorted(source.name for source in (*settings.servers, *settings.openapi_sources))
    if options.folder is None or not names:
        return Derived()
    key = ""
    with anyio.move_on_after(_TIMEOUT_S), suppress(OSError):
        # Where the code is no files, as in an archive, there is none.
        # Two projects may give other servers the same names.
        sources = (*map(str, settings.files), *names)
        key = await to_thread.run_sync(_build_key, sources, abandon_on_cancel=True)
    if not key:
        return Derived()
    cache = FileDerivedCache(options, folder=options.folder, clock=clock)
    return await cache.load(key, is_read=options.is_read)


def _build_key(sources: Sequence[str]) -> str:
    """The key of sources and code; "" where what runs may be older than the files."""
    told = [__version__, sys.version, sys.byteorder, *sources]
    newest_s = 0.0
    for module in _CODE:
        spec = find_spec(module)
        if spec is None or spec.origin is None:
            raise FileNotFoundError(module)
        files, changed_s = _list_files(Path(spec.origin).parent)
        told += files
        newest_s = max(newest_s, changed_s)
    if newest_s >= _LOADED_S:
        return ""
    return sha256("\0".join(told).encode("utf-8", "surrogatepass")).hexdigest()


def _list_files(folder: Path) -> tuple[list[str], float]:
    """Name, size and time of every file, those of the folders below too; and the last change."""
    found: list[str] = []
    newest_s = 0.0
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            # Bytecode is made of the files beside it.
            if entry.name == "__pycache__":
                continue
            if entry.is_dir():
                below, changed_s = _list_files(Path(entry.path))
                found += below
            else:
                status = entry.stat()
                found.append(f"{entry.name} {status.st_size} {status.st_mtime_ns}")
                # Set by the system whenever a file is put in place, whatever time it says it has.
                changed_s = status.st_ctime
            newest_s = max(newest_s, changed_s)
    return found, newest_s
