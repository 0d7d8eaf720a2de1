"""What sources and clients tell one another between calls: to whom it belongs, and to no other."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import mcp
import mcp_types as types
import pytest
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPError
from tests.gateway.library import PATIENT_S, Ear, gateway
from tests.gateway.test_gateway_attach import forwarded
from tests.sources.mcp.asked import http_server
from tests.sources.support import SERVERS

from toolweft.gateway.keys import hash_key

pytestmark = [
    pytest.mark.process,
    pytest.mark.network,
    # Of the SDK, for what the newest revision has no more.
    pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning"),
]

LEGACY = "2025-11-25"
TRANSPORTS = pytest.mark.parametrize("transport", ["stdio", "http"])
SURFACES = pytest.mark.parametrize("passes", [True, False], ids=["pass-through", "toolbox"])
USERS = ("anna", "ben")
KEYS = "".join(
    f'[[http.keys]]\nid = "{user}"\nsha256 = "{hash_key(user)}"\nuser = "{user}"\n'
    for user in USERS
)


@asynccontextmanager
async def bank(transport: str, **more: Any) -> AsyncIterator[dict[str, Any]]:
    """The configuration of a server that asks."""
    if transport == "stdio":
        args = [str(SERVERS / "asking.py"), "stdio", LEGACY]
        yield {"command": sys.executable, "args": args, **more}
        return
    async with http_server(LEGACY) as url:
        yield {"url": url, **more}


class Visitor(Ear):
    """Opens what it is asked to, has folders, and hears what it is told."""

    def __init__(self, name: str = "anna", *, action: str = "accept", passes: bool = False) -> None:
        super().__init__()
        self.name = name
        self.action = action
        self.folders = [name]
        # The ids that it was shown, and how often its folders were asked for.
        self.opened: list[str | None] = []
        self.asked_roots = 0
        self._passes = passes
        self._client: Any = None

    async def elicit(self, _context: Any, params: Any) -> types.ElicitResult:
        self.opened.append(params.elicitation_id)
        return types.ElicitResult(action=self.action)

    async def roots(self, _context: Any) -> types.ListRootsResult:
        self.asked_roots += 1
        return types.ListRootsResult(
            roots=[types.Root(uri=f"file:///{folder}") for folder in self.folders]
        )

    @property
    def completed(self) -> list[str]:
        """The ids of which it was told that they have done their work."""
        kind = types.ElicitCompleteNotification
        return [one.params.elicitation_id for one in self.heard if isinstance(one, kind)]

    @asynccontextmanager
    async def visiting(
        self, address: Any, *, key: str | None = None, mode: str = "legacy"
    ) -> AsyncIterator["Visitor"]:
        async with self._reaching(address, key) as transport:
            made = mcp.Client(
                transport,
                mode=mode,
                cache=None,
                message_handler=self,
                elicitation_callback=self.elicit,
                list_roots_callback=self.roots,
            )
            async with made as self._client:
                yield self

    @asynccontextmanager
    async def _reaching(self, address: Any, key: str | None) -> AsyncIterator[Any]:
        if key is None:
            yield address
            return
        headers = {"Authorization": f"Bearer {key}"}
        async with create_mcp_http_client(headers=headers) as http:
            yield streamable_http_client(address, http_client=http)

    async def use(self, tool: str, *, server: str = "bank", **arguments: Any) -> dict[str, Any]:
        """What a tool of the server answers."""
        with anyio.fail_after(PATIENT_S):
            if self._passes:
                result = await self._client.call_tool(tool, arguments)
                assert not result.is_error, result
                return result.structured_content
            given = {"name": f"{server}.{tool}", "arguments": arguments}
            result = await self._client.call_tool("call_tool", given)
            assert not result.is_error, result
            found: dict[str, Any] = json.loads(result.content[0].text)
            return found

    async def hear_of(self, number: str) -> None:
        """Return once it was told of that id."""
        await self.wait_until(lambda: number in self.completed)

    async def change_folders(self, *folders: str) -> None:
        self.folders = list(folders)
        await self._client.send_roots_list_changed()

    async def wait_for_events(self, count: int) -> list[str]:
        """What the server noted of folders, once that is so much."""
        with anyio.fail_after(PATIENT_S):
            while True:
                events = (await self.use("seen"))["events"]
                noted = [event for event in events if event.startswith("roots")]
                if len(noted) >= count:
                    return noted
                await anyio.sleep(0.02)


# ------------------------------------------------------------------------------- addresses


@SURFACES
@TRANSPORTS
@pytest.mark.promise("front.asides")
async def test_an_address_that_is_done_is_told_to_who_opened_it_alone(
    tmp_path: Path, transport: str, passes: bool
) -> None:
    async with (
        bank(transport) as server,
        gateway(tmp_path, {"bank": server}, pass_through=passes) as (_, address),
        Visitor("anna", passes=passes).visiting(address) as anna,
        Visitor("ben", passes=passes).visiting(address) as ben,
    ):
        await anna.use("open_page", id="of-anna")
        await ben.use("open_page", id="of-ben")
        await ben.use("finish_page", id="of-anna")
        await anna.hear_of("of-anna")
        await anna.use("finish_page", id="of-ben")
        await ben.hear_of("of-ben")
        # It has done its work already.
        await ben.use("finish_page", id="of-anna")
        await anna.use("open_page", id="last")
        await ben.use("finish_page", id="last")
        await anna.hear_of("last")

    assert (anna.completed, ben.completed) == (["of-anna", "last"], ["of-ben"])
    assert anna.opened == ["of-anna", "last"]


@TRANSPORTS
async def test_an_address_that_is_done_during_its_call_is_told_before_the_answer(
    tmp_path: Path, transport: str
) -> None:
    async with (
        bank(transport) as server,
        gateway(tmp_path, {"bank": server}) as (_, address),
        Visitor().visiting(address) as anna,
    ):
        await anna.use("open_page", id="soon", at_once=True)
        await anna.hear_of("soon")

    assert anna.completed == ["soon"]


async def test_a_program_that_had_an_address_opened_hears_of_it_too(tmp_path: Path) -> None:
    severity = {"default_config": {"severity": "write"}}
    async with (
        bank("stdio", **severity) as server,
        gateway(tmp_path, {"bank": server}) as (_, address),
        Visitor().visiting(address) as anna,
    ):
        code = "print(await bank.open_page(id='p'))"
        ran = await anna._client.call_tool("run_code", {"code": code})
        await anna.use("finish_page", id="p")
        await anna.hear_of("p")

    assert "accept" in ran.content[0].text


async def test_an_address_is_told_through_a_front_too(tmp_path: Path) -> None:
    async with (
        bank("stdio") as server,
        gateway(tmp_path, {"bank": server}) as (_, address),
        forwarded(address) as front,
        Visitor().visiting(front) as anna,
        Visitor("ben").visiting(address) as ben,
    ):
        await anna.use("open_page", id="far")
        await ben.use("finish_page", id="far")
        await anna.hear_of("far")

    assert ben.completed == []


async def test_an_id_that_two_clients_wait_for_is_told_to_neither(tmp_path: Path) -> None:
    async with (
        bank("stdio") as server,
        gateway(tmp_path, {"bank": server}) as (_, address),
        Visitor("anna").visiting(address) as anna,
        Visitor("ben").visiting(address) as ben,
    ):
        for visitor in (anna, ben):
            await visitor.use("open_page", id="same")
        await anna.use("finish_page", id="same")
        # One of any length goes to the client, and is not kept.
        await anna.use("open_page", id=10_000 * "x")
        await anna.use("finish_page", id=10_000 * "x")
        # Whatever is on its way comes before these.
        for visitor in (anna, ben):
            await visitor.use("open_page", id=visitor.name)
            await anna.use("finish_page", id=visitor.name)
            await visitor.hear_of(visitor.name)

    assert (anna.completed, ben.completed) == (["anna"], ["ben"])
    assert anna.opened == ["same", 10_000 * "x", "anna"]


async def test_an_id_that_two_servers_use_is_shown_as_two(tmp_path: Path) -> None:
    async with (
        bank("stdio") as one,
        bank("stdio") as other,
        gateway(tmp_path, {"bank": one, "shop": other}) as (_, address),
        Visitor().visiting(address) as anna,
    ):
        await anna.use("open_page", id="1")
        await anna.use("open_page", server="shop", id="1")
        of_bank, of_shop = anna.opened
        await anna.use("finish_page", server="shop", id="1")
        await anna.hear_of(str(of_shop))
        assert anna.completed == [of_shop]
        await anna.use("finish_page", id="1")
        await anna.hear_of(str(of_bank))

    assert of_bank == "1" != of_shop
    assert anna.completed == [of_shop, of_bank]


async def test_an_address_that_was_declined_is_waited_for_no_longer(tmp_path: Path) -> None:
    async with (
        bank("stdio") as server,
        gateway(tmp_path, {"bank": server}) as (_, address),
        Visitor("anna", action="decline").visiting(address) as anna,
        Visitor("ben").visiting(address) as ben,
    ):
        await anna.use("open_page", id="one")
        await ben.use("open_page", id="one")
        await ben.use("finish_page", id="one")
        await ben.hear_of("one")

    assert anna.completed == []


@pytest.mark.parametrize("way", ["isolated", "shared"])
async def test_ids_of_two_users_meet_only_where_they_share_a_server(
    tmp_path: Path, way: str
) -> None:
    isolation = {"isolation": "principal"} if way == "isolated" else {}
    async with (
        bank("stdio", **isolation) as server,
        gateway(tmp_path, {"bank": server}, toml=KEYS) as (_, address),
        Visitor("anna").visiting(address, key="anna") as anna,
        Visitor("ben").visiting(address, key="ben") as ben,
    ):
        for visitor in (anna, ben):
            await visitor.use("open_page", id="1")
        await anna.use("finish_page", id="1")
        await anna.use("open_page", id="last")
        await anna.use("finish_page", id="last")
        await anna.hear_of("last")

    assert anna.completed == (["1", "last"] if way == "isolated" else ["last"])
    assert ben.completed == []


async def test_the_error_that_wants_an_address_opened_is_followed_too(tmp_path: Path) -> None:
    async with (
        bank("stdio") as server,
        gateway(tmp_path, {"bank": server}, pass_through=True) as (_, address),
        Visitor("anna", passes=True).visiting(address) as anna,
        Visitor("ben", passes=True).visiting(address) as ben,
    ):
        with pytest.raises(MCPError) as caught:
            await anna.use("need_url", times=1)
        await ben.use("finish_page", id="e")
        await anna.hear_of("e")
        again = await anna.use("need_url", times=1)

    assert caught.value.error.code == types.URL_ELICITATION_REQUIRED
    assert caught.value.error.data["elicitations"][0]["elicitationId"] == "e"
    assert again == {"times": 2}
    assert ben.completed == []


async def test_a_client_of_2026_is_told_nothing_and_goes_on(tmp_path: Path) -> None:
    async with (
        bank("stdio") as server,
        gateway(tmp_path, {"bank": server}) as (_, address),
        Visitor().visiting(address, mode="auto") as anna,
        Visitor("ben").visiting(address) as ben,
    ):
        await anna.use("open_page", id="new")
        await anna.use("finish_page", id="new")
        await ben.use("open_page", id="old")
        await anna.use("finish_page", id="old")
        await ben.hear_of("old")

    assert anna.opened == [None]
    assert (anna.completed, ben.completed) == ([], ["old"])


# ----------------------------------------------------------------------------------- roots


@TRANSPORTS
@pytest.mark.promise("front.asides")
async def test_changed_folders_are_told_to_a_server_that_asked_for_them(
    tmp_path: Path, transport: str
) -> None:
    async with (
        bank(transport) as server,
        gateway(tmp_path, {"bank": server}) as (_, address),
        Visitor("anna").visiting(address) as anna,
        Visitor("ben").visiting(address) as ben,
    ):
        # Of ben nobody wanted to know.
        await ben.change_folders("elsewhere")
        await anna.use("ask_roots")
        await anna.change_folders("here", "there")
        noted = await anna.wait_for_events(1)
        await anna.change_folders("back")
        noted = await anna.wait_for_events(2)

    assert noted == ["roots ['file:///here', 'file:///there']", "roots ['file:///back']"]
    assert (anna.asked_roots, ben.asked_roots) == (3, 0)


@pytest.mark.promise("front.asides")
async def test_changed_folders_reach_the_process_of_their_own_user_alone(tmp_path: Path) -> None:
    async with (
        bank("stdio", isolation="principal") as server,
        gateway(tmp_path, {"bank": server}, toml=KEYS) as (_, address),
        Visitor("anna").visiting(address, key="anna") as anna,
        Visitor("ben").visiting(address, key="ben") as ben,
    ):
        for visitor in (anna, ben):
            await visitor.use("ask_roots")
        await anna.change_folders("anna's")
        of_anna = await anna.wait_for_events(1)
        await ben.change_folders("ben's")
        of_ben = await ben.wait_for_events(1)

    assert (of_anna, of_ben) == (['roots ["file:///anna\'s"]'], ['roots ["file:///ben\'s"]'])
    assert (anna.asked_roots, ben.asked_roots) == (2, 2)


async def test_a_server_that_two_users_share_hears_nothing_of_folders(tmp_path: Path) -> None:
    async with (
        bank("stdio") as server,
        gateway(tmp_path, {"bank": server}, toml=KEYS) as (_, address),
        Visitor("anna").visiting(address, key="anna") as anna,
        Visitor("ben").visiting(address, key="ben") as ben,
    ):
        for visitor in (anna, ben):
            await visitor.use("ask_roots")
        await anna.change_folders("secret")
        # The notification goes ahead of this, where it goes.
        await ben.use("open_page", id="1")
        events = (await ben.use("seen"))["events"]

    assert not [event for event in events if event.startswith("roots")]
    assert (anna.asked_roots, ben.asked_roots) == (1, 1)


async def test_with_a_call_under_way_a_question_about_changed_folders_is_nobodys(
    tmp_path: Path,
) -> None:
    async with (
        bank("stdio") as server,
        gateway(tmp_path, {"bank": server}) as (_, address),
        Visitor("anna").visiting(address) as anna,
        Visitor("ben").visiting(address) as ben,
    ):
        await anna.use("ask_roots")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(ben.use, "stay", s=2.0))
            while not (await anna.use("seen"))["staying"]:  # noqa: ASYNC110 (it tells nobody)
                await anyio.sleep(0.01)
            await anna.change_folders("later")
            (noted,) = await anna.wait_for_events(1)
        # In the next call it is clear again whose they are.
        found = await anna.use("ask_roots")

    assert "nobody was asked" in noted
    assert found["it"]["roots"][0]["uri"] == "file:///later"
    assert ben.asked_roots == 0


async def test_changes_that_come_fast_are_told_together(tmp_path: Path) -> None:
    async with (
        bank("stdio") as server,
        gateway(tmp_path, {"bank": server}) as (_, address),
        Visitor("anna").visiting(address) as anna,
    ):
        await anna.use("ask_roots")
        for number in range(50):
            await anna.change_folders(f"f{number}")
        with anyio.fail_after(PATIENT_S):
            while "f49" not in (await anna.wait_for_events(1))[-1]:  # noqa: ASYNC110 (as above)
                await anyio.sleep(0.02)

    assert anna.asked_roots <= 1 + 50
