"""Whose question it is: no question reaches another client than the one whose call caused it."""

import anyio
import pytest
from tests.sources.mcp.asked import AskedClient, asking_source, call
from tests.sources.mcp.test_lazy_life import Remembering
from tests.sources.support import PATIENT_S, WaitingListener, build_memory

from toolweft.core.calls import Principal

pytestmark = [pytest.mark.process, pytest.mark.network]

MODERN, LEGACY = "2026-07-28", "2025-11-25"
USERS = ("ada", "bob")
EVERY_KIND = [
    (transport, revision, tool)
    for transport in ("stdio", "http")
    for revision in (MODERN, LEGACY, "2025-06-18")
    for tool in ("ask_together", "ask_unlinked")
    # A call of 2026 is answered with its questions: there are no others.
    if (revision, tool) != (MODERN, "ask_unlinked")
]
EACH = 4


async def ask_at_once(source: object, tool: str, *, together: int) -> tuple[list[str], int]:
    """Each user's calls, all at once: what they were asked that was not theirs, and how many got
    their own answer.
    """
    foreign: list[str] = []
    right = 0

    async def use(user: str, number: int) -> None:
        nonlocal right
        mine = f"{user} {number}"
        client = AskedClient(mine)
        arguments = {"message": mine, "together": together}
        found = await call(source, tool, client, arguments, principal=Principal("t", user))
        right += found["it"] == {"action": "accept", "content": {"name": mine, "age": 36}}
        foreign.extend(
            ask.params["message"]
            for ask in client.asks
            if ask.params["message"] != f"bank asks: {mine}"
        )

    async with anyio.create_task_group() as tasks:
        for user in USERS:
            for number in range(EACH):
                tasks.start_soon(use, user, number)
    return foreign, right


@pytest.mark.promise("ask.own")
@pytest.mark.parametrize(("transport", "revision", "tool"), EVERY_KIND)
async def test_two_users_at_once_are_never_asked_for_one_another(
    transport: str, revision: str, tool: str, listener: WaitingListener
) -> None:
    everybody = len(USERS) * EACH
    is_linked = revision == MODERN or (transport, tool) == ("http", "ask_together")
    async with asking_source(transport, revision, listener) as source:
        foreign, right = await ask_at_once(source, tool, together=everybody)
        assert foreign == []
        # Where nothing links a question to its call, nobody is asked while several are under way.
        assert right == (everybody if is_linked else 0)
        # From then on one call comes after the other, and each is asked its own.
        foreign, right = await ask_at_once(source, tool, together=1)
        assert (foreign, right) == ([], everybody)


@pytest.mark.promise("ask.own", "ask.isolated")
@pytest.mark.parametrize("transport", ["stdio", "http"])
@pytest.mark.parametrize("revision", [MODERN, LEGACY])
async def test_with_isolation_two_users_are_asked_side_by_side(
    transport: str, revision: str, listener: WaitingListener
) -> None:
    async with asking_source(transport, revision, listener, isolation="principal") as source:
        waiting = anyio.Event()

        async def think(ask: object) -> dict[str, object]:
            await waiting.wait()
            return {"action": "decline"}

        slow, quick = AskedClient("ada", answer=think), AskedClient("bob")
        tool = "ask_form" if revision == MODERN else "ask_unlinked"

        async def use_slowly() -> None:
            await call(source, tool, slow, principal=Principal("t", "ada"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(use_slowly)
            await slow.asked.wait()
            found = await call(source, tool, quick, principal=Principal("t", "bob"))
            assert found["it"]["content"]["name"] == "bob"
            waiting.set()
        assert len(slow.asks) == len(quick.asks) == 1


@pytest.mark.promise("ask.serial")
async def test_a_server_that_must_be_called_one_at_a_time_is_remembered(
    listener: WaitingListener,
) -> None:
    memory = build_memory(Remembering())
    async with asking_source("stdio", LEGACY, listener, memory=memory) as source:
        with anyio.fail_after(PATIENT_S):
            await memory.cache.saved.wait()
        (known,) = memory.cache.known.values()
        assert not known.is_serial
        memory.cache.saved = anyio.Event()
        await ask_at_once(source, "ask_together", together=2 * EACH)
        with anyio.fail_after(PATIENT_S):
            await memory.cache.saved.wait()
    (known,) = memory.cache.known.values()
    assert known.is_serial
    assert {tool["name"] for tool in known.tools} >= {"ask_form"}
    async with asking_source("stdio", LEGACY, listener, memory=memory) as source:
        assert await ask_at_once(source, "ask_form", together=1) == ([], 2 * EACH)
    (known,) = memory.cache.known.values()
    assert known.is_serial


@pytest.mark.promise("ask.serial")
async def test_what_was_remembered_is_forgotten_once_the_server_links_its_questions(
    listener: WaitingListener,
) -> None:
    memory = build_memory(Remembering())
    async with asking_source("stdio", MODERN, listener, memory=memory) as source:
        source._mode.recall(is_learned=True)
        assert source._mode.is_serial
        await source._contents.settled.wait()
        await source._owner._relist(source._owner._life.connection)
    async with asking_source("stdio", MODERN, listener, memory=memory) as source:
        assert await ask_at_once(source, "ask_together", together=2 * EACH) == ([], 2 * EACH)
        assert not source._mode.is_serial
    (known,) = memory.cache.known.values()
    assert not known.is_serial


async def test_a_configured_mode_is_kept_to(listener: WaitingListener) -> None:
    async with asking_source("stdio", LEGACY, listener, mode="serial") as source:
        assert await ask_at_once(source, "ask_form", together=1) == ([], 2 * EACH)
    async with asking_source("stdio", LEGACY, listener, mode="parallel") as source:
        for _ in range(2):
            foreign, _ = await ask_at_once(source, "ask_together", together=2 * EACH)
            assert foreign == []
        assert not source._mode.is_serial


@pytest.mark.promise("ask.own")
async def test_a_call_that_was_given_up_and_goes_on_asks_nobody(listener: WaitingListener) -> None:
    async with asking_source("stdio", LEGACY, listener) as source:
        gone, here = AskedClient("ada"), AskedClient("bob")
        pid = (await call(source, "stay", here))["pid"]
        with anyio.move_on_after(0.3) as scope:
            await call(source, "haunt", gone)
        assert scope.cancelled_caught
        events = (await call(source, "host", here))["events"]
        assert (gone.asks, here.asks) == ([], [])
        assert "nobody was asked: a request that was given up may still be running" in events[0]
        # With its process ends whatever still runs in it, and the next question is clear again.
        assert (await call(source, "ask_form", here))["it"]["content"]["name"] == "bob"
        assert (await call(source, "stay", here))["pid"] != pid


async def test_a_call_of_the_same_client_is_not_kept_from_asking(
    listener: WaitingListener,
) -> None:
    async with asking_source("stdio", LEGACY, listener) as source:
        client = AskedClient("ada")
        with anyio.move_on_after(0.3):
            await call(source, "hang", client)
        assert (await call(source, "ask_form", client))["it"]["content"]["name"] == "ada"


async def test_log_lines_that_could_be_of_several_calls_are_given_to_nobody(
    listener: WaitingListener,
) -> None:
    async with asking_source("stdio", MODERN, listener) as source:
        clients = [AskedClient(log_level="debug") for _ in range(2)]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, source, "stay", clients[0], {"s": 1.0})
            await anyio.sleep(0.3)
            await call(source, "logs", clients[1])
        assert [client.lines for client in clients] == [[], []]
