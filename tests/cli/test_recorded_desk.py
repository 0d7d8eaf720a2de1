"""The tools of 42 real servers through the command: unique names, stubs that are Python."""

import ast
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cli.shell import Shell

from toolweft.bootstrap import open_app
from toolweft.cli.session import IN_MEMORY
from toolweft.config import load_settings
from toolweft.programs.stubs import Detail, render_stub


@pytest.mark.data
@pytest.mark.promise("catalog.names-stay")
def test_every_tool_of_the_desk_is_listed_under_names_of_its_own(bare: Shell, data: Path) -> None:
    servers = data / "servers"
    desk = ("--config", str(servers / "mcp-all.json"), "--recorded", str(servers / "tools"))
    ended = bare.spawn("tools", *desk, "--json")
    assert ended.code == 0, ended.err
    tools = ended.json["tools"]
    assert len(tools) == 830
    for key in ("python_name", "wire_name"):
        assert len({tool[key] for tool in tools}) == 830
    assert all(part.isidentifier() for tool in tools for part in tool["python_name"].split("."))

    # As if each server had been the last to come: nobody else is called otherwise.
    config = json.loads((servers / "mcp-all.json").read_text("utf-8"))
    names = sorted(config["mcpServers"])
    left_out = random.Random(7).sample(names, 5)
    for index, gone in enumerate(left_out):
        kept = {name: config["mcpServers"][name] for name in reversed(names) if name != gone}
        path = bare.write(f"desk-{index}.json", json.dumps({"mcpServers": kept}))
        fewer = bare("tools", "--config", str(path), *desk[2:], "--json").json["tools"]
        assert {t["python_name"]: t["wire_name"] for t in fewer} == {
            t["python_name"]: t["wire_name"] for t in tools if t["namespace"] != gone
        }


@pytest.mark.data
@pytest.mark.parametrize("detail", ["typed", "full"])
async def test_every_stub_of_the_desk_is_python(data: Path, tmp_path: Path, detail: Detail) -> None:
    settings = load_settings(
        config=data / "servers" / "mcp-all.json",
        recorded=data / "servers" / "tools",
        environ={},
        cwd=tmp_path,
        home=tmp_path,
    )
    async with open_app(replace(settings, ledger=IN_MEMORY)) as app:
        await app.settle()
        tools = list(app.catalog.snapshot.tools.values())
    assert len(tools) == 830
    for tool in tools:
        (function,) = ast.parse(render_stub(tool, detail=detail)).body
        assert isinstance(function, ast.AsyncFunctionDef)
        assert function.name == tool.python_name
