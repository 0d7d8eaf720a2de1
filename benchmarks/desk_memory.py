"""Prints the memory that a catalog and its index add to a process.

`python -m benchmarks.desk_memory live|private CONFIG RECORDED SCRATCH`

`live` counts the bytes of all objects that are kept; `private` the process's own pages, in which
the allocator also keeps what was needed only for a moment.
"""

import gc
import json
import sys
import tracemalloc
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


async def _main(*arguments: str) -> None:
    measure, config, recorded, scratch = arguments
    weigh = _live_bytes if measure == "live" else _private_bytes
    for module in _LOADED_ANYWAY:
        import_module(module)
    # Once with nothing in it, so that only what the tools themselves need is counted.
    async with open_app(_settings(scratch)) as app:
        (await app.searcher.index_for(app.catalog.snapshot)).search("list open issues", limit=5)
    settings = _settings(scratch, config=Path(config), recorded=Path(recorded))
    gc.collect()
    if measure == "live":
        tracemalloc.start()
    before = weigh()
    async with open_app(settings) as app:
        await app.settle()
        snapshot = app.catalog.snapshot
        (await app.searcher.index_for(snapshot)).search("list open issues", limit=5)
        gc.collect()
        print(json.dumps({"bytes": weigh() - before, "tools": len(snapshot.tools)}))


if __name__ == "__main__":
    anyio.run(_main, *sys.argv[1:])
