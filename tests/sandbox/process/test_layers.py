"""Each layer of the process sandbox alone: what only it stops gets through without it."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from tests import machine
from tests.conformance.bait import Host, open_host
from tests.sandbox.process.guests import NAMES, START_TIMEOUT_S, open_zygote
from tests.sandbox.process.layers import (
    BEHIND_THE_LIST,
    FILE_FREE,
    FILES_OF_OTHERS,
    HOST,
    PROGRAMS,
    TIGHT,
    WIDE,
    LayerProgram,
    find_lacking,
    layers_of,
    programs_for,
    without,
)

from toolweft.core.clock import SystemClock
from toolweft.core.errors import SandboxUnavailable
from toolweft.core.ports import GuestCall, GuestReply, SandboxOutcome
from toolweft.core.programs import ProgramLimits
from toolweft.sandbox.environments import PackageEnvironment
from toolweft.sandbox.guest.lockdown import CAPABILITIES, NAMESPACES, SECCOMP
from toolweft.sandbox.process.proof import prove_isolation
from toolweft.sandbox.process.session import ProcessSession
from toolweft.sandbox.process.tiers import TIERS, Tier
from toolweft.sandbox.process.zygote import Zygote, launch_zygote

pytestmark = [pytest.mark.process, pytest.mark.network]

_IS_ROOT = machine.is_root()
_AT_LEAST = 5


def got_through(host: Host, outcome: SandboxOutcome) -> list[str]:
    """What the host sees of a program that was not stopped; empty where it was."""
    error = "" if outcome.error is None else f"{outcome.error.message} {outcome.error.traceback}"
    text = " ".join((outcome.stdout, outcome.value.decode(), error, *host.calls))
    found = ["it says so"] * ("PWNED" in outcome.stdout)
    found += ["the secret got out"] * (host.secret in text)
    found += ["files of the host changed"] * (host.look() != host.before)
    found += host.contacted()
    return found + ["the host was signalled"] * bool(host.signals)


async def judge_all(
    tier: Tier, programs: Sequence[LayerProgram], folder: Path, limits: ProgramLimits = TIGHT
) -> dict[str, list[str]]:
    """The programs that got through on a tier, and what was seen of it."""
    async with open_zygote(tier) as zygote:
        return await judge_in(zygote, programs, folder, limits)


async def judge_in(
    zygote: Zygote, programs: Sequence[LayerProgram], folder: Path, limits: ProgramLimits = TIGHT
) -> dict[str, list[str]]:
    """As `judge_all`, in guests of this zygote."""
    found = {}
    for number, program in enumerate(programs):
        place = folder / f"host-{number}"
        place.mkdir(parents=True)
        with open_host(place) as host:
            outcome = await run_once(zygote, program, host, limits)
            if seen := got_through(host, outcome):
                found[program.name] = seen
        # Stopped means stopped: a program that does nothing proves nothing.
        assert seen or outcome.status != "ok", (program.name, outcome.stdout)
    return found


async def run_once(
    zygote: Zygote, program: LayerProgram, host: Host, limits: ProgramLimits
) -> SandboxOutcome:
    async def on_call(call: GuestCall) -> GuestReply:
        host.calls.append(call.name)
        return GuestReply(payload=b"1")

    session = await ProcessSession.open(zygote, limits, clock=SystemClock())
    try:
        code = host.fill(program.code)
        return await session.run(code, names=NAMES, limits=limits, on_call=on_call)
    finally:
        await session.close()


def has_no_capabilities(tier: Tier, layer: str) -> bool:
    return layer == CAPABILITIES and tier.name != "ns" and not _IS_ROOT


def hides_behind(program: LayerProgram, layer: str) -> bool:
    """Whether leaving out `layer` takes the program's own layer away too."""
    return program.layer == FILE_FREE and layer == SECCOMP


