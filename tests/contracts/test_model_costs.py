"""What models took and cost is kept whole and summed, in every database."""

import math
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contracts.test_ledger import postgres_prefix as postgres_prefix
from tests.contracts.test_used_searches import NewLedger, write
from tests.contracts.test_used_searches import new_ledger as new_ledger
from tests.stores.events import AT, BOB, call_started, model_replied, run_started

from toolweft.core.json import JsonObject
from toolweft.core.models import TokenUsage
from toolweft.stores import LedgerOptions, SqlLedgerReader
from toolweft.stores.connect import create_ledger_engine
from toolweft.stores.schema import LedgerTables

DAY = timedelta(days=1)


async def read(options: LedgerOptions, **only: object) -> list[JsonObject]:
    found = {"since": AT - DAY, "until": AT + DAY} | only
    return list(await SqlLedgerReader(options).models(**found))  # type: ignore[arg-type]


@pytest.mark.promise("workers.recorded")
async def test_tokens_and_cost_are_summed_by_model_and_role(new_ledger: NewLedger) -> None:
    options = new_ledger()
    write(
        options,
        [
            run_started(),
            model_replied(),
            call_started(),
            model_replied(status="provider_error", cost_usd=0.0),
            model_replied("lab:large", role="planner", run_id=None, cost_usd=2.0),
            model_replied("lab:large"),
            model_replied("own:free", cost_usd=None),
        ],
    )
    rows = await read(options)
    assert [(r["model"], r["role"], r["requests"], r["failures"]) for r in rows] == [
        ("lab:large", "planner", 1, 0),
        ("lab:large", "worker", 1, 0),
        ("lab:small", "worker", 2, 1),
        ("own:free", "worker", 1, 0),
    ]
    assert [(r["cost_usd"], r["unpriced"]) for r in rows] == [
        (2.0, 0), (0.25, 0), (0.25, 0), (None, 1),
    ]  # fmt: skip
    assert {name: rows[2][name] for name in rows[2] if name.endswith("_tokens")} == {
        "input_tokens": 200,
        "cache_read_tokens": 40,
        "cache_write_tokens": 6,
        "output_tokens": 80,
        "reasoning_tokens": 10,
    }


async def test_a_time_a_run_or_a_principal_may_be_asked_for(new_ledger: NewLedger) -> None:
    options = new_ledger()
    write(
        options,
        [
            model_replied("a", at=AT - DAY - DAY),
            model_replied("b", at=AT - DAY),
            model_replied("c", run_id="run_2"),
            model_replied("d", principal=BOB),
            model_replied("e", at=AT + DAY),
        ],
    )

    async def names(**only: object) -> set[str]:
        return {row["model"] for row in await read(options, **only)}

    assert await names() == {"b", "c", "d"}
    assert await names(run_id="run_2") == {"c"}
    assert await names(principal=BOB) == {"d"}
    assert await names(since=AT - 3 * DAY, until=AT + 2 * DAY) == set("abcde")


async def test_a_ledger_of_before_gets_the_table_and_has_nothing_in_it(
    new_ledger: NewLedger,
) -> None:
    options = new_ledger()
    write(options, [run_started()])
    models = LedgerTables(options.table_prefix).models
    with create_ledger_engine(options).begin() as connection:
        models.drop(connection)
    assert await read(options) == []
    write(options, [model_replied()])
    assert len(await read(options)) == 1


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b\0", "\ud800", "x" * 3_000]),
            st.integers(0, 2**40),
            st.none() | st.floats(0, 1e6),
        ),
        max_size=12,
    )
)
async def test_any_reply_is_taken_and_the_sums_are_those_of_all(
    new_ledger: NewLedger, replies: list[tuple[str, int, float | None]]
) -> None:
    options = new_ledger()
    write(
        options,
        [
            replace(
                model_replied(model, cost_usd=cost),
                usage=TokenUsage(input_tokens=1, output_tokens=tokens),
            )
            for model, tokens, cost in replies
        ],
    )
    rows = await read(options)
    assert sum(row["requests"] for row in rows) == len(replies)
    assert sum(row["output_tokens"] for row in rows) == sum(tokens for _, tokens, _ in replies)
    costs = [cost for _, _, cost in replies if cost is not None]
    assert math.isclose(sum(row["cost_usd"] or 0.0 for row in rows), sum(costs), abs_tol=1e-6)


def test_the_sums_are_found_by_an_index(tmp_path: Path) -> None:
    options = LedgerOptions(url=f"sqlite:///{tmp_path}/ledger.db")
    write(options, [model_replied()])
    with create_ledger_engine(options, read_only=True).connect() as connection:
        plan = connection.execute(
            sqlalchemy.text(
                "EXPLAIN QUERY PLAN SELECT count(*) FROM ledger_models WHERE at_us BETWEEN 1 AND 2"
            )
        ).all()
    assert "ledger_models_by_time" in str(plan)
