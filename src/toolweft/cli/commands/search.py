"""`toolweft search`: what a model finds, as a model sees it."""

from typing import Annotated

import typer

from toolweft.cli.errors import UsageFault
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import write, write_json
from toolweft.cli.session import open_session, run_async
from toolweft.core.calls import LOCAL
from toolweft.programs.stubs import DETAILS, Detail
from toolweft.toolbox.answers import SearchAnswer
from toolweft.toolbox.render import render_search

__all__ = ("app", "search")

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
@with_common
def search(
    common: Common,
    words: Annotated[list[str], typer.Argument(metavar="QUERY...", help="A need, in words.")],
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 5,
    detail: Annotated[
        str, typer.Option("--detail", metavar="|".join(DETAILS), help="How much of each.")
    ] = "typed",
    namespace: Annotated[
        str | None, typer.Option("--namespace", metavar="NAME", help="Only this source's.")
    ] = None,
) -> None:
    """Find tools that fit a need.

    The words together are one query. Prints what the tool `search_tools` answers to a model.
    """
    if detail not in DETAILS:
        raise UsageFault(f"no detail is called {detail!r}", hint=f"one of {', '.join(DETAILS)}")
    answer = run_async(
        lambda: _search(common, " ".join(words), limit=limit, detail=detail, namespace=namespace)
    )
    if common.json:
        write_json(answer.to_dict())
    else:
        write(render_search(answer))


async def _search(
    common: Common, query: str, *, limit: int, detail: Detail, namespace: str | None
) -> SearchAnswer:
    async with open_session(common, keeps_ledger=False) as app_:
        return await app_.toolbox_for(LOCAL).search(
            query, limit=limit, detail=detail, namespace=namespace
        )
