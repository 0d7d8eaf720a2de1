"""Servers are changed in a file's text, and every other byte stays."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.config.clients.editing import decide_tools, edit_servers, written_servers
from toolweft.config.clients.files import parse_bytes
from toolweft.config.clients.json_edit import edit_json
from toolweft.config.clients.toml_edit import edit_toml
from toolweft.config.json_text import plain_json
from toolweft.core.errors import ConfigError

SPACE = st.sampled_from(["", " ", "\n", "\n    ", "\t", "\r\n", " // {x,\n", "/* ] , */", " \n\n"])
NAMES = st.sampled_from(["git", "time", "a b", "ü", '"', "//", "toolweft"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("// no, }"),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(st.text(max_size=3), below),
    max_leaves=4,
)
SERVERS = st.dictionaries(NAMES, VALUES, max_size=5)


@st.composite
def written(draw: st.DrawFn, value: Any) -> str:
    """The value as somebody might have written it, comments and last commas included."""
    space = lambda: draw(SPACE)  # noqa: E731 - a word for it
    if isinstance(value, dict | list):
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        items = [
            (f"{json.dumps(item)}{space()}:{space()}" if isinstance(value, dict) else "")
            + draw(written(value[item] if isinstance(value, dict) else item))
            for item in value
        ]
        parts = [space() + item + space() for item in items]
        last = "," + space() if parts and draw(st.booleans()) else space()
        return opening + ",".join(parts) + last + closing
    return json.dumps(value, ensure_ascii=draw(st.booleans()))


def meaning(text: str) -> Any:
    return json.loads(plain_json(text))


@given(st.data(), SERVERS, SERVERS, st.sets(NAMES))
def test_json_means_what_it_should_after_any_edit(
    data: st.DataObject, servers: dict[str, Any], added: dict[str, Any], gone: set[str]
) -> None:
    text = data.draw(written({"before": 1, "mcpServers": servers, "after": [1]}))
    added = {name: value for name, value in added.items() if name in gone or name not in servers}

    edited = edit_json(text, "mcpServers", remove=gone, add=added)

    kept = {name: value for name, value in servers.items() if name not in gone}
    assert meaning(edited) == {"before": 1, "mcpServers": {**kept, **added}, "after": [1]}


@given(st.data(), SERVERS)
def test_json_without_a_change_stays_as_it_is(data: st.DataObject, servers: dict[str, Any]) -> None:
    text = data.draw(written({"mcpServers": servers}))

    assert edit_json(text, "mcpServers", remove=(), add={}) == text


TABLES = st.dictionaries(
    st.sampled_from(["git", "a.b", "ü", "x y"]),
    st.dictionaries(
        st.sampled_from(["command", "args", "odd key"]),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
        | st.lists(st.text("[]{}#'\"\n\\x", max_size=6), max_size=3)
        | st.booleans()
        | st.integers(-(2**62), 2**62),
        max_size=3,
    ),
    max_size=4,
)


@given(TABLES, TABLES, st.sets(st.sampled_from(["git", "a.b", "ü"])), st.booleans())
def test_toml_means_what_it_should_after_any_edit(
    tables: dict[str, Any], added: dict[str, Any], gone: set[str], windows: bool
) -> None:
    top = "# first\nmodel = 'o'  # which\n\n[other]\nx = [\n  ['[t]'],\n]\n\n"
    text = edit_toml(top, "mcp_servers", remove=(), add=tables) + "[end]\n# last"
    text = text.replace("\n", "\r\n") if windows else text
    added = {name: value for name, value in added.items() if name in gone or name not in tables}

    edited = edit_toml(text, "mcp_servers", remove=gone, add=added)

    kept = {name: value for name, value in tables.items() if name not in gone}
    found = tomllib.loads(edited)
    assert found.get("mcp_servers", {}) == {**kept, **added}
    assert found["other"] == {"x": [["[t]"]]}
    assert edited.startswith(top.replace("\n", "\r\n") if windows else top)
    assert "# last" in edited
    assert ("\n" in edited.replace("\r\n", "")) is not windows


def edit(text: str, name: str, root: str, **change: Any) -> str:
    content = text.encode()
    document = parse_bytes(content, Path(name))
    return edit_servers(
        content, document, root, **{"remove": (), "add": {}, **change}
    ).decode()  # fmt: skip


def test_a_json_file_keeps_its_layout_and_comments() -> None:
    text = """{
\t// mine
\t"theme": "dark",
\t"mcpServers": {
\t\t// the first
\t\t"git": {
\t\t\t"command": "git-mcp" // inside
\t\t},
\t\t"kept": {"command": "x"}, // about kept
\t\t/* the last */
\t\t"time": {"command": "y"}, // about time
\t}, // end
}
"""
    edited = edit(
        text, "mcp.json", "mcpServers", remove={"git", "time"}, add={"toolweft": {"command": "t"}}
    )

    assert (
        edited
        == """{
\t// mine
\t"theme": "dark",
\t"mcpServers": {
\t\t// the first
\t\t"toolweft": {
\t\t\t"command": "t"
\t\t},
\t\t"kept": {"command": "x"}, // about kept
\t\t/* the last */
\t}, // end
}
"""
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", '{\n  "s": {\n    "t": 1\n  }\n}\n'),
        ("{}", '{\n  "s": {\n    "t": 1\n  }\n}'),
        ('{"a": 1}', '{"a": 1, "s": {"t": 1}}'),
        ('{"s": {}}', '{"s": {\n  "t": 1\n}}'),
        ('{\n    "s": {\n        // none\n    }\n}', None),
        ('{"s": {"a": 1}}', '{"s": {"a": 1, "t": 1}}'),
        ('{\r\n "s": {\r\n  "a": 1 // x\r\n }\r\n}', None),
    ],
)
def test_an_entry_is_added_where_there_was_none(text: str, expected: str | None) -> None:
    edited = edit_json(text, "s", remove=(), add={"t": 1})

    assert meaning(edited)["s"]["t"] == 1
    assert expected is None or edited == expected
    for comment in ("// none", "// x\r\n"):
        assert (comment in edited) is (comment in text)


def test_a_toml_file_keeps_its_layout_and_comments() -> None:
    text = """model = "gpt"   # which

