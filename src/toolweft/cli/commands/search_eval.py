"""`toolweft search --eval`: how well the tools of a catalog are found, and what to change."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from anyio import to_thread

from toolweft.bootstrap import App, open_reader
from toolweft.cli.errors import UsageFault
from toolweft.cli.evaluation import MEANS, render_findings, render_means
from toolweft.cli.exit_codes import ExitCode
from toolweft.cli.options import Common
from toolweft.cli.output import note, write, write_json, write_table
from toolweft.cli.session import open_session, read_settings, run_async
from toolweft.config import Settings
from toolweft.core.calls import LOCAL
from toolweft.core.errors import InvalidArguments
from toolweft.core.snapshot import CatalogTool, Snapshot
from toolweft.search.evaluation import (
    BadQueries,
    Evaluation,
    Query,
    choose_evenly,
    derive_queries,
    evaluate,
    parse_queries,
    queries_of_use,
)
from toolweft.toolbox.visible import callable_tools, narrow_visible

__all__ = ("LEDGER", "Measure", "Only", "run_evaluation")

# In place of a file: what was searched for and called; "ledger:NAME" for another tenant's. A file
# of that name is ./ledger.
LEDGER = "ledger"
# Three queries or more each, and a millisecond a query: about ten seconds.
_MAX_JUDGED = 3_000
_MAX_USED = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What is to be measured."""

    eval: Annotated[
        bool, typer.Option("--eval", help="Measure how well tools are found; search for nothing.")
    ] = False
    queries: Annotated[
        str | None,
        typer.Option(
            "--queries",
            metavar="FILE",
            help="With --eval: a file of query<TAB>tool,tool or JSON lines; or 'ledger[:TENANT]'.",
        ),
    ] = None
    min_ndcg: Annotated[
        float | None,
        typer.Option("--min-ndcg", min=0, max=100, help="With --eval: below it, end with 1."),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Only:
    """The tools that are asked for; the others still compete."""

    namespace: str | None = None
    category: str | None = None


def run_evaluation(common: Common, wanted: Measure, *, only: Only) -> None:
    """Measure and print.

    Args:
        common: the options of this invocation.
        wanted: what is asked, and what is demanded of it.
        only: the tools that are asked for.

    Raises:
        UsageFault: the queries cannot be read, or there are none.
        Exit: with 1, the mean is below what is wanted.
    """
    settings = read_settings(common)
    found = run_async(lambda: _evaluate(common, settings, wanted, only))
    if common.json:
        write_json(found.to_dict())
    else:
        write_table(MEANS, render_means(found))
        if findings := render_findings(found):
            write(f"\n{findings}")
        if common.verbosity >= 0:
            note(f"{found.judged_tools} of {found.tools} tools asked for; figures in percent")
    if wanted.min_ndcg is not None and found.overall.ndcg_10 < wanted.min_ndcg:
        note(f"nDCG@10 is {found.overall.ndcg_10:.2f}, below {wanted.min_ndcg:g}")
        raise typer.Exit(ExitCode.FAILED)


async def _evaluate(common: Common, settings: Settings, wanted: Measure, only: Only) -> Evaluation:
    async with open_session(common, settings=settings, keeps_ledger=False) as app:
        snapshot = app.catalog.snapshot
        queries = await _queries(wanted, snapshot=snapshot, settings=settings)
        return await _judge(app, queries, snapshot=snapshot, only=only)


async def _judge(
    app: App, queries: Sequence[Query] | None, *, snapshot: Snapshot, only: Only
) -> Evaluation:
    visible = callable_tools(snapshot)
    tools = _select(snapshot, only)
    if queries is None:
        # What nobody may call cannot be found; that is said, but not counted.
        shown = [tool for tool in tools if visible is None or tool.qualified in visible]
        hidden = [tool for tool in tools if not (visible is None or tool.qualified in visible)]
        chosen = choose_evenly(shown, most=_MAX_JUDGED)
        queries = list(derive_queries(chosen))
        tools = [*chosen, *hidden]
    names = {tool.qualified for tool in tools}
    if only != Only():
        queries = [query for query in queries if names.intersection(query.tools)]
    if not queries:
        raise UsageFault(
            "there is nothing to ask: no tools, or no query names one",
            hint="`toolweft tools` lists what is there",
        )
    index = await app.searcher.index_for(snapshot)
    return await to_thread.run_sync(
        lambda: evaluate(
            queries,
            index=index,
            snapshot=snapshot,
            judged=sorted(names),
            visible=visible,
        )
    )


def _select(snapshot: Snapshot, only: Only) -> list[CatalogTool]:
    """The tools whose texts are looked at, by name."""
    try:
        names = narrow_visible(
            None, snapshot=snapshot, namespace=only.namespace, category=only.category
        )
    except InvalidArguments as exc:
        raise UsageFault(exc.message, hint=exc.hint) from exc
    tools = [snapshot.tools[name] for name in sorted(snapshot.tools if names is None else names)]
    return [tool for tool in tools if not tool.is_withheld]


async def _queries(
    wanted: Measure, *, snapshot: Snapshot, settings: Settings
) -> Sequence[Query] | None:
    if wanted.queries is None:
        return None
    word, _, tenant = wanted.queries.partition(":")
    if word == LEDGER:
        return await _read_used(settings, snapshot, tenant=tenant or LOCAL.tenant)
    try:
        text = await to_thread.run_sync(_read_text, Path(wanted.queries))
        return parse_queries(text, name=wanted.queries, snapshot=snapshot)
    except BadQueries as exc:
        raise UsageFault(exc.message, hint=exc.hint) from exc


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageFault(
            f"the queries {str(path)!r} cannot be read: {exc}",
            hint=f"name a UTF-8 text file, or {LEDGER!r}",
        ) from exc


async def _read_used(settings: Settings, snapshot: Snapshot, *, tenant: str) -> Sequence[Query]:
    pairs = await open_reader(settings).used_queries(tenant=tenant, limit=_MAX_USED)
    queries, gone = queries_of_use(pairs, snapshot=snapshot)
    if gone:
        note(f"note: searches in the ledger whose tool is no longer there: {gone}")
    if not queries:
        raise UsageFault(
            f"the ledger holds no texts of searches of the tenant {tenant!r} that led to a call",
            hint="set `learn = true` under [search] and use the tools for a while, or name "
            f"another tenant: --queries {LEDGER}:NAME",
        )
    return queries
