"""A program loads what a link of a tool leads to."""

import json
import sys
from pathlib import Path

import pytest

from toolweft.bootstrap import open_app
from toolweft.config import load_settings
from toolweft.core.calls import LOCAL

pytestmark = [
    pytest.mark.process,
    pytest.mark.timeout(180),
    pytest.mark.promise("programs.links"),
]

LIBRARY = Path(__file__).parents[1] / "fixtures" / "servers" / "library.py"
PROGRAM = """
link = await books.link(uri="memo://insights")
print(link["source"], await load(link))
try:
    await load(await papers.link(uri="memo://nowhere"))
except ToolError as error:
    print(error.code)
picture = await load(await papers.link(uri="memo://picture")).raw()
print(picture)
"""


async def test_a_program_loads_the_resource_of_the_server_that_linked_it(tmp_path: Path) -> None:
    # Both have the same resources, so only the link tells whose is meant.
    server = {
        "command": sys.executable,
        "args": [str(LIBRARY), "stdio", "modern", "links"],
        "toolweft": {"default_config": {"severity": "read_only"}},
    }
    config = tmp_path / "mcp.json"
    servers = {"books": server, "papers": server}
    config.write_text(json.dumps({"mcpServers": servers}), encoding="utf-8")
    settings = load_settings(
        config=config,
        overrides={
            "ledger.url": f"sqlite:///{tmp_path / 'ledger.db'}",
            "handles.folder": str(tmp_path / "handles"),
        },
        environ={},
        cwd=tmp_path,
        home=tmp_path,
    )
    async with open_app(settings) as app:
        await app.settle()
        outcome = await app.toolbox_for(LOCAL).run(PROGRAM)

        assert outcome.stdout.splitlines() == [
            "books about memo://insights",
            "source_refused",
            "b'hello'",
        ], outcome.error
        assert [call.tool for call in outcome.calls] == ["books.link", "load"] + [
            "papers.link",
            "load",
        ] * 2
        assert [call.status for call in outcome.calls if call.tool == "load"] == [
            "ok",
            "source_refused",
            "ok",
        ]
