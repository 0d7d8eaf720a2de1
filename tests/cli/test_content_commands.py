"""`toolweft resources` and `toolweft prompts`."""

import json
import sys
from pathlib import Path

import pytest
from tests.cli.shell import Shell

LIBRARY = Path(__file__).parents[1] / "fixtures" / "servers" / "library.py"


def serve(shell: Shell, *modes: str) -> Shell:
    server = {"command": sys.executable, "args": [str(LIBRARY), "stdio", "modern", *modes]}
    (shell.folder / "mcp.json").write_text(json.dumps({"mcpServers": {"books": server}}))
    return shell


@pytest.fixture
def books(bare: Shell) -> Shell:
    return serve(bare)


def test_resources_are_listed_with_their_templates(books: Shell) -> None:
    plain, told = books("resources"), books("resources", "--json")

    assert plain.code == 0
    assert "memo://insights" in plain.out
    assert "3 resources, 1 templates" in plain.err
    assert [one["name"] for one in told.json["resources"]] == ["insights", "picture", "secret"]
    assert told.json["templates"][0]["uriTemplate"] == "memo://shelf/{shelf}"


def test_a_resource_is_read_and_bytes_are_kept(books: Shell) -> None:
    text, picture = books("resources", "memo://insights"), books("resources", "memo://picture")
    kept = books("resources", "memo://picture", "-o", "picture.png")
    missing = books("resources", "memo://nowhere")

    assert text.out == "about memo://insights\n"
    assert picture.out == "[image/png, 5 bytes; -o FILE writes them]\n"
    assert kept.code == 0
    assert (books.folder / "picture.png").read_bytes() == b"hello"
    assert (missing.code, missing.out) == (1, "")
    assert "Resource not found" in missing.err


def test_prompts_are_listed_and_filled_in(books: Shell) -> None:
    listed = books("prompts")
    filled, told = (
        books("prompts", "summarise", "topic=12"),
        books("prompts", "summarise", "topic=12", "--json"),
    )
    unknown = books("prompts", "sumarise")

    assert "summarise  topic" in listed.out
    assert filled.out == "user: summarise 12\n"
    assert told.json["messages"][0]["content"]["text"] == "summarise 12"
    assert unknown.code == 1
    assert "there is no prompt 'sumarise'" in unknown.err


@pytest.mark.promise("pins.contents")
@pytest.mark.parametrize(
    ("command", "name"), [("resources", "memo://insights"), ("prompts", "summarise")]
)
def test_what_is_suspicious_is_said_with_its_place(bare: Shell, command: str, name: str) -> None:
    books = serve(bare, "poisoned")
    listed, told = books(command), books(command, "--json")

    assert listed.code == 0
    assert f"warning: suspicious: {name}: $.description: characters that nobody sees" in listed.err
    assert f"{name}: $.description: it keeps something from the user" in listed.err
    assert {(flag["name"], flag["kind"]) for flag in told.json["flags"]} >= {
        (name, "hidden"),
        (name, "instruction"),
    }
    # It is listed as it is, unless such text is to be held back.
    assert name in listed.out
    books.write("toolweft.toml", 'include = ["mcp.json"]\n[pins]\nflagged = "suspend"\n')
    assert name not in books(command).out
    assert "is held back: it is suspicious (hidden, instruction)" in books(command, name).err


@pytest.mark.promise("pins.contents")
def test_the_doctor_names_what_is_suspicious(bare: Shell) -> None:
    told = serve(bare, "poisoned")("doctor").out
    assert "note: prompt summarise is suspicious: $.description: characters" in told
    assert "note: resource memo://insights is suspicious: $.description: it keeps" in told
