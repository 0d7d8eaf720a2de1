"""Learned uses through the real searcher and the real index."""

from collections.abc import AsyncIterator, Sequence
from itertools import product

import pytest
from tests.search.learning.happenings import BEN, used

from toolweft.core.events import Event
from toolweft.core.ids import QualifiedName
from toolweft.core.search import SearchResult
from toolweft.core.snapshot import Snapshot
from toolweft.core.tools import Severity
from toolweft.search import CatalogSearcher
from toolweft.search.learning.past import LearnedUses
from toolweft.testing import build_definition, build_snapshot

_VERBS: dict[str, Severity] = {
    "list": "read_only",
    "search": "read_only",
    "create": "write",
    "delete": "destructive",
}
_THINGS = ("issue", "invoice", "customer", "order", "ticket", "note", "file", "event")
SNAPSHOT: Snapshot = build_snapshot(
    build_definition(
        f"{source}.{verb}_{thing}",
        description=f"{verb.title()} the {thing}s of a {source} account.",
        severity=severity,
    )
    for source, (verb, severity), thing in product(("crm", "desk"), _VERBS.items(), _THINGS)
)
QUERIES = ("find the orders of a customer", "customer", "remove an old ticket", "zzz")


async def read_nothing() -> Sequence[Event]:
    return ()


@pytest.fixture
async def uses() -> AsyncIterator[LearnedUses]:
    async with LearnedUses(read=read_nothing) as uses:
        await uses.past_known.wait()
        yield uses


async def ask(
    searcher: CatalogSearcher,
    *,
    limit: int = 6,
    visible: frozenset[QualifiedName] | None = None,
    tenant: str = "acme",
) -> Sequence[SearchResult]:
    return await searcher.search(
        QUERIES, snapshot=SNAPSHOT, limit=limit, visible=visible, tenant=tenant
    )


def teach(uses: LearnedUses, *tools: str) -> None:
    for query, tool in product(QUERIES, tools):
        for event in [*used(query, tool), *used(query, tool, who=BEN)]:
            uses.observe(event)


@pytest.mark.promise("learning.severity")
@pytest.mark.parametrize("limit", [1, 3, 6, 50])
@pytest.mark.parametrize(
    "tool", ["desk.list_order", "crm.delete_note", "desk.create_ticket", "crm.search_file"]
)
async def test_a_raised_tool_takes_only_a_place_of_its_severity(
    uses: LearnedUses, limit: int, tool: str
) -> None:
    plain = await ask(CatalogSearcher(), limit=limit)
    teach(uses, tool)
    lifted = await ask(CatalogSearcher(uses=uses), limit=limit)

    for before, after in zip(plain, lifted, strict=True):
        severities = [SNAPSHOT.tools[hit.qualified].severity for hit in before.hits]
        assert [SNAPSHOT.tools[hit.qualified].severity for hit in after.hits][
            : len(severities)
        ] == severities
        assert len(after.hits) <= limit
    assert any(hit.uses for result in lifted for hit in result.hits) or limit == 1


@pytest.mark.promise("learning.tenants")
async def test_another_tenant_gets_the_answers_it_got_before(uses: LearnedUses) -> None:
    searcher = CatalogSearcher(uses=uses)
    before = await ask(searcher)
    teach(uses, "desk.list_order", "crm.search_file")
    mine = await ask(searcher)

    assert mine != before
    assert await ask(searcher, tenant="other") == before
    assert await ask(searcher) == mine


@pytest.mark.promise("learning.visible")
async def test_a_used_tool_that_may_not_be_seen_stays_unseen(uses: LearnedUses) -> None:
    visible = frozenset(name for name in SNAPSHOT.tools if name.startswith("crm."))
    teach(uses, "desk.list_order", "crm.list_order")
    results = await ask(CatalogSearcher(uses=uses), visible=visible, limit=50)

    assert {hit.qualified for result in results for hit in result.hits} <= visible
    assert any(hit.uses for hit in results[0].hits)


@pytest.mark.promise("learning.verdict")
@pytest.mark.parametrize("tool", ["desk.list_order", "crm.search_note", "desk.delete_ticket"])
async def test_whether_an_answer_is_weak_is_the_same_with_uses(
    uses: LearnedUses, tool: str
) -> None:
    plain = await ask(CatalogSearcher())
    teach(uses, tool)
    lifted = await ask(CatalogSearcher(uses=uses))

    assert [result.is_weak for result in lifted] == [result.is_weak for result in plain]
    assert [result.is_weak for result in plain] == [
        not result.hits or result.hits[0].is_weak for result in plain
    ]
    assert {result.is_weak for result in plain} == {False, True}
