"""`toolweft config`: where each value comes from, and whether all of it can be used."""

import typer

from toolweft.cli.exit_codes import ExitCode
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import Column, note, write, write_json, write_table
from toolweft.cli.session import read_settings
from toolweft.config import Settings
from toolweft.core.json import JsonObject

__all__ = ("app", "explain", "validate")

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="Explain or validate the configuration.",
)

_COLUMNS = (
    Column(title="key"),
    Column(title="value", flexible=True),
    Column(title="from"),
)


@app.command()
@with_common
def explain(common: Common) -> None:
    """Show every key, its value and where it comes from; secrets stay hidden."""
    settings = read_settings(common)
    if common.json:
        values = [
            {"key": value.key, "value": value.value, "origin": value.origin}
            for value in settings.values
        ]
        write_json({**_summary(settings), "values": values})
        return
    write_table(_COLUMNS, [[value.key, value.value, value.origin] for value in settings.values])
    note(f"files: {', '.join(str(path) for path in settings.files) or 'none; all defaults'}")


@app.command()
@with_common
def validate(common: Common) -> None:
    """Check the configuration without starting anything."""
    settings = read_settings(common)
    if common.json:
        write_json({**_summary(settings), "valid": not settings.broken_servers})
    else:
        _write_verdict(settings)
    if settings.broken_servers:
        raise typer.Exit(ExitCode.FAILED)


def _summary(settings: Settings) -> JsonObject:
    return {
        "files": [str(path) for path in settings.files],
        "servers": [server.name for server in settings.servers],
        "python_sources": [source.name for source in settings.python_sources],
        "openapi_sources": [source.name for source in settings.openapi_sources],
        "broken_servers": [
            {"name": server.name, "reason": server.reason, "hint": server.hint}
            for server in settings.broken_servers
        ],
        "problems": list(settings.problems),
    }


def _write_verdict(settings: Settings) -> None:
    for path in settings.files:
        write(f"read {path}")
    for server in settings.broken_servers:
        write(f"broken: server {server.name!r}: {server.reason}\n  next: {server.hint}")
    for problem in settings.problems:
        write(f"note: {problem}")
    sources = (settings.servers, settings.python_sources, settings.openapi_sources)
    count = sum(map(len, sources))
    verdict = f"{len(settings.broken_servers)} cannot start" if settings.broken_servers else "valid"
    write(f"{count} sources; {verdict}")
