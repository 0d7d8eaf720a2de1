"""`toolweft prompts [NAME] [KEY=VALUE]...`: the prompts of servers, or one filled in."""

from collections.abc import Sequence
from typing import Annotated

import typer

from toolweft.calls.contents import ContentView
from toolweft.cli.arguments import parse_arguments
from toolweft.cli.flagged import FlagsByName, flags_to_list, note_flags
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import Column, note, write, write_json, write_table
from toolweft.cli.session import open_client, open_session, run_async
from toolweft.core.calls import LOCAL
from toolweft.core.json import Json, JsonObject, encode_canonical

__all__ = ("app", "prompts")

app = typer.Typer(rich_markup_mode=None, add_completion=False)

# A command waits this long for the lists of slow servers.
_SETTLE_S = 10.0
_COLUMNS = (
    Column(title="prompt"),
    Column(title="arguments"),
    Column(title="description", flexible=True),
)


@app.command()
@with_common
def prompts(
    common: Common,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="As listed.")] = None,
    pairs: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Arguments, as text.")
    ] = None,
) -> None:
    """List the prompts of servers, or fill one in."""
    if name is None:
        _show_list(common)
        return
    answer = run_async(lambda: _get(common, name, pairs or []))
    if common.json:
        write_json(answer)
        return
    for message in answer.get("messages") or ():
        write(_render(message))


async def _get(common: Common, name: str, pairs: Sequence[str]) -> JsonObject:
    given = parse_arguments(pairs, object_text=None, schema={})
    # Every argument of a prompt is a text.
    arguments = {key: v if isinstance(v, str) else encode_canonical(v) for key, v in given.items()}
    async with open_session(common) as app_:
        view = ContentView(app_.contents, LOCAL)
        await view.settle(_SETTLE_S)
        async with open_client(common, app_) as client:
            return await view.get_prompt(name, arguments, client=client)


def _show_list(common: Common) -> None:
    found, flags = run_async(lambda: _list(common))
    if common.json:
        write_json({"prompts": found, "flags": flags_to_list(flags)})
        return
    write_table(_COLUMNS, [_row(entry) for entry in found])
    if common.verbosity >= 0:
        note(f"{len(found)} prompts")
        note_flags(flags)


async def _list(common: Common) -> tuple[list[JsonObject], FlagsByName]:
    async with open_session(common, keeps_ledger=False) as app_:
        view = ContentView(app_.contents, LOCAL)
        await view.settle(_SETTLE_S)
        return list(view.entries("prompts")), view.flags("prompts")


def _row(entry: JsonObject) -> tuple[str, ...]:
    listed = entry.get("arguments")
    arguments = [one for one in listed if isinstance(one, dict)] if listed else []
    names = [f"{one.get('name')}{'' if one.get('required') else '?'}" for one in arguments]
    description = entry.get("description") or entry.get("title") or ""
    return str(entry["name"]), " ".join(names), " ".join(str(description).split())


def _render(message: Json) -> str:
    """A message as people read it; what is no text as JSON."""
    role = message.get("role") if isinstance(message, dict) else None
    content = message.get("content") if isinstance(message, dict) else message
    text = content.get("text") if isinstance(content, dict) else None
    return f"{role}: {text if isinstance(text, str) else encode_canonical(content)}"
