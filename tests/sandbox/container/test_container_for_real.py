"""The backend on a real engine: TOOLWEFT_TEST_CONTAINER_ENGINE and _IMAGE say which.

`scripts/container_engine.sh start FOLDER` makes a private one and prints both.
"""

from dataclasses import replace

import pytest
from tests.conformance.backends import NO_ENGINE, container_options
from tests.sandbox.process.guests import LIMITS, MIB, Guest

from toolweft.core.clock import SystemClock
from toolweft.core.errors import SandboxUnavailable
from toolweft.sandbox.container.backend import ContainerBackend
from toolweft.sandbox.container.engine import Engine
from toolweft.sandbox.container.owner import LABEL, this_process
from toolweft.sandbox.container.usage import CgroupUsage, PolledUsage
from toolweft.sandbox.limits import fixed_limits

pytestmark = [
    pytest.mark.process,
    pytest.mark.network,
    pytest.mark.skipif(bool(NO_ENGINE), reason=NO_ENGINE or "-"),
]


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
async def backend(anyio_backend):
    async with ContainerBackend(
        container_options(), clock=SystemClock(), warm_limits=LIMITS
    ) as backend:
        yield backend


@pytest.fixture
async def guest(backend):
    session = await backend.open(LIMITS)
    yield Guest(session)
    await session.close()


async def test_the_inner_wall_stands_and_is_named(backend):
    assert backend.capabilities.tier in {"landlock", "noopen"}
    assert backend.capabilities.backend == "container"


async def test_a_program_has_a_scratch_folder_of_its_size_and_nothing_else(backend, guest):
    if not backend.capabilities.files:
        pytest.skip("the inner tier has no files")
    code = (
        "import os\nfrom pathlib import Path\n"
        "Path('a').mkdir()\nPath('a/x').write_text('1')\nos.rename('a/x', 'y')\n"
        "seen = [Path('y').read_text(), os.getcwd()]\n"
        "for path in ('/etc/passwd', '/proc/self/environ', '/proc/1/status', '/dev/shm/x'):\n"
        "    try: open(path, 'rb' if path[1] != 'd' else 'wb')\n"
        "    except OSError: seen.append('refused')\n"
        "try: Path('z').write_bytes(bytes(3_000_000))\n"
        "except OSError: seen.append('full')\n"
        "seen"
    )
    outcome = await guest.run(code)
    assert outcome.value == (b'["1","/tmp/work","refused","refused","refused","refused","full"]'), (
        outcome.error
    )


async def test_counters_come_from_the_control_group_or_the_engine(backend, guest):
    assert isinstance(guest.session._child._usage, CgroupUsage | PolledUsage)
    outcome = await guest.run("sum(range(3_000_000))\nlen(bytearray(60_000_000))")
    assert outcome.stats.cpu_s > 0.01
    assert outcome.stats.peak_mem_bytes > 50 * MIB


async def test_the_engine_alone_can_tell_processor_time_too(backend):
    session = await backend.open(LIMITS)
    session._child._usage = PolledUsage()
    outcome = await Guest(session).run("while True: pass", active_s=0.5)
    assert (outcome.status, outcome.limit) == ("limit", "cpu")


@pytest.mark.promise("sandbox.container-memory")
async def test_the_control_group_ends_a_container_that_takes_too_much(backend):
    limits = fixed_limits(replace(LIMITS, memory_bytes=64 * MIB))
    tier = backend._tier
    # Without the guest's own limit, so that only the container's is left.
    session = await backend._maker.open_session(
        limits, layers=tier.layers - {"limits"}, preload_all=False
    )
    outcome = await Guest(session).run("x = [bytearray(1 << 20) for _ in range(400)]")
    assert (outcome.status, outcome.limit) == ("limit", "memory")
    assert not session.is_alive


async def test_without_the_inner_wall_the_outer_one_still_holds(backend):
    session = await backend._maker.open_session(
        fixed_limits(LIMITS), layers=frozenset({"scratch"}), preload_all=False
    )
    code = (
        "import socket, os\nseen = []\n"
        "s = socket.socket(); s.settimeout(2)\n"
        "try: s.connect(('1.1.1.1', 53)); seen.append('connected')\n"
        "except OSError as e: seen.append(e.errno)\n"
        "for path in ('/x', '/etc/x', '/usr/x', '/run/x', '/var/tmp/x', '/home/x'):\n"
        "    try: open(path, 'w'); seen.append(path)\n"
        "    except OSError as e: pass\n"
        "seen += [os.getuid(), sorted(os.listdir('/sys/class/net'))]\nseen"
    )
    outcome = await Guest(session).run(code)
    # Network is unreachable.
    assert outcome.value == b'[101,1000,["lo"]]', outcome.error
    await session.close()


async def test_a_runtime_that_is_not_there_is_refused_with_both_names():
    with pytest.raises(SandboxUnavailable, match=r"'runsc' was asked for|unknown runtime"):
        async with ContainerBackend(container_options(runtime="runsc"), clock=SystemClock()):
            pass


@pytest.mark.promise("sandbox.sweep")
async def test_nothing_is_left_of_a_backend_and_of_one_that_was_killed(backend):
    async with ContainerBackend(container_options(pool_size=1), clock=SystemClock()) as other:
        left = (await other.open(LIMITS)).container
        address = other._maker._engine.address
        gone = replace(this_process(), started="1").render()
        other._maker._owner = gone
        orphan = await other._maker.open_session(
            fixed_limits(LIMITS), layers=frozenset(), preload_all=False
        )
        # As if this process had been killed before it could tidy up.
        other._maker._disposal._known.discard(orphan.container)
        orphan._cancel_pause()
    async with Engine(address) as engine:
        known = {item["Id"] for item in await engine.list(label=LABEL)}
        assert left not in known
        assert orphan.container in known
        async with ContainerBackend(container_options(), clock=SystemClock()):
            pass
        known = {item["Id"] for item in await engine.list(label=LABEL)}
        assert orphan.container not in known
