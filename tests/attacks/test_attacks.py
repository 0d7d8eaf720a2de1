"""Hostile programs on every tier, judged from the host; what they say of themselves is nothing."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.attacks.host import Host
from tests.attacks.programs import CLASSES, SCRATCH, Attack
from tests.sandbox.process.guests import LIMITS, MIB, NAMES, open_zygote

from toolweft.core.clock import SystemClock
from toolweft.core.ports import GuestReply, SandboxOutcome
from toolweft.sandbox.guest.lockdown import SECCOMP
from toolweft.sandbox.process.session import ProcessSession
from toolweft.sandbox.process.tiers import TIERS, Tier
from toolweft.sandbox.process.zygote import Zygote

pytestmark = [pytest.mark.process, pytest.mark.network]

ATTACK_LIMITS = replace(
    LIMITS,
    memory_bytes=128 * MIB,
    wall_s=1.0,
    active_s=0.3,
    max_output_characters=100_000,
    kept_characters=50_000,
    max_value_bytes=10_000,
)


def judge(host: Host, attack: Attack, outcome: SandboxOutcome) -> list[str]:
    """Everything wrong with how an attack went."""
    error = "" if outcome.error is None else f"{outcome.error.message} {outcome.error.traceback}"
    text = " ".join((outcome.stdout, outcome.value.decode(), error, *host.calls))
    faults = []
    if "REACHED" in outcome.stdout:
        faults.append(f"it reached its aim: {outcome.stdout[:200]!r}")
    if host.secret in text or host.secret[::-1] in text:
        faults.append("the secret got out")
    if host.look() != host.before:
        faults.append("files of the host changed")
    if contacted := host.contacted():
        faults.append(f"contacted {contacted}")
    if host.signals:
        faults.append("the host was signalled")
    if outcome.status == "ok":
        faults.append("it ended as if all were well")
    if attack.expected == "limited" and outcome.status != "limit":
        faults.append(f"no limit: {outcome.status} {error[:300]}")
    if attack.expected == "refused" and outcome.status not in ("error", "invalid"):
        faults.append(f"no clear error: {outcome.status} {outcome.limit} {error[:300]}")
    if len(error) > 9000 or "toolweft/src" in error:
        faults.append("the error shows the inside")
    return faults


async def attack_once(zygote: Zygote, host: Host, attack: Attack) -> list[str]:
    async def on_call(call):
        host.calls.append(f"{call.name} {call.arguments.decode('utf-8', 'replace')}")
        return GuestReply(payload=call.arguments)

    limits = ATTACK_LIMITS
    session = await ProcessSession.open(zygote, limits, clock=SystemClock())
    pid = session.pid
    outcome = await session.run(host.fill(attack.code), names=NAMES, limits=limits, on_call=on_call)
    calls_at_end = len(host.calls)
    await session.close()
    faults = judge(host, attack, outcome)
    if process_exists(pid):
        faults.append("its process is still there")
    if len(host.calls) != calls_at_end:
        faults.append("it called a tool after its end")
    return faults


def process_exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def count_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def attacks_for(kind: str, tier: Tier) -> tuple[Attack, ...]:
    scratch = SCRATCH if kind == "resource" and tier.has_files else ()
    return (*CLASSES[kind], *scratch)


@pytest.mark.promise("sandbox.no-escape")
@pytest.mark.parametrize("tier", TIERS, ids=[tier.name for tier in TIERS])
@pytest.mark.parametrize("kind", sorted(CLASSES))
async def test_no_attack_gets_out_and_each_ends_clearly(kind, tier, host):
    open_before = count_descriptors()
    faults = {}
    async with open_zygote(tier) as zygote:
        for attack in attacks_for(kind, tier):
            if found := await attack_once(zygote, host, attack):
                faults[attack.name] = found
        probe = Attack(name="the next program", code="print(1 + 1)")
        assert "it ended as if all were well" in await attack_once(zygote, host, probe)
    assert faults == {}
    assert count_descriptors() <= open_before


# Programs that do no harm where they get through.
HARMLESS = {
    "process": {"trace", "user namespace", "memory file", "fork"},
    "file": {
        "read a host file",
        "list a host folder",
        "change a host file's times",
        "change a host file's mode",
        "read its own environment",
    },
}


@pytest.mark.parametrize(("tier", "kind"), [("ns", "process"), ("noopen", "file")])
async def test_without_a_filter_the_judge_sees_what_gets_through(tier, kind, host):
    """A judge that sees nothing is broken."""
    whole = next(candidate for candidate in TIERS if candidate.name == tier)
    weak = Tier(name="weak", layers=whole.layers - {SECCOMP}, has_files=whole.has_files)
    attacks = [attack for attack in CLASSES[kind] if attack.name in HARMLESS[kind]]
    async with open_zygote(weak) as zygote:
        seen = [attack.name for attack in attacks if await attack_once(zygote, host, attack)]
    assert len(seen) >= 2


def test_every_class_has_programs_and_every_name_stands_once():
    names = [attack.name for attacks in CLASSES.values() for attack in (*attacks, *SCRATCH)]
    assert all(len(attacks) >= 5 for attacks in CLASSES.values())
    assert len(set(names)) == sum(map(len, CLASSES.values())) + len(SCRATCH)
