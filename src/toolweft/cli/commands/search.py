"""`toolweft search`: what a model finds, as a model sees it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from toolweft.bootstrap import forget_searches
from toolweft.cli.commands.search_eval import Measure, Only, run_evaluation
from toolweft.cli.errors import UsageFault
from toolweft.cli.groups import with_groups
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import write, write_json
from toolweft.cli.session import open_session, read_settings, run_async
from toolweft.core.calls import LOCAL
from toolweft.core.search import Placement
from toolweft.programs.stubs import DETAILS, Detail
from toolweft.toolbox.answers import SearchAnswer
from toolweft.toolbox.render import render_search
from toolweft.toolbox.render_placement import render_placement

__all__ = ("Shape", "app", "search")

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How an answer is to look."""

    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 5
    detail: Annotated[
        str, typer.Option("--detail", metavar="|".join(DETAILS), help="How much of each.")
    ] = "typed"
    category: Annotated[
        str | None, typer.Option("--category", metavar="NAME", help="Only of this category.")
    ] = None
    explain: Annotated[
        bool, typer.Option("--explain", help="With each tool, why it was found.")
    ] = False
    expect: Annotated[
        str | None,
        typer.Option("--expect", metavar="TOOL", help="Why this tool stands where it does."),
    ] = None


@app.command()
@with_common
@with_groups
def search(
    common: Common,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="QUERY...", help="A need, in words.")
    ] = None,
    *,
    namespace: Annotated[
        str | None, typer.Option("--namespace", metavar="NAME", help="Only this source's.")
    ] = None,
    forget: Annotated[
        bool, typer.Option("--forget", help="Erase the kept texts of searches; nothing else.")
    ] = False,
    shape: Shape,
    measure: Measure,
) -> None:
    """Find tools that fit a need.

    The words together are one query. Prints what the tool `search_tools` answers to a model.

    With --eval it asks for every tool in words of its own text, or whatever a file of queries or
    the ledger holds, and prints how many are found and what to change.
    """
    if forget:
        _forget(common, words, measure)
        return
    _check(words, shape, measure)
    if measure.eval:
        only = Only(namespace=namespace, category=shape.category)
        run_evaluation(common, measure, only=only)
        return
    query = " ".join(words or ())
    if shape.expect is not None:
        _explain_rank(common, query, shape.expect)
        return
    answer = run_async(lambda: _search(common, query, shape=shape, namespace=namespace))
    if common.json:
        write_json(answer.to_dict())
    else:
        write(render_search(answer))


def _forget(common: Common, words: Sequence[str] | None, measure: Measure) -> None:
    """Erase what learning from use has kept of searches.

    Raises:
        UsageFault: something else is asked for as well.
    """
    if words or measure != Measure():
        raise UsageFault("--forget goes alone", hint="leave the query and other options out")
    settings = read_settings(common)
    count = run_async(lambda: forget_searches(settings))
    if common.json:
        write_json({"erased": count})
    else:
        write(f"erased the texts of {count} search{'' if count == 1 else 'es'}")


def _explain_rank(common: Common, query: str, tool: str) -> None:
    """Print where one tool stands for a query, and why."""

    async def ask() -> Placement:
        async with open_session(common, keeps_ledger=False) as app_:
            return await app_.toolbox_for(LOCAL).explain_rank(query, tool)

    placement = run_async(ask)
    if common.json:
        write_json(placement.to_dict())
    else:
        write(render_placement(placement))


def _check(words: Sequence[str] | None, shape: Shape, measure: Measure) -> None:
    """Say so where options do not go together.

    Raises:
        UsageFault: there is nothing to search for, or too much.
    """
    if measure.eval and words:
        raise UsageFault(
            f"--eval searches for nothing, so {words[0]!r} cannot be used",
            hint="name a file of queries with --queries",
        )
    if not measure.eval and (measure.queries is not None or measure.min_ndcg is not None):
        raise UsageFault("--queries and --min-ndcg go with --eval", hint="add --eval")
    if measure.eval and shape.expect is not None:
        raise UsageFault("--expect goes with a query, not with --eval", hint="leave --eval out")
    if not measure.eval and not words:
        raise UsageFault("there is no query", hint="say what you need, or measure with --eval")


async def _search(
    common: Common, query: str, *, shape: Shape, namespace: str | None
) -> SearchAnswer:
    if shape.detail not in DETAILS:
        raise UsageFault(
            f"no detail is called {shape.detail!r}", hint=f"one of {', '.join(DETAILS)}"
        )
    detail: Detail = shape.detail
    async with open_session(common, keeps_ledger=False) as app_:
        return await app_.toolbox_for(LOCAL).search(
            query,
            limit=shape.limit,
            detail=detail,
            namespace=namespace,
            category=shape.category,
            explain=shape.explain,
        )
