"""Resources, prompts and completions of servers, by the official client in both eras."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import mcp
import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError
from tests.gateway.library import PATIENT_S, client_of, gateway, library, library_over_http

pytestmark = [
    pytest.mark.network,
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]
BOTH = pytest.mark.parametrize("mode", ["auto", "legacy"])
# What stands behind the gateway.
ALL = pytest.mark.parametrize(
    "behind", ["modern stdio", "legacy stdio", "modern http", "legacy http"]
)


async def everything(listing: Any, field: str) -> list[Any]:
    """All pages of a list."""
    found: list[Any] = []
    cursor = None
    while True:
        page = await listing(cursor=cursor)
        found += getattr(page, field)
        cursor = page.next_cursor
        if cursor is None:
            return found


async def refusal(awaitable: Any) -> MCPError:
    with pytest.raises(MCPError) as caught:
        await awaitable
    return caught.value


@pytest.mark.promise("sources.contents")
@ALL
@BOTH
async def test_everything_of_a_server_is_listed_and_used_through_the_gateway(
    tmp_path: Path, mode: str, behind: str
) -> None:
    era, transport = behind.split()
    if transport == "http":
        async with library_over_http(era) as books:
            await use_everything(tmp_path, books, mode)
    else:
        await use_everything(tmp_path, library(era), mode)


async def use_everything(folder: Path, books: dict[str, Any], mode: str) -> None:
    async def answer(_context: Any, _params: Any) -> types.ElicitResult:
        return types.ElicitResult(action="accept", content={"name": "Anna"})

    async with (
        gateway(folder, {"books": books}) as (_, address),
        mcp.Client(address, mode=mode, cache=None, elicitation_callback=answer) as client,
    ):
        resources = (await client.list_resources()).resources
        templates = (await client.list_resource_templates()).resource_templates
        prompts = (await client.list_prompts()).prompts
        text = await client.read_resource("memo://insights")
        picture = await client.read_resource("memo://picture")
        shelf = await client.read_resource("memo://shelf/two")
        asked = await client.read_resource("memo://ask")
        prompt = await client.get_prompt("summarise", {"topic": "tide"})
        asked_prompt = await client.get_prompt("ask")
        of_prompt = await client.complete(
            types.PromptReference(name="summarise"),
            {"name": "topic", "value": "t"},
            context_arguments={"language": "en"},
        )
        of_template = await client.complete(
            types.ResourceTemplateReference(uri="memo://shelf/{shelf}"),
            {"name": "shelf", "value": "o"},
        )

    assert [resource.uri for resource in resources] == [
        "memo://insights",
        "memo://picture",
        "memo://secret",
    ]
    assert resources[0].title == "Insights"
    assert resources[0].icons[0].src == "https://example.com/book.png"
    assert resources[0].meta["example/number"] == 2**60
    assert [template.uri_template for template in templates][1:] == ["memo://shelf/{shelf}"]
    assert [prompt.name for prompt in prompts] == ["summarise", "media", "ask"]
    assert prompts[0].arguments[0].required is True
    assert text.contents[0].text == "about memo://insights"
    assert (picture.contents[0].blob, picture.contents[0].mime_type) == ("aGVsbG8=", "image/png")
    assert shelf.contents[0].text == "about memo://shelf/two"
    assert asked.contents[0].text == "for Anna"
    assert (prompt.description, prompt.messages[0].content.text) == ("d", "summarise tide")
    assert asked_prompt.messages[0].content.text == "for Anna"
    assert of_prompt.completion.values == ['summarise/topic/t/{"language": "en"}']
    assert of_template.completion.values == ["memo://shelf/{shelf}/shelf/o/{}"]


@BOTH
async def test_what_two_servers_have_is_shown_with_their_names(tmp_path: Path, mode: str) -> None:
    servers = {"books": library("modern"), "papers": library("legacy")}
    async with gateway(tmp_path, servers) as (_, address), client_of(address, mode) as client:
        uris = [one.uri for one in (await client.list_resources()).resources]
        names = [one.name for one in (await client.list_prompts()).prompts]
        uri = "toolweft://resources/papers/memo://insights"
        read = await client.read_resource(uri)
        prompt = await client.get_prompt("papers.summarise", {"topic": "tide"})
        completed = await client.complete(
            types.ResourceTemplateReference(uri="toolweft://resources/books/memo://shelf/{shelf}"),
            {"name": "shelf", "value": "o"},
        )
        unclear = await refusal(client.read_resource("memo://insights"))
        unclear_prompt = await refusal(client.get_prompt("summarise", {"topic": "tide"}))

    assert uris[0] == "toolweft://resources/books/memo://insights"
    assert uri in uris
    assert len(uris) == 6
    assert {"books.summarise", "papers.summarise"} <= set(names)
    # The server was asked by its own address, and the client finds the one it asked by.
    assert (read.contents[0].uri, read.contents[0].text) == (uri, "about memo://insights")
    assert prompt.messages[0].content.text == "summarise tide"
    assert completed.completion.values == ["memo://shelf/{shelf}/shelf/o/{}"]
    assert unclear.code == (-32602 if mode == "auto" else -32002)
    assert "toolweft://resources/papers/memo://insights" in unclear.message
    assert unclear.data == {"uri": "memo://insights"}
    assert unclear_prompt.code == -32602
    assert "papers.summarise" in unclear_prompt.message


@BOTH
@pytest.mark.parametrize(("era", "code"), [("modern", -32602), ("legacy", -32002)])
async def test_an_error_keeps_the_servers_code_and_data(
    tmp_path: Path, mode: str, era: str, code: int
) -> None:
    server = library(era, env={"TOKEN": "env:TOKEN"})
    async with (
        gateway(tmp_path, {"books": server}) as (_, address),
        client_of(address, mode) as client,
    ):
        missing = await refusal(client.read_resource("memo://hunter2hunter2"))
        incomplete = await refusal(client.get_prompt("summarise"))

    assert (missing.code, missing.message) == (code, "Resource not found")
    # A server that repeats what it was given in confidence is masked.
    assert missing.data == {"uri": "memo://***", "looked": ["here", None]}
    assert (incomplete.code, incomplete.data) == (-32602, {"argument": "topic"})


@BOTH
async def test_a_bad_server_neither_delays_nor_hides_the_others(tmp_path: Path, mode: str) -> None:
    servers = {
        "absent": {"command": "/nowhere/to/be/found"},
        "hanging": library("modern", "hang"),
        "endless": library("modern", "endless"),
        "odd": library("legacy", "odd", "no-templates"),
        "bare": library("only-tools"),
    }
    async with gateway(tmp_path, {}) as _:
        pass
    async with gateway(tmp_path, servers, settles=False) as (_, address):
        with anyio.fail_after(PATIENT_S):
            async with client_of(address, mode) as client:
                # A client of the stateless revision that does not listen is told nothing.
                while len(found := (await client.list_resources()).resources) < 6:  # noqa: ASYNC110
                    await anyio.sleep(0.05)
                uris = [one.uri for one in found]
                prompts = [one.name for one in (await client.list_prompts()).prompts]
                gone = await refusal(client.read_resource("toolweft://resources/absent/a:b"))

    assert {uri.split("/")[3] for uri in uris} == {"endless", "odd"}
    assert {name.split(".")[0] for name in prompts} == {"endless", "odd"}
    assert "there is no resource" in gone.message


@BOTH
async def test_a_server_that_is_remembered_starts_with_the_first_read(
    tmp_path: Path, mode: str
) -> None:
    servers = {"books": library("modern")}
    async with gateway(tmp_path, servers):
        pass
    async with gateway(tmp_path, servers) as (app, address), client_of(address, mode) as client:
        listed = [one.uri for one in (await client.list_resources()).resources]
        prompts = [one.name for one in (await client.list_prompts()).prompts]
        before = app.sources.statuses()["books"].state
        await client.read_resource("memo://insights")
        after = app.sources.statuses()["books"].state

    assert listed == ["memo://insights", "memo://picture", "memo://secret"]
    assert prompts == ["summarise", "media", "ask"]
    assert (before, after) == ("idle", "ready")


@BOTH
async def test_what_the_configuration_leaves_out_is_not_there(tmp_path: Path, mode: str) -> None:
    servers = {
        "books": library("modern", resources=False),
        "papers": library("modern", prompts=False),
    }
    async with gateway(tmp_path, servers) as (_, address), client_of(address, mode) as client:
        uris = [one.uri for one in (await client.list_resources()).resources]
        names = [one.name for one in (await client.list_prompts()).prompts]
        left_out = await refusal(client.read_resource("toolweft://resources/books/memo://insights"))

    assert "memo://insights" in uris
    assert "summarise" in names
    assert "there is no resource" in left_out.message


@BOTH
async def test_an_answer_above_the_cap_is_refused_with_its_size(tmp_path: Path, mode: str) -> None:
    async with (
        gateway(tmp_path, {"books": library("modern")}) as (_, address),
        client_of(address, mode) as client,
    ):
        error = await refusal(client.read_resource("memo://huge"))

    assert error.code == types.INTERNAL_ERROR
    assert "above 16,777,216 bytes" in error.message


async def test_lists_hold_as_long_as_the_least_of_their_parts(tmp_path: Path) -> None:
    async with (
        gateway(tmp_path, {"books": library("modern")}) as (_, address),
        client_of(address, "auto") as client,
    ):
        resources = await client.list_resources()
        templates = await client.list_resource_templates()
        prompts = await client.list_prompts()
        read = await client.read_resource("memo://insights")

    # Stored results of this client stand among them, and come and go.
    assert (resources.ttl_ms, resources.cache_scope) == (0, "private")
    assert (templates.ttl_ms, templates.cache_scope) == (120_000, "public")
    assert (prompts.ttl_ms, prompts.cache_scope) == (30_000, "private")
    assert (read.ttl_ms, read.cache_scope) == (0, "private")


async def test_reads_and_prompts_stand_in_the_ledger_without_arguments(tmp_path: Path) -> None:
    async with (
        gateway(tmp_path, {"books": library("modern")}) as (app, address),
        client_of(address, "auto") as client,
    ):
        await client.read_resource("memo://shelf/one?token=hunter2")
        await client.get_prompt("summarise", {"topic": "hunter2"})
        await refusal(client.read_resource("memo://nowhere"))
        await app.ledger.flush()

    rows = read_ledger(tmp_path / "ledger.db")
    assert [(what, status) for what, status, _ in rows] == [
        ("books: resources/read memo://shelf/one", "started"),
        ("books: resources/read memo://shelf/one", "ok"),
        ("books: prompts/get summarise", "started"),
        ("books: prompts/get summarise", "ok"),
        ("books: resources/read memo://nowhere", "started"),
        ("books: resources/read memo://nowhere", "source_refused"),
    ]
    assert rows[1][2] > 50
    assert "hunter2" not in json.dumps(rows)


def read_ledger(path: Path) -> list[tuple[str, str, int]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(
            "select tool, status, bytes_out from ledger_events"
            " where kind = 'content_used' order by id"
        ).fetchall()


@BOTH
async def test_many_entries_come_in_pages(tmp_path: Path, mode: str) -> None:
    async with (
        gateway(tmp_path, {"books": library("modern", "many")}) as (_, address),
        client_of(address, mode) as client,
    ):
        found = await everything(client.list_resources, "resources")
        wrong = await refusal(client.list_resources(cursor="9999999"))

    assert len({one.uri for one in found}) == 1_203
    assert wrong.code == types.INVALID_PARAMS


@pytest.mark.parametrize("revision", ["2024-11-05", "2025-11-25"])
async def test_a_sound_is_text_for_a_revision_without_sounds(tmp_path: Path, revision: str) -> None:
    async with gateway(tmp_path, {"books": library("modern")}) as (_, address):
        content = (await get_prompt_by_hand(address, revision))["messages"][0]["content"]

    if revision == "2024-11-05":
        assert content == {"type": "text", "text": "[audio/wav, 6 bytes]"}
    else:
        assert content == {"type": "audio", "data": "aGVsbG8h", "mimeType": "audio/wav"}


async def get_prompt_by_hand(address: str, revision: str) -> Any:
    """A prompt for a client of a revision that the SDK's own no longer asks for."""
    import httpx2

    headers = {"accept": "application/json, text/event-stream"}

    async def post(http: Any, **message: Any) -> Any:
        response = await http.post(address, json={"jsonrpc": "2.0", **message}, headers=headers)
        data = [line[6:] for line in response.text.splitlines() if line.startswith("data: {")]
        headers["mcp-session-id"] = response.headers.get(
            "mcp-session-id", headers.get("mcp-session-id", "")
        )
        return json.loads(data[-1])["result"] if data else None

    client_info = {"name": "t", "version": "0"}
    hello = {"protocolVersion": revision, "capabilities": {}, "clientInfo": client_info}
    wanted = {"name": "media", "arguments": {"topic": "tide"}}
    async with httpx2.AsyncClient() as http:
        await post(http, id=1, method="initialize", params=hello)
        await post(http, method="notifications/initialized")
        headers["mcp-protocol-version"] = revision
        return await post(http, id=2, method="prompts/get", params=wanted)
