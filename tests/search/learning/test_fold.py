from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.search.learning.happenings import (
    ANN,
    BEN,
    EVE,
    finished,
    searched,
    started,
    used,
)

from toolweft.core.calls import Principal
from toolweft.core.events import Event
from toolweft.core.ids import QualifiedName
from toolweft.search.learning.fold import UseLearner
from toolweft.search.learning.memory import Lift

DAY = 86_400.0


def learn(events: Iterable[Event]) -> UseLearner:
    learner = UseLearner()
    for event in events:
        learner.observe(event)
    return learner


def lift(learner: UseLearner, query: str, tool: str, tenant: str = "acme") -> Lift | None:
    return learner.lifts(query, tenant=tenant).get(QualifiedName(tool))


def test_a_call_after_a_search_that_found_its_tool_is_a_use() -> None:
    found = lift(learn(used("open issues", "git.list")), "open issues", "git.list")

    assert found is not None
    assert found.uses == 1
    assert 0.2 < found.share < 0.3


def test_a_use_counts_for_the_same_words_in_another_order_and_form() -> None:
    learner = learn(used("list open issues", "git.list"))

    assert lift(learner, "please list the issue that is opened", "git.list") == lift(
        learner, "list open issues", "git.list"
    )


def test_a_use_counts_less_for_a_like_query_and_nothing_for_another() -> None:
    learner = learn(used("list open issues", "git.list"))
    same = lift(learner, "list open issues", "git.list")
    like = lift(learner, "list open issues today", "git.list")

    assert same is not None
    assert like is not None
    assert 0 < like.share < same.share
    assert like.uses == 1
    assert lift(learner, "close issues", "git.list") is None
    assert lift(learner, "send mail", "git.list") is None


@pytest.mark.parametrize("status", ["tool_error", "denied", "timeout", "cancelled"])
def test_a_call_that_failed_teaches_nothing(status: str) -> None:
    learner = learn(used("open issues", "git.list", status=status))

    assert lift(learner, "open issues", "git.list") is None


def test_a_tool_the_search_did_not_find_is_not_its_use() -> None:
    learner = learn([searched(("open issues", ["git.list"])), started("git.close"), finished()])

    assert learner.lifts("open issues", tenant="acme") == {}


@pytest.mark.parametrize(("seconds", "counts"), [(600, True), (601, False)])
def test_a_search_leads_to_calls_for_ten_minutes(seconds: float, counts: bool) -> None:
    events = [
        searched(("open issues", ["git.list"])),
        started("git.list", when=seconds),
        # However long the call itself takes.
        finished(when=seconds + 5_000),
    ]

    assert (lift(learn(events), "open issues", "git.list") is not None) == counts


def test_a_search_while_a_call_runs_did_not_lead_to_it() -> None:
    events = [started("git.list"), searched(("open issues", ["git.list"])), finished()]

    assert lift(learn(events), "open issues", "git.list") is None


def test_the_latest_search_that_found_the_tool_gets_the_use() -> None:
    events = [
        searched(("open issues", ["git.list"])),
        searched(("unread mail", ["git.list"])),
        searched(("weather", ["sky.ask"])),
        started("git.list"),
        finished(),
    ]
    learner = learn(events)

    assert lift(learner, "unread mail", "git.list") is not None
    assert lift(learner, "open issues", "git.list") is None


def test_of_several_queries_the_one_that_ranked_the_tool_best_gets_the_use() -> None:
    events = [
        searched(
            ("open issues", ["git.list", "git.show"]), ("read an issue", ["git.show", "git.list"])
        ),
        started("git.show"),
        finished(),
    ]
    learner = learn(events)

    assert lift(learner, "read an issue", "git.show") is not None
    assert lift(learner, "open issues", "git.show") is None


@pytest.mark.parametrize("other", [BEN, EVE, Principal("acme", "ann", "key_2")])
def test_a_search_of_one_key_says_nothing_of_anothers_calls(other: Principal) -> None:
    events = [
        searched(("open issues", ["git.list"])),
        started("git.list", who=other),
        finished(who=other),
    ]
    learner = learn(events)

    assert learner.lifts("open issues", tenant=ANN.tenant) == {}
    assert learner.lifts("open issues", tenant=other.tenant) == {}


