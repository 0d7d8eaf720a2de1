"""`toolweft cache clear`, and commands that live on what is remembered."""

import json
import sys
from pathlib import Path

import pytest
from tests.cli.shell import Shell

pytestmark = pytest.mark.process

PLAIN = Path(__file__).parent.parent / "fixtures" / "servers" / "plain.py"


@pytest.mark.promise("discovery.shown")
def test_what_was_listed_once_is_listed_without_its_server_until_it_is_cleared(bare: Shell) -> None:
    script = bare.write("server.py", PLAIN.read_text("utf-8"))
    server = {"command": sys.executable, "args": [str(script)]}
    bare.write("mcp.json", json.dumps({"mcpServers": {"plain": server}}))
    first = bare("tools", "--json")
    assert first.code == 0, first.err
    script.unlink()

    again = bare("tools", "--json")
    assert [tool["name"] for tool in again.json["tools"]] == [
        tool["name"] for tool in first.json["tools"]
    ]
    called = bare("call", "plain.echo", "word=tide")
    assert called.code == 1
    assert "No such file" in called.err or "exited with code 2" in called.err
    assert bare("doctor").code == 1

    cleared = bare("cache", "clear", "--json")
    assert (cleared.json["files"], cleared.json["bytes"] > 0) == (4, True)
    assert bare("tools", "--json").json["tools"] == []