# about git
[mcp_servers.git]
command = "git-mcp"  # inside
args = [
  "[mcp_servers.fake]",
]

[mcp_servers.git.env]
A = "b"

# about kept
[mcp_servers.kept]
command = "x"
[profiles.fast]
model = 'small'
[mcp_servers.late]
url = "https://example.com"
"""
    edited = edit(
        text,
        "config.toml",
        "mcp_servers",
        remove={"git", "late"},
        add={"toolweft": {"command": "t", "args": ["a"]}},
    )

    assert (
        edited
        == """model = "gpt"   # which

# about git
[mcp_servers.toolweft]
command = "t"
args = ["a"]

# about kept
[mcp_servers.kept]
command = "x"
[profiles.fast]
model = 'small'
"""
    )
    content = text.encode()
    document = parse_bytes(content, Path("config.toml"))
    servers = document.data["mcp_servers"]
    restored = edit(
        edited,
        "config.toml",
        "mcp_servers",
        remove={"toolweft"},
        add={name: servers[name] for name in ("git", "late")},
        written=written_servers(content, document, "mcp_servers"),
    )
    assert tomllib.loads(restored) == tomllib.loads(text)
    assert 'command = "git-mcp"  # inside' in restored


@pytest.mark.parametrize(
    ("text", "is_refused"),
    [
        ('mcp_servers = { git = { command = "x" } }\n', True),
        ('mcp_servers.git.command = "x"\nmcp_servers.kept = {command = "y"}\n', False),
        ('[mcp_servers]\ngit = {command = "x"}\nkept = {command = "y"}\n', False),
    ],
)
def test_toml_in_other_spellings_is_changed_rightly_or_not_at_all(
    text: str, *, is_refused: bool
) -> None:
    change = {"remove": {"git"}, "add": {"toolweft": {"command": "t"}}}
    if is_refused:
        with pytest.raises(ConfigError, match="cannot be changed") as refusal:
            edit(text, "config.toml", "mcp_servers", **change)
        assert "[mcp_servers.NAME]" in str(refusal.value.hint)
        return
    edited = edit(text, "config.toml", "mcp_servers", **change)
    before = tomllib.loads(text)["mcp_servers"]
    del before["git"]
    assert tomllib.loads(edited) == {"mcp_servers": {**before, "toolweft": {"command": "t"}}}


def test_a_byte_order_mark_stays() -> None:
    content = b'\xef\xbb\xbf{"mcpServers": {"a": {"command": "x"}}}'
    document = parse_bytes(content, Path("mcp.json"))

    edited = edit_servers(content, document, "mcpServers", remove={"a"}, add={"b": {}})

    assert edited == b'\xef\xbb\xbf{"mcpServers": {"b": {}}}'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.toml", ""),
        ("t.toml", '[servers.r]\ncommand = "r"\n[servers.r.configs]\na = { enabled = false }\n'),
        ("t.toml", '[servers.r.configs."x*"]\nenabled = true\n[python.p]\ntarget = "p"'),
        ("t.toml", "[servers.r]\ncommand='r'\n[servers.r.configs.'get']\ntimeout = 3\n"),
        ("m.json", '{"mcpServers": {"r": {"command": "r"}}}'),
        ("m.json", '{"servers": {"r": {"command": "r", "toolweft": {"configs": {"a": {}}}}}}'),
    ],
)
def test_decisions_about_tools_are_written_into_what_is_there(name: str, text: str) -> None:
    content = text.encode()
    document = parse_bytes(content, Path(name))
    rules = {"r": {"get": {"severity": "read_only"}, "a*b": {"severity": "destructive"}}}

    edited = parse_bytes(decide_tools(content, document, rules), Path(name)).data

    before = (document.data.get("servers") or document.data.get("mcpServers") or {"r": {}})["r"]
    server = (edited.get("servers") or edited["mcpServers"])["r"]
    configs = server["configs"] if name == "t.toml" else server["toolweft"]["configs"]
    assert configs["get"]["severity"] == "read_only"
    assert configs["a*b"] == {"severity": "destructive"}
    assert server.get("command") == before.get("command")
