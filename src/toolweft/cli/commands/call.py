"""`toolweft call TOOL`: one direct call, on the same road as every other."""

from typing import Annotated

import typer

from toolweft.cli.arguments import parse_arguments
from toolweft.cli.exit_codes import ExitCode
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import note, write, write_error, write_json
from toolweft.cli.results import render_result
from toolweft.cli.session import open_session, run_async
from toolweft.core.calls import LOCAL, ToolResult

__all__ = ("app", "call")

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
@with_common
def call(
    common: Common,
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="Full, bare or original name.")],
    pairs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Arguments; KEY:=JSON for any JSON."),
    ] = None,
    *,
    arguments: Annotated[
        str | None, typer.Option("--args", "-a", metavar="JSON", help="Arguments as an object.")
    ] = None,
) -> None:
    """Call one tool.

    A value is read as JSON where it parses and the tool's schema wants that type.
    """
    result = run_async(lambda: _call(common, tool, pairs=pairs or [], object_text=arguments))
    if common.json:
        write_json({**result.to_dict(), "call_id": result.call_id, "usage": _usage(result)})
    elif result.failure is not None:
        failure = result.failure
        write_error(failure.code, failure.message, hint=failure.hint)
    else:
        write(render_result(result))
    if common.verbosity > 0:
        note(f"{result.usage.duration_ms:.1f} ms, {result.usage.bytes_out} bytes")
    if result.is_error:
        raise typer.Exit(ExitCode.FAILED)


async def _call(
    common: Common, name: str, *, pairs: list[str], object_text: str | None
) -> ToolResult:
    async with open_session(common) as app_:
        tool = app_.catalog.snapshot.resolve(name)
        arguments = parse_arguments(
            pairs, object_text=object_text, schema=tool.definition.input_schema
        )
        return await app_.toolbox_for(LOCAL).call(tool.qualified, arguments)


def _usage(result: ToolResult) -> dict[str, float]:
    return {
        "duration_ms": round(result.usage.duration_ms, 3),
        "bytes_in": result.usage.bytes_in,
        "bytes_out": result.usage.bytes_out,
        "tokens_out": result.usage.tokens_out,
    }
