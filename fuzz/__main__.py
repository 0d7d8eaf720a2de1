"""Fuzz for a while, and remember how far that got.

    python -m fuzz [--programs N] [--frames N] [--state FILE] [--tier TIER]

Goes on where the state file ends, so that many short turns add up. A failure is printed with its
seed and kept in the file; `--seed N` plays one program or stream again.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio

from fuzz.frames import make_stream
from fuzz.play import Containers, play_stream
from fuzz.programs import make_program
from toolweft.core.clock import SystemClock
from toolweft.sandbox import SandboxOptions
from toolweft.sandbox.process import ProcessBackend

_SAVE_EVERY = 200
_CONTAINERS = 2


def main() -> None:
    """Fuzz, print the totals, and exit 1 if anything failed."""
    options = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    options.add_argument("--programs", type=int, default=0, help="so many more programs")
    options.add_argument("--frames", type=int, default=0, help="at least so many more frames")
    options.add_argument("--state", type=Path, default=Path(".cache/fuzz.json"))
    options.add_argument("--tier", default="auto", choices=["auto", "ns", "landlock", "noopen"])
    options.add_argument("--seed", type=int, help="play this one again and show it")
    given = options.parse_args()
    if given.seed is not None:
        print(make_program(given.seed))
        print(make_stream(given.seed))
    state = load_state(given.state)
    start = time.monotonic()
    anyio.run(_fuzz, given, state)
    state["last_s"] = round(time.monotonic() - start, 1)
    save_state(given.state, state)
    print(json.dumps(state, indent=2))
    sys.exit(1 if state["failures"] else 0)


def load_state(file: Path) -> dict[str, Any]:
    """How far earlier turns got."""
    if file.exists():
        loaded: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return loaded
    return {"programs": 0, "streams": 0, "frames": 0, "failures": []}


def save_state(file: Path, state: dict[str, Any]) -> None:
    """Write it whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".tmp")
    draft.write_text(json.dumps(state), encoding="utf-8")
    draft.replace(file)


async def _fuzz(given: argparse.Namespace, state: dict[str, Any]) -> None:
    def save() -> None:
        save_state(given.state, state)

    if given.seed is not None:
        await _fuzz_programs(state, [given.seed], given.tier, save)
        print((await play_stream(given.seed))[0])
        return
    await _fuzz_frames(state, given.frames, save)
    first = state["programs"]
    await _fuzz_programs(state, range(first, first + given.programs), given.tier, save)


async def _fuzz_frames(state: dict[str, Any], frames: int, save: Callable[[], None]) -> None:
    wanted = state["frames"] + frames
    while state["frames"] < wanted:
        fault, count = await play_stream(state["streams"])
        if fault:
            _note(state, "stream", state["streams"], fault)
        state["streams"] += 1
        state["frames"] += count
        if state["streams"] % _SAVE_EVERY == 0:
            save()


async def _fuzz_programs(
    state: dict[str, Any], seeds: Any, tier: Any, save: Callable[[], None]
) -> None:
    left = iter(seeds)

    async def play(backend: ProcessBackend) -> None:
        containers = Containers(backend)
        for seed in left:
            fault = await containers.play(seed)
            if fault:
                _note(state, "program", seed, fault)
            state["programs"] += 1
            if state["programs"] % _SAVE_EVERY == 0:
                save()
        await containers.close()

    async with (
        ProcessBackend(SandboxOptions(tier=tier), clock=SystemClock()) as backend,
        anyio.create_task_group() as tasks,
    ):
        for _ in range(_CONTAINERS):
            tasks.start_soon(play, backend)


def _note(state: dict[str, Any], kind: str, seed: int, fault: str) -> None:
    print(f"{kind} {seed}: {fault}", file=sys.stderr)
    state["failures"].append({"kind": kind, "seed": seed, "fault": fault})


if __name__ == "__main__":
    main()
