from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.ids import QualifiedName
from toolweft.core.search import SearchHit, SearchResult
from toolweft.core.snapshot import Snapshot
from toolweft.core.tools import Severity
from toolweft.search.learning.lifting import apply_lifts
from toolweft.search.learning.memory import Lift
from toolweft.testing import build_definition, build_snapshot

_SEVERITIES: tuple[Severity, ...] = get_args(Severity)


def snapshot_of(**severities: Severity) -> Snapshot:
    return build_snapshot(
        build_definition(f"s.{name}", severity=severity) for name, severity in severities.items()
    )


def result_of(**scores: float) -> SearchResult:
    return SearchResult(
        hits=tuple(
            SearchHit(qualified=QualifiedName(f"s.{name}"), score=score)
            for name, score in scores.items()
        )
    )


def lifts_of(**shares: float) -> dict[QualifiedName, Lift]:
    return {QualifiedName(f"s.{n}"): Lift(share=share, uses=4) for n, share in shares.items()}


def names(result: SearchResult) -> str:
    return " ".join(hit.qualified.removeprefix("s.") for hit in result.hits)


READS = snapshot_of(a="read_only", b="read_only", c="read_only", d="read_only")


def test_a_used_tool_passes_what_is_close_and_says_why() -> None:
    lifted = apply_lifts(
        result_of(a=1.0, b=0.9, c=0.2),
        lifts_of(b=0.8),
        snapshot=READS,
        visible=None,
        limit=5,
    )

    assert names(lifted) == "b a c"
    assert lifted.hits[0].score == pytest.approx(1.1)
    assert lifted.hits[0].parts == {"use": pytest.approx(0.2)}
    assert [hit.uses for hit in lifted.hits] == [4, 0, 0]
    assert [hit.parts for hit in lifted.hits[1:]] == [{}, {}]


@pytest.mark.promise("learning.capped")
def test_all_uses_together_raise_by_a_quarter_of_the_best_score_at_most() -> None:
    lifted = apply_lifts(
        result_of(a=1.0, b=0.7), lifts_of(b=0.999999), snapshot=READS, visible=None, limit=5
    )

    assert names(lifted) == "a b"
    assert lifted.hits[1].parts["use"] <= 0.25


def test_a_name_that_fits_makes_uses_count_no_more() -> None:
    named = SearchResult(
        hits=(
            SearchHit(qualified=QualifiedName("s.a"), score=21.0, parts={"name": 20.0}),
            SearchHit(qualified=QualifiedName("s.b"), score=0.9),
            SearchHit(qualified=QualifiedName("s.c"), score=0.1),
        )
    )
    lifted = apply_lifts(named, lifts_of(c=0.99), snapshot=READS, visible=None, limit=5)

    assert names(lifted) == "a b c"


def test_a_tool_from_beyond_the_limit_may_come_in() -> None:
    lifted = apply_lifts(
        result_of(a=1.0, b=0.5, c=0.45), lifts_of(c=0.9), snapshot=READS, visible=None, limit=2
    )

    assert names(lifted) == "a c"


def test_a_tool_that_was_not_found_at_all_is_added_with_nothing_but_its_uses() -> None:
    lifted = apply_lifts(
        result_of(a=1.0, b=0.1), lifts_of(d=0.8), snapshot=READS, visible=None, limit=5
    )

    assert names(lifted) == "a d b"
    added = lifted.hits[1]
    assert (added.score, added.matched, added.is_weak) == (pytest.approx(0.2), ("use",), True)
    assert added.parts == {"use": added.score}


def test_where_nothing_was_found_used_tools_come_harmless_first() -> None:
    snapshot = snapshot_of(a="destructive", b="write", c="read_only")
    lifted = apply_lifts(
        result_of(), lifts_of(a=0.9, b=0.5, c=0.1), snapshot=snapshot, visible=None, limit=5
    )

    assert names(lifted) == "c b a"


