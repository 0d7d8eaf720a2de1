"""Prints the memory that a catalog and its index add to a process.

`python -m benchmarks.desk_memory live|private CONFIG RECORDED SCRATCH`

`live` counts the bytes of all objects that are kept; `private` the process's own pages, in which
the allocator also keeps what was needed only for a moment. Of `live` is taken off what the same
desk keeps whose servers list nothing: its ledger, its sources, its tasks.
"""

import gc
import json
import sys
import tracemalloc
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio

from toolweft.bootstrap import open_app
from toolweft.config import Settings, load_settings

# Everything a gateway has loaded anyway, so that only the catalog's own share is counted.
_LOADED_ANYWAY = ("jsonschema_rs", "mcp", "sqlalchemy", "toolweft.gateway")


def _private_bytes() -> int:
    lines = Path("/proc/self/smaps_rollup").read_text("ascii").splitlines()
    fields = [line.split() for line in lines if line.startswith("Private_")]
    return sum(int(value[1]) * 1024 for value in fields)


def _live_bytes() -> int:
    return tracemalloc.get_traced_memory()[0]


def _settings(scratch: str, **given: Any) -> Settings:
    return load_settings(
        **({"config": None, "look_up": False} | given),
        environ={},
        cwd=Path.cwd(),
        home=Path(scratch),
        overrides={"ledger.url": f"sqlite:///{scratch}/memory.db"},
    )


def _list_nothing(config: Path, folder: Path) -> Path:
    """A folder with a recording of every server of a desk, in which it has no tools."""
    folder.mkdir()
    for name in json.loads(config.read_text("utf-8"))["mcpServers"]:
        (folder / f"{name}.json").write_text('{"tools": []}', "utf-8")
    return folder


async def _weigh(settings: Settings, weigh: Callable[[], int]) -> tuple[int, int]:
    """The bytes that an app with its index adds while it is open, and its tools."""
    gc.collect()
    before = weigh()
    async with open_app(settings) as app:
        while not app.sources.is_settled:
            await app.settle()
        snapshot = app.catalog.snapshot
        (await app.searcher.index_for(snapshot)).search("list open issues", limit=5)
        gc.collect()
        return weigh() - before, len(snapshot.tools)


async def _main(*arguments: str) -> None:
    measure, config, recorded, scratch = arguments
    weigh = _live_bytes if measure == "live" else _private_bytes
    for module in _LOADED_ANYWAY:
        import_module(module)
    empty = _list_nothing(Path(config), Path(scratch) / f"nothing-{measure}")
    bare = _settings(scratch, config=Path(config), recorded=empty)
    settings = _settings(scratch, config=Path(config), recorded=Path(recorded))
    # Once with nothing in it, so that only what the tools themselves need is counted.
    await _weigh(bare, weigh)
    if measure == "live":
        tracemalloc.start()
    without, _ = await _weigh(bare, weigh) if measure == "live" else (0, 0)
    size_bytes, count = await _weigh(settings, weigh)
    print(json.dumps({"bytes": size_bytes - without, "tools": count}))


if __name__ == "__main__":
    anyio.run(_main, *sys.argv[1:])
