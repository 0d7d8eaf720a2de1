from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.ids import QualifiedName
from toolweft.search.learning import UseMemory

NOW = datetime(2026, 5, 4, tzinfo=UTC)
LIST = QualifiedName("git.list")
SHOW = QualifiedName("git.show")


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def test_more_uses_raise_more_and_never_the_whole() -> None:
    memory = UseMemory()
    shares = []
    for _ in range(500):
        memory.add("acme", words("open issue"), LIST, at=NOW)
        shares.append(memory.lifts("acme", words("open issue"), at=NOW)[LIST].share)

    assert shares[:20] == sorted(set(shares[:20]))
    assert shares[0] < 0.3
    assert shares[9] > 0.9
    assert shares[-1] <= 1


def test_the_pairs_used_longest_ago_are_forgotten_first() -> None:
    memory = UseMemory(max_pairs=2)
    memory.add("acme", words("a b"), LIST, at=NOW)
    memory.add("acme", words("a b"), SHOW, at=NOW)
    memory.add("acme", words("a b"), LIST, at=NOW)
    memory.add("acme", words("c d"), LIST, at=NOW)

    assert memory.lifts("acme", words("a b"), at=NOW).keys() == {LIST}
    assert memory.lifts("acme", words("c d"), at=NOW).keys() == {LIST}


def test_the_tenants_that_taught_longest_ago_are_forgotten_first() -> None:
    memory = UseMemory(max_tenants=2)
    for tenant in ("one", "two", "one", "three"):
        memory.add(tenant, words("a"), LIST, at=NOW)

    known = [t for t in ("one", "two", "three") if memory.lifts(t, words("a"), at=NOW)]
    assert known == ["one", "three"]


@pytest.mark.parametrize(("likeness", "query"), [(0.5, "a x"), (1.0, "a b"), (0.82, "a b c")])
def test_likeness_decides_how_much_a_use_counts(likeness: float, query: str) -> None:
    memory = UseMemory()
    memory.add("acme", words("a b"), LIST, at=NOW)
    same = memory.lifts("acme", words("a b"), at=NOW)[LIST].share
    found = memory.lifts("acme", words(query), at=NOW)

    if likeness <= 0.6:
        assert found == {}
    else:
        assert (found[LIST].share == same) == (likeness == 1)


_SETS = st.frozensets(st.sampled_from("pqrstuvw"), min_size=1)


@given(st.lists(_SETS, unique=True, max_size=60), _SETS)
def test_every_like_query_is_found_and_no_other(
    known: list[frozenset[str]], asked: frozenset[str]
) -> None:
    memory = UseMemory()
    for number, one in enumerate(known):
        memory.add("acme", one, QualifiedName(f"s.t{number}"), at=NOW)
    # Squared, in whole numbers: likeness is over 0.6.
    like = {
        f"s.t{number}"
        for number, one in enumerate(known)
        if 25 * len(one & asked) ** 2 > 9 * len(one) * len(asked)
    }

    assert memory.lifts("acme", asked, at=NOW).keys() == like


_ADDS = st.tuples(
    st.sampled_from(["a", "b"]),
    st.frozensets(st.sampled_from("pqrs"), min_size=1),
    st.sampled_from([LIST, SHOW]),
    st.integers(-(10**9), 10**9),
)


@given(st.lists(_ADDS, max_size=40), st.frozensets(st.sampled_from("pqrs"), min_size=1))
def test_a_small_memory_answers_as_one_that_was_only_told_what_it_kept(
    adds: list[tuple[str, frozenset[str], QualifiedName, int]], asked: frozenset[str]
) -> None:
    """Forgetting leaves nothing behind: not a word, not a weight."""
    small = UseMemory(max_pairs=3)
    kept: dict[tuple[str, frozenset[str], QualifiedName], list[int]] = {}
    for tenant, known, tool, seconds in adds:
        small.add(tenant, known, tool, at=NOW + timedelta(seconds=seconds))
        kept[tenant, known, tool] = [*kept.pop((tenant, known, tool), []), seconds]
        of_tenant = [pair for pair in kept if pair[0] == tenant]
        if len(of_tenant) > 3:
            del kept[of_tenant[0]]
    plain = UseMemory()
    for (tenant, known, tool), times in kept.items():
        for seconds in times:
            plain.add(tenant, known, tool, at=NOW + timedelta(seconds=seconds))

    for tenant in ("a", "b"):
        mine = small.lifts(tenant, asked, at=NOW)
        other = plain.lifts(tenant, asked, at=NOW)
        assert mine.keys() == other.keys()
        for tool in mine:
            assert mine[tool].uses == other[tool].uses
            assert mine[tool].share == pytest.approx(other[tool].share)
