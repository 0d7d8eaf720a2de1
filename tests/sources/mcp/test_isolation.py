"""A process for each principal: apart from one another, bounded, and gone when idle."""

import anyio
import pytest
from tests.sources.mcp.asked import AskedClient, asking_source, call
from tests.sources.support import PATIENT_S, WaitingListener, is_alive

from toolweft.core.calls import Principal
from toolweft.core.errors import SourceUnavailable

pytestmark = pytest.mark.process

ADA, BOB, EVE = (Principal("t", user) for user in ("ada", "bob", "eve"))
NOBODY_ASKED = AskedClient()


async def pid_of(source: object, principal: Principal) -> int:
    pid: int = (await call(source, "stay", NOBODY_ASKED, principal=principal))["pid"]
    return pid


async def wait_ended(*pids: int) -> None:
    with anyio.fail_after(PATIENT_S):
        while any(map(is_alive, pids)):  # noqa: ASYNC110 (the end of a process sets no event)
            await anyio.sleep(0.05)


@pytest.mark.promise("ask.isolated")
async def test_each_principal_has_a_process_of_its_own(listener: WaitingListener) -> None:
    options = {"isolation": "principal"}
    async with asking_source("stdio", "2025-11-25", listener, **options) as source:
        ada, bob = await pid_of(source, ADA), await pid_of(source, BOB)
        assert ada != bob
        assert await pid_of(source, ADA) == ada
        seen = await call(source, "seen", NOBODY_ASKED, principal=ADA)
        # The tools are listed once for all, by a process that serves nobody.
        assert seen["lists"] == 0
        assert len(listener.tool_names("bank")) > 5
    await wait_ended(ada, bob)


@pytest.mark.promise("ask.isolated")
async def test_there_are_never_more_than_allowed(listener: WaitingListener) -> None:
    options = {"isolation": "principal", "max_principals": 2}
    async with asking_source("stdio", "2025-11-25", listener, **options) as source:
        ada, bob = await pid_of(source, ADA), await pid_of(source, BOB)
        assert await pid_of(source, ADA) == ada
        await pid_of(source, EVE)
        # Who was here last the longest ago made room.
        assert not is_alive(bob)
        assert await pid_of(source, ADA) == ada
        async with anyio.create_task_group() as tasks:
            for principal in (ADA, EVE):
                tasks.start_soon(
                    lambda p=principal: call(source, "stay", NOBODY_ASKED, {"s": 1.5}, principal=p)
                )
            await anyio.sleep(0.5)
            with pytest.raises(SourceUnavailable, match="serves 2 others at once"):
                await pid_of(source, BOB)
        assert await pid_of(source, BOB) != bob


@pytest.mark.promise("ask.isolated")
async def test_an_idle_one_is_stopped_and_comes_back(listener: WaitingListener) -> None:
    options = {"isolation": "principal", "idle_stop_s": 0.3}
    async with asking_source("stdio", "2025-11-25", listener, **options) as source:
        ada = await pid_of(source, ADA)
        await wait_ended(ada)
        assert await pid_of(source, ADA) != ada


async def test_one_that_cannot_start_says_why_and_leaves_the_others_alone(
    listener: WaitingListener, tmp_path: object
) -> None:
    async with asking_source("stdio", "2025-11-25", listener, isolation="principal") as source:
        ada = await pid_of(source, ADA)
        object.__setattr__(source._options, "command", "/nonexistent/server")
        with pytest.raises(SourceUnavailable, match="is not connected"):
            await pid_of(source, BOB)
        assert await pid_of(source, ADA) == ada
        assert source.reporter.status.state == "ready"
