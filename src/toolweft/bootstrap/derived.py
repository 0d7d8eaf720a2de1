"""What earlier starts worked out of definitions, found again by sources and code."""

import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import anyio
from anyio import to_thread

from toolweft.config import Settings
from toolweft.core.clock import Clock
from toolweft.core.derived import Derived
from toolweft.stores import FileDerivedCache

__all__ = ("open_derived",)

# Whatever decides about definitions and makes parts of them. Of these the files count, not only
# the version: a check that is made stricter in a checkout holds at its next start.
_CODE: Final = ("toolweft.core", "toolweft.catalog", "toolweft.search", "jsonschema_rs")


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
    if options.folder is None or not options.is_read or not names:
        return Derived()
    cache = FileDerivedCache(options, folder=options.folder, clock=clock)
    try:
        key = await to_thread.run_sync(_build_key, names)
    except OSError:
        # The code is no files, as in an archive.
        return Derived()
    return await cache.load(key)


def _build_key(names: Sequence[str]) -> str:
    told = [sys.version, sys.byteorder, *names]
    for module in _CODE:
        spec = find_spec(module)
        if spec is None or spec.origin is None:
            raise FileNotFoundError(module)
        told += _list_files(Path(spec.origin).parent)
    return sha256("\0".join(told).encode("utf-8", "surrogatepass")).hexdigest()


def _list_files(folder: Path) -> list[str]:
    """Name, size and time of change of every file, with those of the folders below."""
    found = []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir():
                # Bytecode is made of the files beside it.
                found += [] if entry.name == "__pycache__" else _list_files(Path(entry.path))
            else:
                status = entry.stat()
                found.append(f"{entry.name} {status.st_size} {status.st_mtime_ns}")
    return found
