"""`toolweft call TOOL`: one direct call, on the same road as every other."""

from pathlib import Path
from typing import Annotated

import typer

from toolweft.cli.arguments import parse_arguments
from toolweft.cli.errors import UsageFault
from toolweft.cli.exit_codes import ExitCode
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import note, write, write_error, write_json
from toolweft.cli.results import list_blobs, name_files, render_result, result_to_dict
from toolweft.cli.session import note_unasked, open_client, open_session, run_async
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
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write an image or other bytes there; several get numbers.",
        ),
    ] = None,
) -> None:
    """Call one tool.

    A value is read as JSON where it parses and the tool's schema wants that type.
    """
    result = run_async(lambda: _call(common, tool, pairs=pairs or [], object_text=arguments))
    files = [] if output is None else _write_blobs(result, output)
    if common.json:
        write_json(result_to_dict(result, files=files))
    elif result.failure is not None:
        failure = result.failure
        write_error(failure.code, failure.message, hint=failure.hint)
        note_unasked((failure.code,))
    else:
        write(render_result(result, files=files))
    if common.verbosity > 0:
        note(f"{result.usage.duration_ms:.1f} ms, {result.usage.bytes_out} bytes")
    if output is not None and not files:
        note(f"warning: the result holds no bytes, so {str(output)!r} is not written")
        raise typer.Exit(ExitCode.FAILED)
    if result.is_error:
        raise typer.Exit(ExitCode.FAILED)


async def _call(
    common: Common, name: str, *, pairs: list[str], object_text: str | None
) -> ToolResult:
    async with open_session(common, tool=name) as app_:
        tool = app_.catalog.snapshot.resolve(name)
        arguments = parse_arguments(
            pairs,
            object_text=object_text,
            schema=tool.definition.input_schema,
            parameters=tool.parameters,
        )
        async with open_client(common, app_) as client:
            return await app_.toolbox_for(LOCAL).call(tool.qualified, arguments, client=client)


def _write_blobs(result: ToolResult, output: Path) -> list[Path]:
    """Write each blob of the result to a file; the files."""
    blobs = list_blobs(result)
    files = name_files(output, len(blobs))
    for path, blob in zip(files, blobs, strict=True):
        try:
            path.write_bytes(blob.data)
        except OSError as exc:
            raise UsageFault(
                f"{str(path)!r} cannot be written: {exc.strerror or exc}",
                hint="the tool was called; name another file for the next call",
            ) from exc
    return files
