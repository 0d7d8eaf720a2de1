"""A thousand random programs in live containers, and thousands of broken frames."""

import json
from pathlib import Path

import pytest
from fuzz.__main__ import load_state, save_state
from fuzz.frames import make_stream
from fuzz.play import Containers, play_stream
from fuzz.programs import make_program

from toolweft.core.clock import SystemClock
from toolweft.sandbox import SandboxOptions
from toolweft.sandbox.process import ProcessBackend

PROGRAMS = 1_000
STREAMS = 1_000
# Far from where `make fuzz` begins, so that both together see more.
FIRST_SEED = 10**9


def test_a_seed_gives_the_same_program_and_the_same_stream() -> None:
    assert make_program(7) == make_program(7) != make_program(8)
    assert make_stream(7) == make_stream(7) != make_stream(8)


@pytest.mark.promise("sandbox.fuzzed")
async def test_no_stream_of_frames_upsets_the_host() -> None:
    faults = {}
    frames = 0
    for seed in range(FIRST_SEED, FIRST_SEED + STREAMS):
        fault, count = await play_stream(seed)
        frames += count
        if fault:
            faults[seed] = fault
    assert not faults
    assert frames > 5 * STREAMS


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.timeout(400)
@pytest.mark.promise("sandbox.fuzzed")
async def test_no_program_upsets_the_host() -> None:
    faults = {}
    async with ProcessBackend(SandboxOptions(), clock=SystemClock()) as backend:
        containers = Containers(backend)
        for seed in range(FIRST_SEED, FIRST_SEED + PROGRAMS):
            if fault := await containers.play(seed):
                faults[seed] = fault
        await containers.close()
    assert not faults


def test_how_far_fuzzing_got_is_kept_whole(tmp_path: Path) -> None:
    file = tmp_path / "deep/fuzz.json"
    state = load_state(file)
    assert (state["programs"], state["frames"], state["failures"]) == (0, 0, [])
    save_state(file, {**state, "programs": 12})
    assert load_state(file)["programs"] == 12
    assert json.loads(file.read_text())["frames"] == 0
    assert [path.name for path in file.parent.iterdir()] == ["fuzz.json"]
