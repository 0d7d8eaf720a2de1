"""Eryx (CPython in WebAssembly) by itself: what it costs and what programs get.

    python3.12 -m venv /tmp/eryx && /tmp/eryx/bin/pip install pyeryx==0.11.0
    /tmp/eryx/bin/python benchmarks/peers/eryx_sandbox.py [--rounds 5]

Runs in an environment of its own. Prints one JSON object: `figures` in milliseconds and MiB, and
`probes`, one line for each hostile program. Every probe is a process of its own, since some end it.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

_CALLS = 200
_LOOP = "n = 0\nfor i in range(1_000_000):\n    n += i * i\n"
_MIB = 1024 * 1024
_PROBE_TIMEOUT_S = 60

# name: (code, limit of the run in milliseconds)
_PROBES = {
    "read a file": ("print(open('/etc/passwd').read())", 5000),
    "list the root": ("import os; print(os.listdir('/'))", 5000),
    "environment": ("import os; print(dict(os.environ))", 5000),
    "socket": ("import socket; socket.socket().connect(('127.0.0.1', 1))", 5000),
    "datagram": ("import socket; socket.socket(type=2).sendto(b'x', ('127.0.0.1', 9))", 5000),
    "subprocess": ("import subprocess; subprocess.run(['id'])", 5000),
    "fork": ("import os; os.fork()", 5000),
    "ctypes": ("import ctypes", 5000),
    "thread": ("import threading; threading.Thread(target=print).start()", 5000),
    "endless loop": ("while True: pass", 1000),
    "endless loop, caught": (
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        1000,
    ),
    "endless sleep": ("import time; time.sleep(30)", 1000),
    "large number": ("10**(10**9)", 1000),
    "memory, list": ("x = []\nwhile True: x.append('a' * 100_000)", 20_000),
    "memory, one string": ("'a' * 10**9", 20_000),
    "output": ("while True: print('x' * 100_000)", 3000),
    "files": (
        "i = 0\nwhile True:\n    i += 1\n    open(f'/data/{i}', 'w').write('x' * 10**6)",
        9000,
    ),
    "recursion": ("def f(): f()\nf()", 5000),
    "exit": ("import os; os._exit(0)", 5000),
    "invalid access": ("import faulthandler; faulthandler._sigsegv()", 5000),
    "nested text": ("eval('(' * 5000 + ')' * 5000)", 5000),
    "nested list": ("x = []\nfor _ in range(100_000): x = [x]\nrepr(x)", 5000),
}


def _status(field: str) -> float:
    """A line of this process' status, in MiB."""
    text = Path("/proc/self/status").read_text("ascii")
    return int(text.partition(f"{field}:")[2].split()[0]) / 1024


