"""`load` inside a program, over a host that is a dict."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.sandbox.guest import handles
from toolweft.sandbox.guest.handles import READ_BYTES, Handle, bind_load
from toolweft.sandbox.guest.names import Blob, ToolError

MEDIA_TYPE = "image/png"


class Host:
    """Answers `load.info` and `load.read`; counts the reads."""

    def __init__(self, content: bytes, kind: str, **more: Any) -> None:
        self.content = content
        self.known = {
            "id": "h_1",
            "kind": kind,
            "size_bytes": len(content),
            "rows": None,
            "media_type": MEDIA_TYPE,
            **more,
        }
        self.reads = 0

    async def call(self, name: str, arguments: dict[str, Any], _line: int | None) -> Any:
        if arguments["handle"] not in {"h_1", "data"}:
            raise ToolError("there is no such handle", "handle_not_found")
        if name == "load.info":
            return dict(self.known)
        assert name == "load.read"
        self.reads += 1
        start, size = arguments["start"], arguments["size"]
        assert 1 <= size <= READ_BYTES
        return Blob(self.content[start : start + size])

    def load(self, key: str = "data") -> Handle:
        variables: dict[str, Any] = {}
        bind_load(variables, self.call)
        handle: Handle = variables["load"](key)
        return handle


async def collect(chunks: Any) -> list[Any]:
    return [chunk async for chunk in chunks]


ROWS = [{"i": i, "text": "é" * i} for i in range(10)]
AS_ARRAY = json.dumps(ROWS, ensure_ascii=False).encode()
AS_LINES = "\n".join(json.dumps(row) for row in ROWS).encode()


@pytest.mark.parametrize(("content", "kind"), [(AS_ARRAY, "json"), (AS_LINES, "json_lines")])
async def test_rows_are_the_same_whole_in_chunks_and_at_the_head(content: bytes, kind: str) -> None:
    host = Host(content, kind)
    assert await host.load() == ROWS
    assert await collect(host.load().chunks(4)) == [ROWS[:4], ROWS[4:8], ROWS[8:]]
    assert await collect(host.load().chunks()) == [ROWS]
    assert await collect(host.load()) == ROWS
    assert await host.load().head(3) == ROWS[:3]
    assert (await host.load().text()).encode() == content
    assert await host.load().raw() == content


async def test_text_comes_as_lines_and_bytes_as_pieces() -> None:
    text = Host("\ufeffå\r\nb\n\nc".encode(), "text")
    assert await text.load() == "å\r\nb\n\nc"
    assert await collect(text.load().chunks(2)) == [["å", "b"], ["", "c"]]
    assert await text.load().head(1) == ["å"]

    binary = Host(b"0123456789", "binary")
    loaded = await binary.load()
    assert (loaded, loaded.media_type) == (b"0123456789", MEDIA_TYPE)
    assert await collect(binary.load().chunks(4)) == [b"0123", b"4567", b"89"]
    assert await collect(binary.load()) == [b"0123456789"]
    assert await binary.load().head(2) == b"01"
    assert await Host(b"", "binary").load().head(2) == b""


async def test_large_pieces_are_put_together_from_several_reads() -> None:
    content = bytes(range(256)) * (READ_BYTES // 100)
    host = Host(content, "binary")
    size = READ_BYTES + 1
    pieces = await collect(host.load().chunks(size))
    assert b"".join(pieces) == content
    assert {len(piece) for piece in pieces[:-1]} == {size}


async def test_an_object_has_no_rows_but_a_head() -> None:
    host = Host(b'{"a": 1, "b": 2, "c": 3}', "json")
    assert await host.load() == {"a": 1, "b": 2, "c": 3}
    assert await host.load().head(2) == {"a": 1, "b": 2}
    with pytest.raises(ToolError, match="one JSON value") as refused:
        await collect(host.load().chunks())
    assert refused.value.hint == "value = await load(h)"


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"[1,", "json"), (b"{", "json"), (b"nope", "json_lines"), (b"\xff", "text"), (b"", "json")],
)
async def test_content_that_is_not_its_kind_can_still_be_had_raw(content: bytes, kind: str) -> None:
    host = Host(content, kind)
    with pytest.raises(ToolError) as refused:
        await host.load()
    assert refused.value.code == "invalid_content"
    assert "raw()" in (refused.value.hint or "")
    assert await host.load().raw() == content


async def test_text_of_another_encoding_is_read_when_it_is_named() -> None:
    host = Host("é;ö".encode("cp1252"), "text")
    with pytest.raises(ToolError, match="not UTF-8") as refused:
        await host.load().text()
    assert "text('cp1252')" in (refused.value.hint or "")
    assert await host.load().text("cp1252") == "é;ö"
    assert await Host("a\nb".encode("utf-16"), "text").load().text("utf-16") == "a\nb"
    with pytest.raises(ToolError, match="not utf-16 text"):
        await Host(b"\xff\xfea", "text").load().text("utf-16")


@pytest.mark.parametrize("content", [b"[" * 99_999 + b"]" * 99_999, b'{"a":' * 99_999])
async def test_what_is_nested_too_deeply_is_a_fault_of_the_content(content: bytes) -> None:
    with pytest.raises(ToolError, match="nested too deeply") as refused:
        await Host(content, "json").load()
    assert refused.value.code == "invalid_content"


@pytest.mark.parametrize("n", [0, -1, True, "2", 1.5])
async def test_a_number_that_is_none_is_refused(n: Any) -> None:
    handle = Host(AS_ARRAY, "json").load()
    with pytest.raises(ValueError, match="takes a number from 1 on"):
        handle.chunks(n)
    with pytest.raises(ValueError, match="takes a number from 1 on"):
        await handle.head(n)


async def test_a_handle_is_loaded_by_its_address_too() -> None:
    host = Host(AS_ARRAY, "json")
    assert await host.load("toolweft://handles/h_1").head(n=1) == ROWS[:1]
    assert await collect(host.load("toolweft://handles/h_1").chunks(n=10)) == [ROWS]


async def test_reading_the_head_reads_no_more_than_the_first_piece() -> None:
    host = Host(b"[" + b"1," * READ_BYTES + b"1]", "json")
    assert await host.load().head(2) == [1, 1]
    assert host.reads <= 2


async def test_a_forgotten_await_says_what_to_write() -> None:
    handle = Host(AS_ARRAY, "json").load()
    for use in (lambda: handle[0], lambda: len(handle), lambda: list(handle), lambda: 1 in handle):
        with pytest.raises(TypeError, match=r"write value = await load"):
            use()
    assert "await load('data')" in repr(handle)
    await handle.info()
    assert repr(handle) == f"<handle json, {len(AS_ARRAY)} bytes: await load('h_1')>"


async def test_an_unknown_handle_is_a_tool_error_and_what_is_no_key_a_type_error() -> None:
    host = Host(b"", "text")
    with pytest.raises(ToolError, match="no such handle"):
        await host.load("other")
    with pytest.raises(TypeError, match="not dict"):
        host.load({"id": "h_1"})  # type: ignore[arg-type]
    for size in (0, -1, True, "x"):
        with pytest.raises(ValueError, match="from 1 on"):
            host.load().chunks(size)  # type: ignore[arg-type]


def test_what_the_program_itself_calls_load_stays() -> None:
    for own in (5, len, "x"):
        variables: dict[str, Any] = {"load": own}
        bind_load(variables, Host(b"", "text").call)
        assert variables["load"] is own
    host = Host(b"", "text")
    variables = {}
    bind_load(variables, host.call)
    first = variables["load"]
    bind_load(variables, host.call)
    assert variables["load"] is not first
    handle = host.load()
    assert variables["load"](handle) is handle


@pytest.mark.parametrize(("content", "kind"), [(AS_ARRAY, "json"), (AS_LINES, "json_lines")])
async def test_a_query_reads_parts_by_path_pattern_and_window(content: bytes, kind: str) -> None:
    load = Host(content, kind).load
    assert (await load().query(path="$[*].i", window="2:4"))["rows"] == [2, 3]
    assert (await load().query(path="$[-1].i"))["rows"] == [9]
    assert (await load().query(path="$[1:3].i"))["rows"] == [1, 2]
    found = await load().query(grep='"i":[78]')
    assert (found["rows"], found["at"]) == (ROWS[7:9], [7, 8])
    page = await load().query(page=2, page_size=4)
    assert (page["rows"], page["start"], page["next"]) == (ROWS[4:8], 4, 8)
    for wrong in ({"path": "$..x"}, {"grep": "("}, {"window": "x"}):
        with pytest.raises(ToolError) as refused:
            await load().query(**wrong)
        assert refused.value.code == "invalid_arguments"


async def test_a_query_of_an_object_has_its_keys_or_its_one_list_as_rows() -> None:
    load = Host(b'{"items": [1, 2, 3], "n": 3}', "json").load
    assert (await load().query(path="$.items", window="1:"))["rows"] == [2, 3]
    assert (await load().query())["rows"] == [{"items": [1, 2, 3]}, {"n": 3}]
    assert (await load().query(path="$.n"))["rows"] == [3]
    with pytest.raises(ToolError, match="has no such parts"):
        await Host(b"a", "text").load().query(path="$.a")
    assert (await Host(b"a\nb", "text").load().query(grep="B"))["rows"] == ["b"]


@given(
    lines=st.lists(st.text("aé\U0001f600\r ", max_size=9), max_size=20),
    size=st.integers(1, 7),
    read_bytes=st.integers(1, 9),
)
def test_lines_are_the_same_for_any_size_of_chunk_and_read(lines, size, read_bytes) -> None:
    import anyio

    content = "\n".join(lines).encode()
    before = handles.READ_BYTES

    class Short(Host):
        async def call(self, name: str, arguments: dict[str, Any], line: int | None) -> Any:
            # A host may give less than was asked for.
            if name == "load.read":
                arguments = {**arguments, "size": min(read_bytes, arguments["size"])}
            return await super().call(name, arguments, line)

    async def check() -> None:
        host = Short(content, "text")
        chunks = await collect(host.load().chunks(size))
        assert all(len(chunk) == size for chunk in chunks[:-1])
        expected = content.decode().split("\n")
        if expected[-1] == "":
            expected.pop()
        assert [line for chunk in chunks for line in chunk] == [
            line.removesuffix("\r") for line in expected
        ]

    anyio.run(check)
    assert before == handles.READ_BYTES
