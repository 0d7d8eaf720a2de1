"""Plays programs and streams against the sandbox and says what went wrong with each."""

import asyncio
from dataclasses import dataclass, field
from random import Random
from typing import Any

import anyio

from fuzz.frames import make_stream
from fuzz.programs import make_program
from toolweft.core.clock import SystemClock
from toolweft.core.ports import GuestCall, GuestNames, GuestReply, SandboxBackend, SandboxSession
from toolweft.core.programs import ProgramLimits
from toolweft.sandbox.channel import Channel
from toolweft.sandbox.limits import fixed_limits
from toolweft.sandbox.process import ProcessSession

__all__ = ("LIMITS", "Containers", "play_stream")

MIB = 1024 * 1024
LIMITS = ProgramLimits(
    memory_bytes=160 * MIB,
    active_s=0.15,
    wall_s=0.5,
    max_calls=100,
    max_in_flight=16,
    kept_characters=5_000,
    max_output_characters=50_000,
    max_argument_bytes=20_000,
    max_result_bytes=100_000,
    max_value_bytes=20_000,
    disk_bytes=MIB,
    max_threads=4,
    max_files=32,
)
_NAMES = GuestNames(namespaces=("t", "tools"), functions=("echo",))
_STATUSES = frozenset({"ok", "error", "invalid", "limit", "crashed", "cancelled"})
# Grace, kill and a busy machine on top of the wall time: longer is a hang.
_HANG_S = 30.0


async def _answer(call: GuestCall) -> GuestReply:
    await anyio.lowlevel.checkpoint()
    return GuestReply(payload=call.arguments)


# ----------------------------------------------------------------------------------------- programs


class Containers:
    """Runs one program after the other, in a container for as long as it lives."""

    def __init__(self, backend: SandboxBackend) -> None:
        self._backend = backend
        self._session: SandboxSession | None = None

    async def play(self, seed: int) -> str:
        """What is wrong with how a program ended; "" where nothing is."""
        if self._session is None or not self._session.is_alive:
            self._session = await self._backend.open(LIMITS)
        fault = await self._run(self._session, make_program(seed))
        # A program may break its container, but then the container has to say so.
        if not fault and self._session.is_alive and seed % 10 == 0:
            fault = await self._run(self._session, "pass")
        return fault

    async def close(self) -> None:
        """End the container."""
        if self._session is not None:
            await self._session.close()

    async def _run(self, session: SandboxSession, code: str) -> str:
        calls = 0

        async def answer(call: GuestCall) -> GuestReply:
            nonlocal calls
            calls += 1
            return await _answer(call)

        try:
            with anyio.fail_after(_HANG_S):
                outcome = await session.run(code, names=_NAMES, limits=LIMITS, on_call=answer)
        except TimeoutError:
            return "it hangs"
        except Exception as exc:  # whatever comes out is the finding
            return f"the host raised {type(exc).__name__}: {exc}"
        if outcome.status not in _STATUSES:
            return f"unknown status {outcome.status!r}"
        if (
            len(outcome.stdout) > LIMITS.kept_characters
            or len(outcome.value) > LIMITS.max_value_bytes
        ):
            return "more came out than is kept"
        # Calls asked for after the stop are counted, but never made.
        if calls > LIMITS.max_calls:
            return f"{calls} calls were made"
        return ""


# ------------------------------------------------------------------------------------------- frames


async def play_stream(seed: int) -> tuple[str, int]:
    """What is wrong with how the host takes a stream, "" for nothing; and its number of frames."""
    stream, count = make_stream(seed)
    guest = _Guest()
    channel = Channel(guest)
    transport = _Transport()
    channel.connection_made(transport)
    channel.detach()
    actor: Any = guest  # in the place of both a process and the zygote it came from
    session = ProcessSession(
        zygote=actor,
        child=actor,
        channel=channel,
        clock=SystemClock(),
        fixed=fixed_limits(LIMITS),
    )
    random = Random(seed)  # noqa: S311  not a secret

    async def send() -> None:
        await transport.started.wait()
        data = stream
        while data:
            size = random.randint(1, len(data))
            channel.data_received(data[:size])
            data = data[size:]
            if random.random() < 0.1:
                await anyio.lowlevel.checkpoint()
        channel.connection_lost(None)

    try:
        with anyio.fail_after(_HANG_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(send)
                outcome = await session.run("1", names=_NAMES, limits=LIMITS, on_call=_answer)
            await session.close()
    except TimeoutError:
        return "it hangs", count
    except Exception as exc:  # whatever comes out is the finding
        return f"the host raised {exc!r}", count
    if outcome.status not in _STATUSES or len(outcome.stdout) > LIMITS.kept_characters:
        return f"an impossible outcome: {outcome!r:.300}", count
    return "", count


class _Transport(asyncio.Transport):
    """Takes what is written; remembers that something was."""

    def __init__(self) -> None:
        super().__init__()
        self.started = anyio.Event()

    def write(self, data: Any) -> None:
        del data
        self.started.set()

    def abort(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


@dataclass
class _Guest:
    """A process that is only its channel, and the zygote it never came from."""

    pid: int = 0
    was_killed: bool = False
    received: list[Any] = field(default_factory=list)

    def frame_received(self, frame: Any) -> None:
        self.received.append(frame)

    def channel_lost(self) -> None: ...

    def interrupt(self) -> None: ...

    def kill(self) -> None:
        self.was_killed = True

    def kill_if_alive(self) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    async def settled(self) -> None: ...

    def cpu_s(self) -> float:
        return 0.0

    def limit_cpu(self, budget_s: float) -> None: ...

    def peak_memory_bytes(self) -> int:
        return 0

    async def wait_exit(self) -> None: ...

    def close(self) -> None: ...

    async def reap(self, child: Any) -> int:
        del child
        return 0
