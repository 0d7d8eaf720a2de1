"""Hostile programs on every tier, judged from the host; what they say of themselves is nothing."""

import os
import secrets
import signal
import socket
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
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


@dataclass
class Host:
    """Bait, and what happened to it."""

    folder: Path
    secret: str = field(default_factory=lambda: secrets.token_hex(16))
    signals: list[int] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.file = self.folder / "secret.txt"
        self.file.write_text(self.secret)
        (self.folder / "canary_module.py").write_text(f"SECRET = {self.secret!r}")
        self.abstract = "toolweft-" + secrets.token_hex(4)
        self.sockets = {
            "tcp": self._bind(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            "udp": self._bind(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
            "unix": self._bind(socket.AF_UNIX, socket.SOCK_STREAM, str(self.folder / "s")),
            "abstract": self._bind(socket.AF_UNIX, socket.SOCK_DGRAM, "\0" + self.abstract),
        }
        self.before = self.look()

    @staticmethod
    def _bind(family, kind, address) -> socket.socket:
        bound = socket.socket(family, kind)
        bound.bind(address)
        if kind == socket.SOCK_STREAM:
            bound.listen()
        bound.setblocking(False)
        return bound

    def fill(self, code: str) -> str:
        values = {
            "CANARY_FILE": str(self.file),
            "CANARY_FOLDER": str(self.folder),
            "SECRET_VALUE": self.secret[:-4],
            "TCP_PORT": str(self.sockets["tcp"].getsockname()[1]),
            "UDP_PORT": str(self.sockets["udp"].getsockname()[1]),
            "UNIX_PATH": str(self.folder / "s"),
            "ABSTRACT_NAME": self.abstract,
            "HOST_PID": str(os.getpid()),
        }
        for name, value in values.items():
            code = code.replace(name, value)
        return code

    def look(self) -> object:
        stat = self.file.stat()
        names = sorted(path.name for path in self.folder.iterdir())
        return names, stat.st_mtime_ns, stat.st_mode, stat.st_size, stat.st_nlink

    def contacted(self) -> list[str]:
        found = []
        for name, bound in self.sockets.items():
            try:
                bound.accept() if bound.type == socket.SOCK_STREAM else bound.recv(10)
            except BlockingIOError:
                continue
            found.append(name)
        return found

    def close(self) -> None:
        for bound in self.sockets.values():
            bound.close()


@pytest.fixture
def host(tmp_path, monkeypatch):
    host = Host(tmp_path)
    monkeypatch.setenv("HOST_SECRET", host.secret)
    previous = signal.signal(signal.SIGURG, lambda number, _frame: host.signals.append(number))
    yield host
    signal.signal(signal.SIGURG, previous)
    host.close()


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