def _ms(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


async def _one(i: int) -> int:
    return i


async def _slow(i: int) -> int:
    await asyncio.sleep(0.05)
    return i


async def _text() -> str:
    return "x" * (10 * _MIB)


async def _rows() -> list[dict]:
    return [{"id": i, "name": f"row number {i}", "value": i * 1.5} for i in range(100_000)]


def _callbacks() -> list[dict]:
    tools = {"one": _one, "slow": _slow, "text": _text, "rows": _rows}
    return [{"name": name, "fn": function, "description": ""} for name, function in tools.items()]


_GATHER = "import asyncio\nresult = len(await asyncio.gather(*[slow(i=i) for i in range({count})]))"


def _round(eryx, add: Callable[[str, float], None]) -> None:
    made = []
    add("fresh", _ms(lambda: made.append(eryx.Session()) or made[0].execute("print(1)")))
    made.clear()
    add("fresh_tools", _ms(lambda: made.append(_session(eryx)) or made[0].execute("print(1)")))
    session = made[0]
    add("live", _ms(lambda: session.execute("result = 1 + 1")))
    sequential = f"for i in range({_CALLS}):\n    await one(i=i)"
    add("call", _ms(lambda: session.execute(sequential)) / _CALLS)
    add("gather_10", _ms(lambda: session.execute(_GATHER.format(count=10))))
    add("gather_100", _ms(lambda: session.execute(_GATHER.format(count=100))))
    add("loop", _ms(lambda: session.execute(_LOOP)))
    code = compile(_LOOP, "loop", "exec")
    add("loop_cpython", _ms(lambda: exec(code, {})))
    for name in ("text", "rows"):
        try:
            add(name, _ms(lambda name=name: session.execute(f"result = len(await {name}())")))
        except eryx.EryxError as refusal:
            print(f"# {name}: {refusal!s:.200}", file=sys.stderr)
    add("first_import", _ms(lambda: session.execute("import statistics, dataclasses, csv")))


def _session(eryx):
    return eryx.Session(callbacks=_callbacks(), execution_timeout_ms=60_000)


def _measure(rounds: int) -> dict[str, float]:
    samples: dict[str, list[float]] = {}
    figures = {}
    start = time.perf_counter()
    import eryx

    figures["import"] = 1000 * (time.perf_counter() - start)
    figures["first_load"] = _ms(lambda: eryx.Session().execute("print(1)"))
    for _ in range(rounds):
        _round(eryx, lambda name, value: samples.setdefault(name, []).append(value))
    figures |= {name: statistics.median(values) for name, values in samples.items()}
    before = _status("VmRSS")
    idle = [eryx.Session() for _ in range(20)]
    for session in idle:
        session.execute("x = 1")
    figures["rss_of_20"] = (_status("VmRSS") - before) / len(idle)
    figures["rss_all"] = _status("VmRSS")
    folder = Path(eryx.__file__).parent
    files = [path for path in folder.rglob("*") if path.is_file()]
    figures["installed"] = sum(path.stat().st_size for path in files) / _MIB
    return {name: round(value, 2) for name, value in figures.items()}


def _others_run(eryx) -> str:
    """Whether other threads of the host go on while a program computes."""
    turns = 0
    is_over = threading.Event()

    def count() -> None:
        nonlocal turns
        while not is_over.wait(0.001):
            turns += 1

    thread = threading.Thread(target=count)
    thread.start()
    eryx.Session().execute("import time\nend = time.time() + 1\nwhile time.time() < end: pass")
    is_over.set()
    thread.join()
    return f"{turns} turns of another thread in a second"


def _limited_memory(eryx) -> str:
    """A sandbox without state is the only one that takes a limit on memory."""
    limits = eryx.ResourceLimits(max_memory_bytes=64 * _MIB)
    try:
        eryx.Sandbox(resource_limits=limits).execute(_PROBES["memory, list"][0])
    except Exception as refusal:
        text = str(refusal).strip().splitlines()[-1][:120]
        return f"peak {_status('VmHWM'):.0f} MiB; {type(refusal).__name__}: {text}"
    return "not stopped"


def _where_calls_run(eryx) -> str:
    """The thread and the event loop that a callback meets, beside the host's own."""
    seen = []

    async def look() -> int:
        seen.append((threading.current_thread().name, id(asyncio.get_running_loop())))
        return 1

    async def main() -> str:
        session = eryx.Session(callbacks=[{"name": "look", "fn": look}])
        await asyncio.to_thread(session.execute, "await look()\nawait look()")
        is_own = seen[0][1] == id(asyncio.get_running_loop())
        return f"threads {sorted({thread for thread, _ in seen})}, the host's loop: {is_own}"

    return asyncio.run(main())


def _waiting_calls(eryx) -> str:
    """Whether the time a call takes counts, and what becomes of one that is still running."""
    ended = []

    async def slow() -> int:
        try:
            await asyncio.sleep(3)
        finally:
            ended.append(asyncio.current_task().cancelling() > 0)
        return 1

    session = eryx.Session(callbacks=[{"name": "slow", "fn": slow}], execution_timeout_ms=1000)
    start = time.perf_counter()
    try:
        session.execute("await slow()")
        text = "not stopped"
    except Exception as refusal:
        text = f"{type(refusal).__name__}: {str(refusal)[:80]}"
    took_s = time.perf_counter() - start
    time.sleep(3)
    return f"{text} after {took_s:.1f} s of 1; cancelled inside: {ended or 'never told'}"


def _in_parallel(eryx) -> str:
    """Two sessions in two threads, beside one alone."""
    sessions = [eryx.Session(), eryx.Session()]
    alone_ms = _ms(lambda: sessions[0].execute(_LOOP))
    threads = [threading.Thread(target=session.execute, args=(_LOOP,)) for session in sessions]

    def both() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return f"one loop {alone_ms:.0f} ms, two at once {_ms(both):.0f} ms"


_QUESTIONS = {
    "other threads": _others_run,
    "memory, limited": _limited_memory,
    "where calls run": _where_calls_run,
    "waiting calls": _waiting_calls,
    "in parallel": _in_parallel,
}


def _probe(name: str) -> None:
    import eryx

    if name in _QUESTIONS:
        print(_QUESTIONS[name](eryx))
        return
    code, limit_ms = _PROBES[name]
    session = eryx.Session(execution_timeout_ms=limit_ms, vfs=eryx.VfsStorage())
    session.execute("kept = 7")
    start = time.perf_counter()
    try:
        ended = session.execute(code)
        text = f"ended well: {ended.stdout_text[:120]!r}, {len(ended.stdout)} bytes"
    except Exception as refusal:
        text = f"{type(refusal).__name__}: {str(refusal).strip().splitlines()[-1][:120]}"
    took_ms = 1000 * (time.perf_counter() - start)
    try:
        after = f"state {session.execute('print(kept)').stdout_text.strip() or 'lost'}"
    except Exception as refusal:
        after = f"state lost: {type(refusal).__name__}"
    print(f"{took_ms:.0f} ms, peak {_status('VmHWM'):.0f} MiB, {after}; {text}")


def _run_probe(name: str) -> str:
    command = [sys.executable, __file__, "--probe", name]
    try:
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
            env={**os.environ, "HOST_NAME_TO_HIDE": "of the host"},
        )
    except subprocess.TimeoutExpired:
        return f"did not end within {_PROBE_TIMEOUT_S} s"
    if ended.returncode != 0:
        return f"THE HOST ENDED with {ended.returncode}: {ended.stderr.strip()[-120:]}"
    return ended.stdout.strip()


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--probe", choices=[*_PROBES, *_QUESTIONS])
    given = options.parse_args()
    if given.probe:
        _probe(given.probe)
        return
    figures = _measure(given.rounds)
    probes = {name: _run_probe(name) for name in (*_PROBES, *_QUESTIONS)}
    about = {"python": platform.python_version(), "load": os.getloadavg()[0]}
    print(json.dumps(about | {"figures": figures, "probes": probes}, indent=2))


if __name__ == "__main__":
    main()
