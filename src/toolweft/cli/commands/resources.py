"""`toolweft resources [ADDRESS]`: what servers have to read, or one of them."""

import base64
import binascii
from pathlib import Path
from typing import Annotated, Any

import typer

from toolweft.calls.contents import ContentView
from toolweft.cli.errors import UsageFault
from toolweft.cli.flagged import FlagsByName, flags_to_list, note_flags
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import Column, note, write, write_json, write_table
from toolweft.cli.session import open_client, open_session, run_async
from toolweft.core.calls import LOCAL
from toolweft.core.json import Json, JsonObject

__all__ = ("app", "resources")

app = typer.Typer(rich_markup_mode=None, add_completion=False)

# A command waits this long for the lists of slow servers.
_SETTLE_S = 10.0
_COLUMNS = (
    Column(title="address"),
    Column(title="name"),
    Column(title="type"),
    Column(title="description", flexible=True),
)


@app.command()
@with_common
def resources(
    common: Common,
    address: Annotated[
        str | None, typer.Argument(metavar="ADDRESS", help="As listed; templates filled in.")
    ] = None,
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write what is read there."),
    ] = None,
) -> None:
    """List the resources of servers, or read one."""
    if address is None:
        _show_lists(common)
        return
    answer = run_async(lambda: _read(common, address))
    contents = answer.get("contents")
    parts = [part for part in contents if isinstance(part, dict)] if contents else []
    if output is not None:
        _write_file(output, b"\n".join(_bytes_of(part) for part in parts))
    elif not common.json:
        for part in parts:
            write(_render(part))
    if common.json:
        write_json(answer)


async def _read(common: Common, address: str) -> JsonObject:
    async with open_session(common) as app_:
        view = ContentView(app_.contents, LOCAL)
        await view.settle(_SETTLE_S)
        async with open_client(common, app_) as client:
            return await view.read(address, client=client)


def _show_lists(common: Common) -> None:
    found, templates, flags = run_async(lambda: _list(common))
    if common.json:
        listed = {"resources": found, "templates": templates}
        write_json({**listed, "flags": flags_to_list(flags)})
        return
    rows = [_row(entry, entry["uri"]) for entry in found]
    write_table(_COLUMNS, rows + [_row(entry, entry["uriTemplate"]) for entry in templates])
    if common.verbosity >= 0:
        note(f"{len(found)} resources, {len(templates)} templates")
        note_flags(flags)


async def _list(common: Common) -> tuple[list[JsonObject], list[JsonObject], FlagsByName]:
    async with open_session(common, keeps_ledger=False) as app_:
        view = ContentView(app_.contents, LOCAL)
        await view.settle(_SETTLE_S)
        flags = {**view.flags("resources"), **view.flags("templates")}
        return list(view.entries("resources")), list(view.entries("templates")), flags


def _row(entry: JsonObject, address: str) -> tuple[str, ...]:
    texts: list[Any] = [entry.get(key) for key in ("name", "mimeType", "description")]
    return (address, *(_one_line(text) for text in texts))


def _one_line(text: Json) -> str:
    return " ".join(text.split()) if isinstance(text, str) else ""


def _render(part: JsonObject) -> str:
    text = part.get("text")
    if isinstance(text, str):
        return text
    kind = part.get("mimeType") or "application/octet-stream"
    return f"[{kind}, {len(_bytes_of(part)):,} bytes; -o FILE writes them]"


def _bytes_of(part: JsonObject) -> bytes:
    text, blob = part.get("text"), part.get("blob")
    if isinstance(text, str):
        return text.encode("utf-8", "replace")
    try:
        return base64.b64decode(blob) if isinstance(blob, str) else b""
    except binascii.Error:
        return b""


def _write_file(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as exc:
        raise UsageFault(
            f"{str(path)!r} cannot be written: {exc.strerror or exc}", hint="name another file"
        ) from exc
