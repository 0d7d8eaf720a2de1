"""What every kind of index finds, in which order, and that no query hurts."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolweft.core.ids import QualifiedName
from toolweft.core.search import SearchIndex
from toolweft.core.snapshot import Snapshot
from toolweft.core.tools import ToolDefinition
from toolweft.search.hybrid import HybridIndex
from toolweft.search.lexical import LexicalIndex
from toolweft.search.vectors import load_vectors
from toolweft.testing import build_definition, build_snapshot

DESK = (
    build_definition("github.list_issues", description="List issues of a repository"),
    build_definition("github.create_issue", description="Create a new issue in a repository"),
    build_definition("files.read_text_file", description="Read the whole text of a file"),
    build_definition("files.write_file", description="Replace a file, creating it if needed"),
    build_definition(
        "weather.forecast",
        description="What the sky will do",
        parameters={
            "cityName": {"type": "string", "description": "municipality"},
            "unit": {"enum": ["celsius", "fahrenheit"]},
            "when": {"type": "object", "properties": {"dayOfWeek": {"type": "string"}}},
            "spots": {"type": "array", "items": {"anyOf": [{"description": "latitude"}, True]}},
        },
    ),
)


def found(index: SearchIndex, query: str, *, limit: int = 10, visible: Any = None) -> list[str]:
    return [hit.qualified for hit in index.search(query, limit=limit, visible=visible)]


Builder: TypeAlias = Callable[[Snapshot], LexicalIndex | HybridIndex]


def build_hybrid(snapshot: Snapshot) -> HybridIndex:
    return HybridIndex.of(snapshot, vectors=load_vectors())


@pytest.fixture(scope="module", params=[LexicalIndex.of, build_hybrid], ids=["words", "meanings"])
def build_index(request: pytest.FixtureRequest) -> Builder:
    builder: Builder = request.param
    return builder


@pytest.fixture(scope="module")
def desk(build_index: Builder) -> LexicalIndex | HybridIndex:
    return build_index(build_snapshot(DESK))


def test_an_index_is_a_search_index(desk: LexicalIndex | HybridIndex) -> None:
    index: SearchIndex = desk
    assert len(desk) == len(DESK)
    assert found(index, "repository issues")[0] == "github.list_issues"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("forecasts", "name"),
        ("weather", "namespace"),
        ("sky", "description"),
        ("city", "parameter names"),
        ("municipalities", "parameter descriptions"),
        ("latitude", "parameter descriptions"),
        ("fahrenheit", "enum values"),
        ("day week", "parameter names"),
    ],
)
def test_every_field_is_searched_and_named(
    desk: LexicalIndex | HybridIndex, query: str, field: str
) -> None:
    (hit,) = desk.search(query, limit=5)
    assert hit.qualified == "weather.forecast"
    assert hit.matched[0] == field
    assert hit.score > 0


def test_the_category_is_searched(build_index: Builder) -> None:
    index = build_index(build_snapshot([replace(DESK[0], category="bug tracking"), DESK[2]]))
    assert index.search("tracking", limit=5)[0].matched == ("category",)


@pytest.mark.parametrize(
    "query", ["create_issue", "createIssue", "github.create_issue", "create issue", "CREATE-ISSUE"]
)
def test_a_tool_whose_name_is_the_query_comes_first(
    desk: LexicalIndex | HybridIndex, query: str
) -> None:
    hits = desk.search(query, limit=5)
    assert hits[0].qualified == "github.create_issue"
    assert hits[0].score > 2 * hits[1].score


@pytest.mark.parametrize("query", ["read_te", "files.read", "readText"])
def test_the_beginning_of_a_name_is_enough(desk: LexicalIndex | HybridIndex, query: str) -> None:
    assert found(desk, query)[0] == "files.read_text_file"


def test_a_name_found_by_its_beginning_alone_matched_the_name(
    desk: LexicalIndex | HybridIndex,
) -> None:
    (hit,) = desk.search("forec", limit=5)
    assert hit.matched == ("name",)


def test_a_beginning_that_fits_very_many_names_is_left_to_the_words(build_index: Builder) -> None:
    many = [build_definition(f"s.getter{i}") for i in range(150)]
    index = build_index(build_snapshot([*many, build_definition("t.get")]))
    assert found(index, "get")[0] == "t.get"
    assert found(index, "getter7")[0] == "s.getter7"


def test_equal_scores_come_in_name_order(build_index: Builder) -> None:
    same = [build_definition(f"{source}.ping") for source in ("s3", "s1", "s2")]
    assert found(build_index(build_snapshot(same)), "ping") == ["s1.ping", "s2.ping", "s3.ping"]


def test_a_rare_word_weighs_more_than_a_common_one(build_index: Builder) -> None:
    common = [build_definition(f"s.t{i}", description="list") for i in range(20)]
    rare = build_definition("s.z", description="volcano")
    assert found(build_index(build_snapshot([*common, rare])), "list volcano")[0] == "s.z"


def test_disabled_tools_are_not_found_and_unavailable_ones_are(
    build_index: Builder, desk: LexicalIndex | HybridIndex
) -> None:
    snapshot = build_snapshot(DESK)
    changed = {
        name: replace(tool, status="disabled" if "list" in name else "unavailable")
        for name, tool in snapshot.tools.items()
    }
    index = build_index(replace(snapshot, tools=changed))
    assert found(index, "issue") == ["github.create_issue"]


def test_only_visible_tools_are_found(desk: LexicalIndex | HybridIndex) -> None:
    visible = [QualifiedName("github.list_issues")]
    assert found(desk, "create_issue", visible=visible) == ["github.list_issues"]
    assert found(desk, "issue", visible=frozenset()) == []


@pytest.mark.parametrize(
    "query",
    ["", " ", "\x00\x1b", "🙂🙂", ".*", "(z+)+$", "[", "\\", "%s{0}", "\ud800", "x" * 100_000],
)
def test_no_query_hurts(desk: LexicalIndex | HybridIndex, query: str) -> None:
    assert desk.search(query, limit=5) == []


def test_a_very_long_query_is_answered_from_its_beginning(desk: LexicalIndex | HybridIndex) -> None:
    assert found(desk, "forecast " + "issues " * 20_000)[0] == "weather.forecast"


def test_an_empty_catalog_finds_nothing(build_index: Builder) -> None:
    assert build_index(build_snapshot([])).search("x", limit=1) == []


# --------------------------------------------------------------------------- properties

VOCABULARY = (
    *("list", "get", "issue", "file", "page", "user", "data"),
    *("read-only", "createUser", "id", "天气", "chart"),
)
words = st.sampled_from(VOCABULARY)
texts = st.lists(words, max_size=6).map(" ".join)
tools = st.dictionaries(
    st.tuples(
        st.sampled_from(["a", "b", "c"]), st.sampled_from(["x", "y", "list", "getUser", "z9"])
    ),
    texts,
    max_size=15,
)


def definitions(described: dict[tuple[str, str], str]) -> list[ToolDefinition]:
    return [build_definition(".".join(k), description=text) for k, text in described.items()]


@given(tools, texts, st.integers(1, 5))
def test_the_first_hits_do_not_depend_on_how_many_are_asked_for(
    build_index: Builder, described: dict[tuple[str, str], str], query: str, limit: int
) -> None:
    index = build_index(build_snapshot(definitions(described)))
    every = index.search(query, limit=1_000)
    assert index.search(query, limit=limit) == every[:limit]
    assert all(hit.score > 0 for hit in every)
    assert every == sorted(every, key=lambda hit: (-hit.score, hit.qualified))


@given(tools, texts, st.integers(1, 5))
def test_tools_that_are_not_visible_change_nothing(
    build_index: Builder, described: dict[tuple[str, str], str], query: str, limit: int
) -> None:
    snapshot = build_snapshot(definitions(described))
    shown = dict(list(snapshot.tools.items())[::2])
    answer = build_index(replace(snapshot, tools=shown)).search(query, limit=limit)
    assert build_index(snapshot).search(query, limit=limit, visible=frozenset(shown)) == answer


def test_pruning_loses_nothing_in_a_large_catalog(build_index: Builder) -> None:
    many = [
        build_definition(
            f"s{i % 7}.t{i}",
            description=" ".join(VOCABULARY[(i * j + j) % 12] for j in range(1, 2 + i % 9)),
        )
        for i in range(800)
    ]
    index = build_index(build_snapshot(many))
    for query in ("chart", "list chart", "get the user data page", "id id write issue file", "t77"):
        every = index.search(query, limit=1_000)
        for limit in (1, 5, 50):
            assert index.search(query, limit=limit) == every[:limit]


def moved_on(old: Snapshot, described: dict[tuple[str, str], str]) -> Snapshot:
    """A later snapshot in which, as in the catalog, tools that stayed are the same objects."""
    new = build_snapshot(definitions(described))
    tools = {
        name: old.tools[name]
        if name in old.tools and old.tools[name].definition == tool.definition
        else tool
        for name, tool in new.tools.items()
    }
    return replace(new, version=old.version + 1, tools=MappingProxyType(tools))


@settings(deadline=None)  # many indexes are made
@given(tools, tools, st.integers(1, 6), st.lists(texts, max_size=3))
def test_an_updated_index_answers_like_a_new_one(
    build_index: Builder,
    before: dict[tuple[str, str], str],
    come: dict[tuple[str, str], str],
    step: int,
    queries: Sequence[str],
) -> None:
    stayed = {key: text for i, (key, text) in enumerate(before.items()) if i % step or step == 1}
    old = build_snapshot(definitions(before))
    index = build_index(old)
    answers = [index.search(query, limit=100) for query in queries]
    for after in (stayed, stayed | dict(list(come.items())[:step]), come):
        old = moved_on(old, after)
        fresh = build_index(old)
        updated = index.updated(old)
        assert len(updated) == len(fresh)
        for query in (*queries, "x", "list getUser", "b.x"):
            assert updated.search(query, limit=100) == fresh.search(query, limit=100)
    assert [index.search(query, limit=100) for query in queries] == answers


def test_a_word_that_left_with_its_only_tool_is_forgotten(build_index: Builder) -> None:
    old = build_snapshot(DESK)
    kept = {name: tool for name, tool in old.tools.items() if name != "weather.forecast"}
    updated = build_index(old).updated(replace(old, version=2, tools=kept))
    assert len(updated) == len(DESK) - 1
    assert found(updated, "sky") == []
    assert set(found(updated, "file")) == {"files.read_text_file", "files.write_file"}


def test_an_index_of_the_same_tools_is_the_same_index(
    build_index: Builder, desk: LexicalIndex | HybridIndex
) -> None:
    snapshot = build_snapshot(DESK)
    index = build_index(snapshot)
    assert index.updated(Snapshot(version=9, tools=snapshot.tools, sources={})) is index


def test_a_schema_full_of_parameters_is_read_only_so_far(build_index: Builder) -> None:
    huge = build_definition(
        "s.huge", parameters={f"p{i}": {"description": "words " * 50} for i in range(2_000)}
    )
    nested: dict[str, Any] = {"type": "object", "properties": {}}
    inner = nested
    for level in range(20):
        inner["properties"][f"level{chr(97 + level)}"] = deeper = {"properties": {}}
        inner = deeper
    index = build_index(
        build_snapshot([huge, build_definition("s.deep", parameters=nested["properties"])])
    )
    assert found(index, "words") == ["s.huge"]
    assert found(index, "levelb") == ["s.deep"]
    assert found(index, "levelt") == []
