"""`toolweft show TOOL`: everything known about one tool, and why it is treated as it is."""

import json
from typing import Annotated

import typer

from toolweft.catalog.pins.hidden import show_hidden
from toolweft.cli.describe import tool_to_dict
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import write, write_json
from toolweft.cli.session import open_session, run_async
from toolweft.core.json import JsonObject
from toolweft.core.snapshot import CatalogTool
from toolweft.programs.stubs import render_stub

__all__ = ("app", "render_tool", "show")

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
@with_common
def show(
    common: Common,
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="Full, bare or original name.")],
) -> None:
    """Show one tool: signature, schema, and why it is treated as it is."""
    found = run_async(lambda: _find_tool(common, tool))
    if common.json:
        write_json(_to_dict(found))
    else:
        write(render_tool(found))


async def _find_tool(common: Common, name: str) -> CatalogTool:
    async with open_session(common, keeps_ledger=False, tool=name) as app_:
        return app_.catalog.snapshot.resolve(name)


def _to_dict(tool: CatalogTool) -> JsonObject:
    definition = tool.definition
    return {
        **tool_to_dict(tool),
        "description": definition.description,
        "stub": render_stub(tool, detail="full"),
        "input_schema": definition.input_schema,
        "output_schema": definition.output_schema,
        "input_examples": [
            {"scenario": e.scenario, "input": e.input, "output": e.output, "notes": e.notes}
            for e in definition.input_examples
        ],
        "parameters": dict(tool.parameters),
    }


def render_tool(tool: CatalogTool) -> str:
    """The tool as a page of text."""
    definition = tool.definition
    facts = {
        "status": _because(tool.status, tool.status_reason),
        "severity": _because(tool.severity, tool.severity_reason),
        "callers": _because(" + ".join(sorted(tool.callers)) or "none", tool.callers_reason),
        "deferred": _because("yes" if tool.deferred else "no", tool.deferred_reason),
        "time-out": _because(f"{tool.timeout_s:g} s", tool.timeout_reason),
        "source": f"{definition.namespace}, where it is called {definition.name!r}",
    }
    lines = [f"{key:<9} {value}" for key, value in facts.items()]
    parts = [
        render_stub(tool, detail="full").rstrip(),
        "\n".join(lines),
        f"input schema\n{json.dumps(definition.input_schema, indent=2, ensure_ascii=False)}",
    ]
    if definition.output_schema is not None:
        output = json.dumps(definition.output_schema, indent=2, ensure_ascii=False)
        parts.append(f"output schema\n{output}")
    if tool.flags:
        parts.append("suspicious\n" + "\n".join(f"  {show_hidden(str(f))}" for f in tool.flags))
    if tool.example_faults:
        faults = "\n".join(f"  {fault}" for fault in tool.example_faults)
        parts.append(f"examples left out\n{faults}")
    return "\n\n".join(parts)


def _because(value: str, reason: str) -> str:
    return f"{value}: {reason}" if reason else value
