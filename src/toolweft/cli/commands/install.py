"""`toolweft install CLIENT`: toolweft in an MCP client, with the client's servers behind it."""

from typing import Annotated

import typer

from toolweft.cli.clients import (
    ChangeOptions,
    MoveOptions,
    own_command,
    plan_with_consent,
    read_surroundings,
    verdicts_to_dict,
    write_verdicts,
)
from toolweft.cli.consent import check_consent
from toolweft.cli.groups import with_groups
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import note, write, write_json
from toolweft.config.clients import (
    CLIENTS,
    Install,
    apply_install,
    find_client,
    plan_install,
    render_changes,
)

__all__ = ("app", "install")

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
@with_common
@with_groups
def install(
    common: Common,
    client: Annotated[str, typer.Argument(metavar="CLIENT", help=f"One of: {', '.join(CLIENTS)}.")],
    *,
    change: ChangeOptions,
    move: MoveOptions,
) -> None:
    """Put toolweft into an MCP client and move the client's servers behind it.

    The servers go to toolweft's own configuration: --config, or toolweft.toml of the user or
    of the project. Copies of both files are kept; `toolweft uninstall` puts everything back.
    """
    around = read_surroundings()
    chosen = find_client(client)
    command = own_command()
    plan = plan_with_consent(
        lambda choice: plan_install(
            chosen, change.scope, around, config=common.config, command=command, choice=choice
        ),
        move,
        asks=not change.dry_run and not change.yes,
    )
    shown = render_changes((*plan.undone_changes, plan.config, plan.file))
    if not common.json:
        _tell(plan, shown)
    copies: tuple[str, ...] = ()
    is_work = plan.is_change or plan.undone is not None
    is_done = False
    if is_work and not change.dry_run:
        is_done = check_consent("Make these changes?", given=change.yes)
        copies = apply_install(plan, around) if is_done else ()
    if common.json:
        write_json(_to_dict(plan, change, shown=shown, changed=is_done, copies=copies))
    else:
        _tell_end(plan, change, is_work=is_work, is_done=is_done, copies=copies)


def _tell(plan: Install, shown: str) -> None:
    if plan.undone is not None:
        write("an install that was cut off is taken back first")
    write_verdicts(plan.verdicts, moved=f"moves to {plan.config.path}")
    for said in plan.notes:
        note(f"note: {said}")
    write(shown, end="")


def _tell_end(
    plan: Install, change: ChangeOptions, *, is_work: bool, is_done: bool, copies: tuple[str, ...]
) -> None:
    title = plan.client.title
    if not is_work:
        write(f"toolweft is in {title} already, and no server is left to move")
    elif is_done:
        for copy in copies:
            write(f"a copy of what was there: {copy}")
        write(f"done; restart {title}. `toolweft uninstall {plan.client.id}` puts everything back")
        if any(verdict.outcome in {"moved", "shared"} for verdict in plan.verdicts):
            note("next: toolweft import   asks once which tools only read")
    else:
        write("nothing was changed" + (" (--dry-run)" if change.dry_run else ""))


def _to_dict(
    plan: Install, change: ChangeOptions, *, shown: str, changed: bool, copies: tuple[str, ...]
) -> dict[str, object]:
    return {
        "client": plan.client.id,
        "scope": change.scope,
        "path": str(plan.file.path),
        "config": str(plan.config.path),
        **verdicts_to_dict(plan.verdicts),
        "notes": list(plan.notes),
        "changed": changed,
        "copies": list(copies),
        "diff": shown,
    }
