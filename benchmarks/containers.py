"""What the container backend costs on an engine: containers cold and from the pool, calls, values.

    python -m benchmarks.containers --engine unix:///path --image NAME [--json]

`scripts/container_engine.sh start FOLDER` makes a private engine with an image.
"""

import sys
import time
from typing import Any

import anyio

from benchmarks.harness import Report, Samples, parser
from toolweft.core.clock import SystemClock
from toolweft.core.ports import GuestCall, GuestNames, GuestReply, SandboxOutcome
from toolweft.core.programs import ProgramLimits
from toolweft.sandbox.container import ContainerBackend
from toolweft.sandbox.container.session import ContainerSession
from toolweft.sandbox.options import EngineOptions, SandboxOptions

_LARGE_BYTES = 10 * 1024 * 1024
_CALLS = 500
_LIMITS = ProgramLimits(max_value_bytes=2 * _LARGE_BYTES, max_result_bytes=2 * _LARGE_BYTES)
_OTHER = ProgramLimits(memory_bytes=512 * 1024 * 1024)
_NAMES = GuestNames(functions=("echo", "large"))


async def _answer(call: GuestCall) -> GuestReply:
    if call.name == "large":
        return GuestReply(payload=b'"' + b"x" * _LARGE_BYTES + b'"')
    return GuestReply(payload=b"1")


async def _run(session: ContainerSession, code: str) -> SandboxOutcome:
    outcome = await session.run(code, names=_NAMES, limits=_LIMITS, on_call=_answer)
    if outcome.status != "ok":
        raise SystemExit(f"{code!r} ended {outcome.status}: {outcome.error}")
    return outcome


async def _first(backend: ContainerBackend, limits: ProgramLimits, samples: Samples) -> None:
    start = time.perf_counter()
    session = await backend.open(limits)
    await _run(session, "print(1)")
    samples.add(time.perf_counter() - start)
    await session.close()


async def _full(backend: ContainerBackend, size: int) -> None:
    while backend.ready_containers < size:
        await anyio.sleep(0.05)
    # Whatever the engine still tidies up is not what is measured next.
    await anyio.sleep(1.0)


async def _timed(session: ContainerSession, code: str, samples: Samples, per: int = 1) -> None:
    start = time.perf_counter()
    await _run(session, code)
    samples.add(time.perf_counter() - start, per=per)


async def _measure(options: Any, report: Report) -> None:
    container = EngineOptions(engine=options.engine, image=options.image)
    settings = SandboxOptions(container=container, probe_timeout_s=60.0)
    cold, pooled, live, call, into, out = (Samples() for _ in range(6))
    started = time.perf_counter()
    async with ContainerBackend(settings, clock=SystemClock(), warm_limits=_LIMITS) as backend:
        report.add("start_s", time.perf_counter() - started)
        for _ in range(options.repeat):
            await _full(backend, container.pool_size)
            await _first(backend, _OTHER, cold)
            await _full(backend, container.pool_size)
            await _first(backend, _LIMITS, pooled)
        await _full(backend, container.pool_size)
        session = await backend.open(_LIMITS)
        await _full(backend, container.pool_size)
        for _ in range(options.repeat):
            await _timed(session, "print(1)", live)
            code = f"for _ in range({_CALLS}): await echo(x=1)"
            await _timed(session, code, call, _CALLS)
            await _timed(session, "len(await large())", into)
            await _timed(session, f"'x' * {_LARGE_BYTES}", out)
    for name, samples, most in (
        ("fresh_cold_ms", cold, 250.0),
        ("fresh_pool_ms", pooled, 20.0),
        ("live_run_ms", live, None),
        ("call_ms", call, 0.5),
        ("result_in_10_mib_ms", into, None),
        ("value_out_10_mib_ms", out, None),
    ):
        report.add(name, samples.median, at_most=most)
        report.add(f"{name[:-3]}_min_ms", samples.low)


def main() -> None:
    """Run and print."""
    options = parser(str(__doc__).splitlines()[0])
    options.add_argument("--engine", required=True, help="unix:///path of its socket")
    options.add_argument("--image", required=True)
    options.add_argument("--repeat", type=int, default=10)
    given = options.parse_args()
    report = Report("containers")
    anyio.run(_measure, given, report)
    report.print(as_json=given.json)
    sys.exit(0 if not report.missed() else 1)


if __name__ == "__main__":
    main()
