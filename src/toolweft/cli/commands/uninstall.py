"""`toolweft uninstall CLIENT`: the client's file as it was before `toolweft install`."""

from typing import Annotated

import typer

from toolweft.cli.clients import ChangeOptions, read_surroundings
from toolweft.cli.consent import check_consent
from toolweft.cli.groups import with_groups
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import write, write_json
from toolweft.config.clients import (
    CLIENTS,
    Uninstall,
    apply_uninstall,
    find_client,
    plan_uninstall,
    render_changes,
)

__all__ = ("app", "uninstall")

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
@with_common
@with_groups
def uninstall(
    common: Common,
    client: Annotated[str, typer.Argument(metavar="CLIENT", help=f"One of: {', '.join(CLIENTS)}.")],
    *,
    change: ChangeOptions,
) -> None:
    """Take toolweft out of an MCP client and put its servers back.

    Where the client's file is as install left it, it becomes what it was, byte for byte; else
    only the entry is taken out and the servers that moved are put back.
    """
    around = read_surroundings()
    plan = plan_uninstall(find_client(client), change.scope, around)
    shown = render_changes(plan.changes)
    if not common.json:
        write(shown, end="")
        for said in plan.undone.notes:
            write(said)
    is_work = bool(plan.changes or plan.record.steps)
    is_done = False
    if is_work and not change.dry_run:
        is_done = check_consent("Make these changes?", given=change.yes)
        if is_done:
            apply_uninstall(plan, around)
    if common.json:
        write_json(_to_dict(plan, shown=shown, changed=is_done))
    else:
        write(_end(plan, is_work=is_work, is_done=is_done))


def _end(plan: Uninstall, *, is_work: bool, is_done: bool) -> str:
    title = plan.client.title
    if not is_work:
        return f"toolweft is not in {title}: {plan.path} has no entry of it"
    if not is_done:
        return "nothing was changed"
    if plan.undone.exact:
        return f"done; {plan.path} is as it was. Restart {title}"
    return f"done; restart {title}"


def _to_dict(plan: Uninstall, *, shown: str, changed: bool) -> dict[str, object]:
    return {
        "client": plan.client.id,
        "path": str(plan.path),
        "exact": plan.undone.exact,
        "notes": list(plan.undone.notes),
        "changed": changed,
        "diff": shown,
    }
