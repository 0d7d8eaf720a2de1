"""Stored results as a model and a client see them."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.programs.fakes import ANN, BEN, World, make_tool, open_world
from tests.toolbox.test_toolbox import make_toolbox

from toolweft.core.calls import Blob, LinkContent, TextContent, ToolResult
from toolweft.core.errors import HandleNotFound, InvalidArguments, SandboxUnavailable
from toolweft.core.handles import Draft
from toolweft.core.ids import CallId
from toolweft.toolbox import Toolbox, ToolboxOptions
from toolweft.toolbox.preview import MAX_PREVIEW_CHARACTERS, render_start
from toolweft.toolbox.resources import ResourceRequest, parse_resource

READ = make_tool("notes.read", description="Read all notes")
OPTIONS = ToolboxOptions(max_result_tokens=100, max_resource_bytes=1_000)
ROWS = [{"id": i, "city": f"city {i}"} for i in range(200)]


def answer(world: World, value: Any = None, **fields: Any) -> None:
    """Let the one tool answer with this."""

    async def call(request: Any) -> ToolResult:
        if "encoded" not in fields:
            fields["encoded"] = json.dumps(value, separators=(",", ":")).encode()
        return ToolResult(call_id=CallId(request.id), value=value, **fields)

    world.road.call = call  # type: ignore[method-assign]


async def ask(box: Toolbox) -> Any:
    return await box.invoke("call_tool", {"name": "notes.read"})


@pytest.mark.promise("handles.links")
async def test_a_result_that_is_too_large_is_shown_by_its_start_and_a_link() -> None:
    async with open_world(READ) as world:
        box = make_toolbox(world, OPTIONS)
        answer(world, ROWS)
        reply = await ask(box)
        (handle,) = await box.handles.owned()
    assert reply.content == (
        LinkContent(uri=handle.uri, name=handle.id, media_type="application/json"),
    )
    assert reply.text.startswith(f"[json, 200 rows, {handle.size_bytes:,} bytes: kept")
    assert '{"id":0,"city":"city 0"}\n{"id":1,"city":"city 1"}' in reply.text
    assert f'await load("{handle.id}")' in reply.text
    assert len(reply.text) < 500
    assert json.loads(world.handles.contents[handle.id]) == ROWS
    assert handle.expires_at - handle.created_at == timedelta(hours=1)


async def test_a_small_result_is_shown_as_ever() -> None:
    async with open_world(READ) as world:
        answer(world, ROWS[:2])
        reply = await ask(make_toolbox(world, OPTIONS))
    assert (json.loads(reply.text), reply.content) == (ROWS[:2], ())
    assert world.handles.contents == {}


async def test_long_text_is_kept_as_text() -> None:
    async with open_world(READ) as world:
        answer(world, "a line\n" * 200, content=(TextContent("a line\n" * 200),))
        reply = await ask(make_toolbox(world, OPTIONS))
    assert reply.text.startswith("[text, 200 lines, 1,400 bytes: kept")
    assert list(world.handles.contents.values()) == [b"a line\n" * 200]


async def test_images_reach_the_model_and_other_bytes_become_links() -> None:
    image = Blob(data=b"\x89PNG", media_type="image/png")
    sound = Blob(data=b"RIFF", media_type="audio/wav")
    paper = Blob(data=b"%PDF-1.7", media_type="application/pdf")
    async with open_world(READ) as world:
        box = make_toolbox(world, OPTIONS)
        blobs = [image, paper, sound]
        answer(world, blobs, encoded=b"", content=tuple(blobs))
        reply = await ask(box)
        (handle,) = await box.handles.owned()
    link = LinkContent(uri=handle.uri, name=handle.id, media_type="application/pdf")
    assert reply.content == (image, link, sound)
    assert reply.text == f'[application/pdf, 8 bytes: await load("{handle.id}")]'
    assert world.handles.contents[handle.id] == b"%PDF-1.7"


async def test_the_image_a_program_ends_with_stands_beside_its_text() -> None:
    async with open_world(READ) as world:
        box = make_toolbox(world, OPTIONS)
        code = "print('a dot')\nBlob(data=b'PNG', media_type='image/png')"
        reply = await box.invoke("run_code", {"code": code})
        plain = await box.invoke("run_code", {"code": "1"})
    assert reply.text.startswith('a dot\n=> {"media_type":"image/png","size_bytes":3}')
    assert reply.content == (Blob(data=b"PNG", media_type="image/png"),)
    assert plain.content == ()


async def test_a_result_that_came_as_a_handle_is_shown_by_its_start() -> None:
    async with open_world(READ) as world:
        text = b'[{"id":1},' + b" " * 10_000 + b"2]"
        handle = await world.handles.keep(text, owner=ANN, draft=Draft(kind="json", rows=2))
        answer(world, None, encoded=b"", handle=handle)
        reply = await ask(make_toolbox(world, OPTIONS))
    assert '[{"id":1},' in reply.text
    assert len(reply.text) < MAX_PREVIEW_CHARACTERS + 400
    assert [block.uri for block in reply.content] == [handle.uri]


async def test_where_nothing_can_be_kept_the_text_is_cut_as_before() -> None:
    async with open_world(READ) as world:
        world.handles.max_bytes = 10
        answer(world, ["x" * 1_000])
        options = ToolboxOptions(max_result_tokens=100, shown_result_characters=200)
        reply = await ask(make_toolbox(world, options))
    assert "characters not shown" in reply.text
    assert not reply.is_error


async def test_put_takes_a_path_or_bytes_and_a_later_one_wins(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("a,b\n1,2\n")
    async with open_world(READ) as world:
        box = make_toolbox(world)
        first = await box.put("rows", str(file))
        assert (first.name, first.kind, first.media_type, first.rows) == (
            "rows",
            "text",
            "text/csv",
            2,
        )
        second = await box.put("rows", b"\0\1", media_type="application/x-own")
        assert (await box.handles.find("rows")).id == second.id
        with pytest.raises(HandleNotFound):
            await make_toolbox(world, principal=BEN).handles.find("rows")
        await box.handles.drop("rows")
        with pytest.raises(HandleNotFound):
            await box.handles.find(second.id)


@pytest.mark.parametrize("name", [5, None, b"x"])
async def test_a_name_that_is_no_text_is_refused(name: Any) -> None:
    async with open_world(READ) as world:
        with pytest.raises(InvalidArguments, match="name is a") as refused:
            await make_toolbox(world).put(name, b"x")
    assert "put(" in (refused.value.hint or "")


@pytest.mark.parametrize("wrong", [{"source": {"a": 1}}, {"source": b"x", "kind": "jsonl"}])
async def test_what_cannot_be_put_is_refused_with_what_can(wrong: dict[str, Any]) -> None:
    async with open_world(READ) as world:
        with pytest.raises(InvalidArguments) as refused:
            await make_toolbox(world).put("x", **wrong)
    assert any(word in (refused.value.hint or "") for word in ("json_lines", "json.dumps"))


async def test_text_that_is_not_utf_8_is_read_as_the_bytes_it_is() -> None:
    async with open_world(READ) as world:
        box = make_toolbox(world)
        handle = await box.put("x", "é;ö".encode("cp1252"), kind="text", media_type="text/csv")
        content = await box.handles.read(handle.uri)
    assert (content.media_type, content.content) == ("text/csv", b"\xe9;\xf6")


async def test_small_handles_are_read_whole_and_large_ones_in_parts() -> None:
    async with open_world(READ) as world:
        box = make_toolbox(world, OPTIONS)
        small = await box.put("small", b'{"a": 1}')
        assert (await box.handles.read(small.uri)).content == '{"a": 1}'
        binary = await box.put("binary", bytes(range(256)) * 3, kind="binary")
        assert (await box.handles.read(binary.uri)).content == bytes(range(256)) * 3
        assert (await box.handles.read(f"{binary.uri}?slice=2:4")).content == b"\2\3"
        assert (await box.handles.read(f"{binary.uri}?slice=766:")).content == b"\xfe\xff"
        assert (await box.handles.read(f"{binary.uri}?page=2")).content == b""
        large = await box.put("large", b"[" + b"1," * 1_000 + b"1]")
        with pytest.raises(InvalidArguments, match="at most 1,000 are read") as refused:
            await box.handles.read(large.uri)
        assert "?page=1" in (refused.value.hint or "")
        for query in ("path=$.a", "grep=x", "slice=x"):
            with pytest.raises(InvalidArguments):
                await box.handles.read(f"{binary.uri}?{query}")
        # The fake sandbox has no `load`, and says so.
        with pytest.raises(SandboxUnavailable, match="cannot read parts"):
            await box.handles.read(f"{large.uri}?page=1")


async def test_a_part_of_bytes_is_all_that_was_asked_for_or_refused() -> None:
    async with open_world(READ) as world:
        box = make_toolbox(world, OPTIONS)
        binary = await box.put("binary", bytes(3_000), kind="binary")
        for part in ("slice=:1000", "slice=2000:", "slice=2500:9999"):
            assert set((await box.handles.read(f"{binary.uri}?{part}")).content) == {0}
        assert (await box.handles.read(f"{binary.uri}?slice=9:2")).content == b""
        for part in ("slice=0:1001", "slice=:", "page=1", "page=1&page_size=1"):
            with pytest.raises(InvalidArguments, match="at most 1,000 are read") as refused:
                await box.handles.read(f"{binary.uri}?{part}")
            assert "?slice=0:1000, then from 1000 on" in (refused.value.hint or "")


async def test_somebody_elses_address_reads_as_unknown() -> None:
    async with open_world(READ) as world:
        theirs = await make_toolbox(world, principal=BEN).put("x", b"secret")
        for uri in (theirs.uri, f"{theirs.uri}?page=1", "toolweft://handles/h_0"):
            with pytest.raises(HandleNotFound):
                await make_toolbox(world).handles.read(uri)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", {}),
        ("?page=2", {"page": 2}),
        ("?page=2&page_size=5", {"page": 2, "page_size": 5}),
        # Whoever says how long a page is wants one.
        ("?grep=a&page_size=2", {"grep": "a", "page": 1, "page_size": 2}),
        ("?slice=0:10", {"window": "0:10"}),
        ("?path=%24.items%5B*%5D.id", {"path": "$.items[*].id"}),
        ("?path=$.items[*].id&grep=a+b%2Bc", {"path": "$.items[*].id", "grep": "a b+c"}),
    ],
)
def test_an_address_says_what_is_wanted(query: str, wanted: dict[str, Any]) -> None:
    request = parse_resource(f"toolweft://handles/h_1{query}")
    assert request == ResourceRequest(key="h_1", **wanted)
    assert request.is_whole == (not wanted)


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "toolweft://handles/",
        "toolweft:handles/h_1",
        "toolweft://handles/h_1?",
        "toolweft://handles/h_1?page=0",
        "toolweft://handles/h_1?page=x",
        "toolweft://handles/h_1?page=٣",
        "toolweft://handles/h_1?page=1&page=2",
        "toolweft://handles/h_1?sort=a",
        "toolweft://handles/h_1?slice=-10:",
        "toolweft://handles/h_1?slice=5",
        "toolweft://handles/h_1?slice=٣:",
        "toolweft://handles/h_1?slice=0:5&page=2",
        "toolweft://handles/h_1?slice=0:5&page_size=2",
        "toolweft://handles/h_1?grep=",
        "toolweft://handles/h_1?grep=" + "x" * 501,
        "toolweft://handles/h_1?nonsense",
    ],
)
def test_an_address_that_makes_no_sense_is_refused(uri: str) -> None:
    if uri.endswith("h_1?"):
        assert parse_resource(uri).is_whole
        return
    with pytest.raises(InvalidArguments) as refused:
        parse_resource(uri)
    assert refused.value.hint


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=30,
    )
)
def test_a_start_is_short_whatever_the_value(value: Any) -> None:
    assert len(render_start(value)) <= MAX_PREVIEW_CHARACTERS + 1


def test_the_start_of_an_object_names_its_keys_and_shows_its_rows() -> None:
    text = render_start({"items": ROWS, "next": None, "text": "x" * 500, "more": {"a": 1}})
    assert text.split("\n") == [
        "items: list of 200",
        "next: null",
        "text: text of 500 characters",
        "more: object with 1 keys",
        'its longest list begins: {"id":0,"city":"city 0"}',
    ]