@pytest.mark.promise("sandbox.layers")
@pytest.mark.parametrize("tier", TIERS, ids=[tier.name for tier in TIERS])
async def test_with_every_layer_no_program_gets_through(tier, tmp_path):
    programs = programs_for(tier, lacking=find_lacking())
    assert await judge_all(tier, programs, tmp_path) == {}


@pytest.mark.promise("sandbox.layers")
@pytest.mark.parametrize(
    ("tier", "layer"),
    [(tier, layer) for tier in TIERS for layer in layers_of(tier)],
    ids=lambda part: part if isinstance(part, str) else part.name,
)
async def test_without_one_layer_its_programs_get_through_and_no_others(tier, layer, tmp_path):
    if has_no_capabilities(tier, layer):
        pytest.skip("who runs this has no capabilities over the machine to begin with")
    programs = programs_for(tier, lacking=find_lacking())
    own = {program.name for program in programs if program.layer == layer}
    also = {program.name for program in programs if hides_behind(program, layer)}
    limits = WIDE if layer == HOST else TIGHT
    weakened = tier if layer == HOST else without(tier, layer)
    found = await judge_all(weakened, programs, tmp_path, limits)
    assert (own | also) - set(found) == set(), "these should have got through"
    assert set(found) - own - also == set(), found
    assert len(own) >= _AT_LEAST


@pytest.mark.skipif(not _IS_ROOT, reason="files of another user need root to be made")
async def test_files_of_others_in_an_allowed_folder_stay_closed_by_capabilities_alone(tmp_path):
    others = make_files_of_others(tmp_path / "packages")
    programs = [
        replace(program, code=program.code.replace("@@OTHERS@@", str(others)))
        for program in FILES_OF_OTHERS
    ]
    packages = PackageEnvironment(name="others", site=others, preload=(), packages=())
    names = {program.name for program in programs}
    landlock = next(tier for tier in TIERS if tier.name == "landlock")
    for layer in sorted({"", *landlock.layers}):
        tier = without(landlock, layer)
        launch = partial(launch_zygote, packages=packages)
        zygote = await Zygote.start(tier, timeout_s=START_TIMEOUT_S, launch=launch)
        try:
            found = await judge_in(zygote, programs, tmp_path / f"without-{layer}")
        finally:
            await zygote.close()
        assert set(found) == (names if layer == CAPABILITIES else set()), layer


def make_files_of_others(folder: Path) -> Path:
    (folder / "folder").mkdir(parents=True)
    for path, mode in ((folder / "file", 0o600), (folder / "open", 0o644)):
        path.write_text("x")
        path.chmod(mode)
        os.chown(path, 12345, 12345)
    (folder / "folder/file").write_text("x")
    (folder / "folder").chmod(0o700)
    os.chown(folder / "folder", 12345, 12345)
    return folder


@pytest.mark.parametrize("layer", [NAMESPACES, CAPABILITIES])
async def test_where_the_list_is_off_another_layer_still_stops(layer, tmp_path):
    programs = [program for program in BEHIND_THE_LIST if program.layer == layer]
    ns = next(tier for tier in TIERS if tier.name == "ns")
    bare = without(ns, SECCOMP)
    assert await judge_all(bare, programs, tmp_path / "held") == {}
    found = await judge_all(without(bare, layer), programs, tmp_path / "through")
    assert set(found) == {program.name for program in programs}
    assert len(found) >= _AT_LEAST


async def test_a_list_with_calls_on_paths_does_not_prove_itself():
    noopen = next(tier for tier in TIERS if tier.name == "noopen")
    async with open_zygote(without(noopen, FILE_FREE)) as zygote:
        with pytest.raises(SandboxUnavailable, match="host file"):
            await prove_isolation(zygote, noopen, SystemClock())


def test_every_program_has_one_name_and_every_layer_of_every_tier_enough_programs():
    assert max(Counter(program.name for program in PROGRAMS).values()) == 1
    for tier in TIERS:
        layers = Counter(program.layer for program in programs_for(tier))
        assert set(layers) == set(layers_of(tier))
        assert min(layers.values()) >= _AT_LEAST
