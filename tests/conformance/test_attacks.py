"""Hostile programs in every sandbox, judged from the host; what they say counts for nothing."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conformance.backends import OpenBackend, has_no_process
from tests.conformance.bait import Host, open_host
from tests.conformance.hostile import CHANNEL, CLASSES, WORDS, Attack
from tests.conformance.needs import has, needs
from tests.sandbox.process.guests import LIMITS, MIB, NAMES, open_zygote

from toolweft.core.clock import SystemClock
from toolweft.core.ports import GuestReply, SandboxCapabilities, SandboxOutcome
from toolweft.sandbox.guest.lockdown import SECCOMP
from toolweft.sandbox.process import ProcessSession
from toolweft.sandbox.process.tiers import TIERS, Tier

# Each program may take as long as its limits, and there are many.
pytestmark = [pytest.mark.process, pytest.mark.network, pytest.mark.timeout(300)]

ATTACK_LIMITS = replace(
    LIMITS,
    memory_bytes=128 * MIB,
    wall_s=1.0,
    active_s=0.3,
    max_output_characters=100_000,
    kept_characters=50_000,
    max_value_bytes=10_000,
)
FORGERIES = "channel"
# Connections to an engine that stay open for its next requests.
_KEPT_DESCRIPTORS = 4


@pytest.fixture
def host(tmp_path):
    with open_host(tmp_path) as host:
        yield host


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
    is_explained = outcome.error is not None and outcome.error.hint is not None
    if attack.expected == "limited" and not (outcome.status == "limit" and is_explained):
        faults.append(f"no limit that says how to go on: {outcome.status} {error[:300]}")
    if attack.expected == "refused" and outcome.status not in ("error", "invalid"):
        faults.append(f"no clear error: {outcome.status} {outcome.limit} {error[:300]}")
    if len(error) > 9000 or "toolweft/src" in error or sys.prefix in error:
        faults.append("the error shows the inside")
    return faults


async def attack_once(opened: OpenBackend, host: Host, attack: Attack) -> list[str]:
    async def on_call(call):
        host.calls.append(f"{call.name} {call.arguments.decode('utf-8', 'replace')}")
        return GuestReply(payload=call.arguments)

    limits = ATTACK_LIMITS
    session = await opened.open(limits)
    trace = opened.trace(session)
    outcome = await session.run(host.fill(attack.code), names=NAMES, limits=limits, on_call=on_call)
    calls_at_end = len(host.calls)
    await session.close()
    await opened.wait_gone(trace)
    faults = judge(host, attack, outcome)
    if len(host.calls) != calls_at_end:
        faults.append("it called a tool after its end")
    return faults


def fit(attack: Attack, capabilities: SandboxCapabilities) -> Attack:
    """Without its means an attack is not left out: it has to be refused."""
    if attack.means and not has(capabilities, attack.means):
        return replace(attack, expected="refused")
    return attack


def count_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.promise("sandbox.no-escape")
@needs("is_isolated")
@pytest.mark.parametrize("kind", [*sorted(CLASSES), FORGERIES])
async def test_no_attack_gets_out_and_each_ends_clearly(kind, opened: OpenBackend, host):
    harmless = Attack(name="a harmless program", code="print(1 + 1)")
    assert "it ended as if all were well" in await attack_once(opened, host, harmless)
    open_before = count_descriptors()
    faults = {}
    for attack in CLASSES.get(kind, opened.forgeries):
        if found := await attack_once(opened, host, fit(attack, opened.capabilities)):
            faults[attack.name] = found
    assert faults == {}
    assert "it ended as if all were well" in await attack_once(opened, host, harmless)
    assert count_descriptors() <= open_before + _KEPT_DESCRIPTORS


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
        opened = OpenBackend(
            capabilities=SandboxCapabilities(backend="process", tier="weak", language="Python"),
            open=lambda limits: ProcessSession.open(zygote, limits, clock=SystemClock()),
            trace=lambda session: session.pid,
            is_gone=has_no_process,
            forgeries=(),
        )
        seen = [attack.name for attack in attacks if await attack_once(opened, host, attack)]
    assert len(seen) >= 2


def test_every_class_has_programs_and_every_name_stands_once():
    classes = {**CLASSES, FORGERIES: CHANNEL, "words": WORDS}
    names = [attack.name for attacks in classes.values() for attack in attacks]
    assert all(len(attacks) >= 5 for attacks in classes.values())
    assert len(set(names)) == len(names)