@pytest.mark.promise("learning.visible")
def test_what_may_not_be_seen_what_is_disabled_and_what_is_gone_is_not_added() -> None:
    broken = replace(READS.tools[QualifiedName("s.b")], status="disabled")
    snapshot = replace(READS, tools={**READS.tools, broken.qualified: broken})
    lifted = apply_lifts(
        result_of(a=1.0),
        lifts_of(b=0.9, c=0.9, d=0.9, gone=0.9),
        snapshot=snapshot,
        visible=frozenset({QualifiedName("s.a"), QualifiedName("s.b"), QualifiedName("s.d")}),
        limit=5,
    )

    assert names(lifted) == "a d"


@pytest.mark.parametrize("weak", [False, True])
def test_confidence_is_not_touched(weak: bool) -> None:
    found = result_of(a=1.0, b=0.9)
    rated = SearchResult(
        hits=(replace(found.hits[0], confidence=0.4), replace(found.hits[1], is_weak=True)),
        is_weak=weak,
        suggestions=("word",),
        degraded="no embedder",
    )
    lifted = apply_lifts(rated, lifts_of(b=0.9), snapshot=READS, visible=None, limit=5)

    assert [(hit.confidence, hit.is_weak) for hit in lifted.hits] == [(1.0, True), (0.4, False)]
    assert (lifted.is_weak, lifted.suggestions, lifted.degraded) == (
        weak,
        ("word",),
        "no embedder",
    )


_LETTERS = "abcdefgh"
_SHARES = st.floats(0, 1, exclude_max=True)


@pytest.mark.promise("learning.severity")
@given(
    st.fixed_dictionaries(dict.fromkeys(_LETTERS, st.sampled_from(_SEVERITIES))),
    st.dictionaries(st.sampled_from(_LETTERS), st.floats(0.00001, 30)),
    st.dictionaries(st.sampled_from(_LETTERS), _SHARES),
    st.integers(1, 9),
)
def test_every_place_keeps_the_severity_it_had(
    severities: dict[str, Severity], scores: dict[str, float], shares: dict[str, float], limit: int
) -> None:
    snapshot = snapshot_of(**severities)
    found = result_of(**dict(sorted(scores.items(), key=lambda item: -item[1])))
    lifted = apply_lifts(found, lifts_of(**shares), snapshot=snapshot, visible=None, limit=limit)

    before = [snapshot.tools[hit.qualified].severity for hit in found.hits][:limit]
    after = [snapshot.tools[hit.qualified].severity for hit in lifted.hits]
    assert after[: len(before)] == before
    assert len(lifted.hits) == len({hit.qualified for hit in lifted.hits}) <= limit
    assert len(lifted.hits) >= min(limit, len(found.hits))
    cap = 0.25 * max(scores.values(), default=1.0)
    score_before = {hit.qualified: hit.score for hit in found.hits}
    for hit in lifted.hits:
        raised = hit.parts.get("use", 0.0)
        assert 0 <= raised <= cap + 1e-5
        assert hit.score == pytest.approx(score_before.get(hit.qualified, 0.0) + raised, abs=1e-4)
    for severity in _SEVERITIES:
        of_one = [h.score for h in lifted.hits if snapshot.tools[h.qualified].severity == severity]
        assert of_one == sorted(of_one, reverse=True)


@given(st.dictionaries(st.sampled_from(_LETTERS), st.floats(0.1, 9)), st.integers(1, 9))
def test_without_uses_the_answer_is_the_same(scores: dict[str, float], limit: int) -> None:
    snapshot = snapshot_of(**dict.fromkeys(_LETTERS, "write"))
    found = result_of(**dict(sorted(scores.items(), key=lambda item: -item[1])))

    lifted = apply_lifts(found, {}, snapshot=snapshot, visible=None, limit=limit)
    assert lifted.hits == found.hits[:limit]
