"""Text to data, with lines."""

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.config.documents import Document, parse_document, read_document
from toolweft.core.errors import ConfigError

KEYS = st.text(max_size=6)
JSON = st.dictionaries(
    KEYS,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=6),
        lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=3),
        max_leaves=12,
    ),
    max_size=4,
)


def parse_json(text: str) -> Document:
    return parse_document(text, path=Path("mcp.json"), label="mcp.json")


def parse_toml(text: str) -> Document:
    return parse_document(text, path=Path("toolweft.toml"), label="toolweft.toml")


def key_paths(value: object, path: tuple = ()) -> set[tuple]:
    if isinstance(value, dict):
        return {
            found
            for key, below in value.items()
            for found in ({(*path, key)} | key_paths(below, (*path, key)))
        }
    if isinstance(value, list):
        return {found for i, below in enumerate(value) for found in key_paths(below, (*path, i))}
    return set()


@given(JSON)
def test_every_key_of_json_has_a_line(data: dict) -> None:
    document = parse_json(json.dumps(data, indent=1))

    assert document.data == data
    assert set(document.lines) == key_paths(data)
    assert list(document.lines.values()) == sorted(document.lines.values())


@given(JSON)
def test_escapes_and_line_ends_do_not_confuse_the_lines(data: dict) -> None:
    text = json.dumps(data, indent=1, ensure_ascii=False).replace("\n", "\r\n")
    # A raw line separator inside a text is not a new line of the file.
    document = parse_json(text)

    assert max(document.lines.values(), default=1) <= text.count("\n") + 1


def test_the_place_of_a_key_is_its_line_or_that_of_what_holds_it() -> None:
    document = parse_json('{\n "a": {\n  "b": [1, {"c": 2}]\n }\n}')

    assert document.place(("a", "b")) == "mcp.json:3"
    assert document.place(("a", "b", 1, "c")) == "mcp.json:3"
    assert document.place(("a", "unknown")) == "mcp.json:2"
    assert document.place(("unknown",)) == "mcp.json"


def test_lines_of_toml_follow_tables_lists_and_long_texts() -> None:
    text = '''# a comment
profile = "open"
[limits]
"memory" = "1 GiB"   # = not a key
[servers.git]
command = """
fake = "inside"
[not.a.table]
"""
args = [
  "a",
]
env.TOKEN = "env:X"
[servers."dotted.name".configs.'git_*']
enabled = false
[[http.keys]]
id = "one"
[[http.keys]]
id = "two"
'''
    document = parse_toml(text)

    assert document.data == tomllib.loads(text)
    assert dict(document.lines) == {
        ("profile",): 2,
        ("limits",): 3,
        ("limits", "memory"): 4,
        ("servers", "git"): 5,
        ("servers", "git", "command"): 6,
        ("servers", "git", "args"): 10,
        ("servers", "git", "env", "TOKEN"): 13,
        ("servers", "dotted.name", "configs", "git_*"): 14,
        ("servers", "dotted.name", "configs", "git_*", "enabled"): 15,
        ("http", "keys", 0): 16,
        ("http", "keys", 0, "id"): 17,
        ("http", "keys", 1): 18,
        ("http", "keys", 1, "id"): 19,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1,,}', r"mcp\.json:1:\d: not valid JSON"),
        ('{\n  "a" 1\n}', r"mcp\.json:2:7: not valid JSON: Expecting ':' delimiter"),
        ("", r"mcp\.json:1:1: not valid JSON"),
        ("[]", r"mcp\.json: an object is needed at the top, not list"),
        ("null", r"mcp\.json: an object is needed at the top, not NoneType"),
        ("[" * 100_000, r"mcp\.json: nested too deeply"),
        ('{"a": ' + "1" * 5_000 + "}", r"mcp\.json: a number in it has more digits"),
        ('{"s": {"a": 1,\n"a": 2}}', r"mcp\.json:2: the key 'a' was already given in line 1"),
    ],
)
def test_broken_json_is_told_with_line_and_column(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_json(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[limits]\nmemory = = 1", r"toolweft\.toml:2:10: not valid TOML: Invalid value"),
        ("a = 1\na = 2", r"toolweft\.toml:2:6: not valid TOML: Cannot overwrite a value"),
        ('a = "open', r"toolweft\.toml:1:10: not valid TOML"),
        ("a = 1\nb = '''", r"toolweft\.toml:2:8: not valid TOML"),
        ("a = " + "[" * 20_000, r"toolweft\.toml: nested too deeply"),
        ("a = " + "1" * 5_000, r"toolweft\.toml: a number in it has more digits"),
    ],
)
def test_broken_toml_is_told_with_line_and_column(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as failure:
        parse_toml(text)
    assert "at line" not in failure.value.message


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')

    assert read_document(path, label="mcp.json").data == {"a": 1}


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'a = "\xe9"')

    with pytest.raises(ConfigError, match=r"'gone\.json' does not exist"):
        read_document(tmp_path / "gone.json", label="gone.json")
    with pytest.raises(ConfigError, match=r"latin\.toml: byte 5 is not UTF-8"):
        read_document(latin, label="latin.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_document(tmp_path, label="folder")


@pytest.mark.parametrize(
    "text",
    [
        '{\n // a comment\n "a": 1}',
        '{"a": 1 /* a\ncomment */}',
        '{"a": 1,\n}',
        '{"a": 1, // last\n}',
        '/**/{"a": 1}//',
    ],
)
def test_json_of_editors_may_have_comments_and_a_last_comma(text: str) -> None:
    assert parse_json(text).data == {"a": 1}


def test_what_looks_like_a_comment_in_a_text_is_kept() -> None:
    assert parse_json('{"a": "http://x/*y*/,}", "b": ["\\"//", 1,],}').data == {
        "a": "http://x/*y*/,}",
        "b": ['"//', 1],
    }


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('{"a" 1}', "look at line 1, column 6"),
        ('{"a": 1 /* open }', "end this comment"),
        ('{"a": 1,,}', "look at line 1"),
        ("{,}", "look at line 1"),
        ('{"a": [,]}', "look at line 1"),
    ],
)
def test_broken_json_says_where_to_look(text: str, hint: str) -> None:
    with pytest.raises(ConfigError) as failure:
        parse_document(text, path=Path("mcp.json"), label="mcp.json")

    assert failure.value.hint is not None
    assert failure.value.hint.startswith(hint)


def test_toml_lists_in_lists_are_no_tables() -> None:
    text = (
        'a = [\n  ["x = 1"],\n  [ "y" ],\n]\nb."c\\u0064" = 1\r\n[t]#c\n[ u . v ]\n'
        'w = """""q"""\nx=1'
    )
    document = parse_toml(text)

    assert dict(document.lines) == {
        ("a",): 1,
        ("b", "cd"): 5,
        ("t",): 6,
        ("u", "v"): 7,
        ("u", "v", "w"): 8,
        ("u", "v", "x"): 9,
    }
