"""What another process is answered about tools counts in one that runs."""

import json
import sys
from pathlib import Path

import pytest

from toolweft.bootstrap import App, open_app
from toolweft.config import load_settings
from toolweft.core.answers import Answer
from toolweft.core.calls import LOCAL, Caller, ToolResult
from toolweft.core.ids import QualifiedName, RunId, SourceName, ToolName
from toolweft.stores import AnswerFile

pytestmark = [pytest.mark.process, pytest.mark.promise("cli.first-use-elsewhere")]

SERVER = Path(__file__).parents[1] / "fixtures" / "servers" / "plain.py"
PROGRAM = Caller(type="programmatic", program_id=RunId("run_1"), call_index=1)
SHOP = SourceName("shop")


async def call(app: App, name: str) -> ToolResult:
    return await app.toolbox_for(LOCAL).call(name, {}, caller=PROGRAM)


def code_of(result: ToolResult) -> str:
    return "" if result.failure is None else result.failure.code


async def test_an_answer_given_elsewhere_counts_at_the_next_call(tmp_path: Path) -> None:
    config = tmp_path / "mcp.json"
    server = {"command": sys.executable, "args": [str(SERVER)]}
    config.write_text(json.dumps({"mcpServers": {"shop": server}}), encoding="utf-8")
    settings = load_settings(
        config=config,
        overrides={"ledger.url": "sqlite://"},
        environ={},
        cwd=tmp_path,
        home=tmp_path,
    )
    async with open_app(settings) as app:
        await app.settle()
        refused = await call(app, "shop.echo")
        assert code_of(refused) == "denied"
        before = app.catalog.snapshot

        other = AnswerFile(settings.answers_path, reached=settings.pins.servers)
        pin_hash = before.tools[QualifiedName("shop.echo")].pin_hash
        answer = Answer(pin_hash=pin_hash, severity="read_only")
        other.add({SHOP: {ToolName("echo"): answer}})
        # Nobody looks before somebody calls.
        assert app.catalog.snapshot is before

        assert code_of(await call(app, "shop.echo")) == ""
        severity = app.catalog.snapshot.tools[QualifiedName("shop.echo")].severity
        assert severity == "read_only"
        assert app.answers.known[SHOP] == {ToolName("echo"): answer}

        # The others are as before, and an unchanged file makes no new snapshot.
        now = app.catalog.snapshot
        assert code_of(await call(app, "shop.environment")) == "denied"
        assert app.catalog.snapshot is now

        # Whoever takes the file away takes no answer away.
        settings.answers_path.unlink()
        assert code_of(await call(app, "shop.environment")) == "denied"
        assert code_of(await call(app, "shop.echo")) == ""