@pytest.mark.promise("learning.tenants")
def test_what_one_tenant_used_counts_for_its_users_and_for_no_other_tenant() -> None:
    learner = learn([*used("open issues", "git.list", who=ANN), *used("x", "y.z", who=EVE)])

    assert lift(learner, "open issues", "git.list", BEN.tenant) is not None
    assert learner.lifts("open issues", tenant=EVE.tenant) == {}


@pytest.mark.promise("learning.capped")
def test_one_principal_teaches_the_same_only_three_times_a_day() -> None:
    often = [event for n in range(50) for event in used("open issues", "git.list", when=60 * n)]
    found = lift(learn(often), "open issues", "git.list")
    with_another = [*often, *used("open issues", "git.list", who=BEN, when=3_500)]
    next_day = [*often, *used("open issues", "git.list", when=DAY)]

    assert found is not None
    assert found.uses == 3
    for events in (with_another, next_day):
        more = lift(learn(events), "open issues", "git.list")
        assert more is not None
        assert more.uses == 4


def test_a_use_fades_to_half_in_thirty_days_of_the_events_own_time() -> None:
    fresh = used("open issues", "git.list")
    later = searched(("weather", ["sky.ask"]), when=30 * DAY)
    new = lift(learn(fresh), "open issues", "git.list")
    old = lift(learn([*fresh, later]), "open issues", "git.list")

    assert new is not None
    assert old is not None
    assert (1 - old.share) ** 2 == pytest.approx(1 - new.share, rel=1e-3)
    assert old.uses == 1


@pytest.mark.parametrize("text", ["", "  ", "🙂", "\ud800", "?!"])
def test_a_query_without_words_teaches_nothing(text: str) -> None:
    learner = learn(used(text, "git.list"))

    assert learner.lifts(text, tenant="acme") == {}


def test_before_any_event_nothing_is_known() -> None:
    assert UseLearner().lifts("open issues", tenant="acme") == {}


def test_an_answer_in_many_queries_of_a_stranger_keeps_memory_small() -> None:
    learner = UseLearner()
    for number in range(3_000):
        for event in used(f"need{number} thing", f"s.t{number}", when=number):
            learner.observe(event)

    # The oldest of more than two thousand pairs are forgotten, the newest kept.
    assert lift(learner, "need2999 thing", "s.t2999") is not None
    assert lift(learner, "need1000 thing", "s.t1000") is not None
    assert lift(learner, "need999 thing", "s.t999") is None


_TEXTS = st.text(max_size=30) | st.sampled_from(["open issues", "issue open", "mail", "\0 mail"])
_PEOPLE = st.sampled_from([ANN, BEN, EVE])
_TOOLS = st.sampled_from(["git.list", "git.show", "mail.send"])
_STEPS = st.one_of(
    st.tuples(st.just("search"), _PEOPLE, _TEXTS, st.lists(_TOOLS, max_size=3)),
    st.tuples(st.just("start"), _PEOPLE, _TOOLS, st.integers(0, 5)),
    st.tuples(st.just("end"), st.integers(0, 5), st.sampled_from(["ok", "ok", "denied"])),
)


@given(st.lists(st.tuples(_STEPS, st.integers(-700, 100_000)), max_size=30), _TEXTS)
def test_whatever_happens_no_share_reaches_one_and_no_tool_is_invented(
    steps: list[tuple[Any, int]], query: str
) -> None:
    learner, when = UseLearner(), 0
    for step, seconds in steps:
        when += seconds
        match step:
            case ("search", who, text, found):
                learner.observe(searched((text, found), who=who, when=when))
            case ("start", who, tool, number):
                learner.observe(started(tool, call_id=str(number), who=who, when=when))
            case ("end", number, status):
                learner.observe(finished(call_id=str(number), status=status, when=when))
    for tenant in ("acme", "other"):
        for tool, found in learner.lifts(query, tenant=tenant).items():
            assert tool in {"git.list", "git.show", "mail.send"}
            assert 0 <= found.share < 1
            assert found.uses >= 1
