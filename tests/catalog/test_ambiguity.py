"""Places of a schema where an example says more than the schema."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolweft.catalog.ambiguity import find_ambiguities


def found_in(**properties: Any) -> list[tuple[str, str]]:
    schema = {"type": "object", "properties": properties, "required": ["needed"]}
    return [(found.kind, ".".join(found.path)) for found in find_ambiguities(schema)]


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": said, **more}


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Start date, YYYY-MM-DD.", "format"),
        ("When, as ISO 8601.", "format"),
        ("A cron expression.", "format"),
        ("Labels, comma-separated.", "format"),
        ("Order by 'asc' or 'desc'.", "choices"),
        ('State: "open", "closed", or "all".', "choices"),
        ("Mode: fast|slow|auto", "choices"),
        ("One of: open, closed, all", "choices"),
    ],
)
def test_what_stands_in_prose_alone_is_ambiguous(said: str, kind: str) -> None:
    assert found_in(needed=text(said)) == [(kind, "needed")]
    assert found_in(needed={"type": "array", "items": {"type": "string"}, "description": said}) == [
        (kind, "needed")
    ]


@pytest.mark.parametrize(
    "settled",
    [
        text("The name of the city."),
        text("Say it's over, don't wait."),
        text("Order by 'asc' or 'desc'.", enum=["asc", "desc"]),
        text("Start date, YYYY-MM-DD.", format="date"),
        text("A cron expression.", pattern="^.+$"),
        {"type": "integer", "description": "For example 5."},
        {"type": "object", "properties": {"a": {"type": "string"}}},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        True,
        "nonsense",
    ],
)
def test_what_the_schema_settles_is_not(settled: Any) -> None:
    assert found_in(needed=settled) == []


def test_optional_objects_and_objects_of_any_shape_are() -> None:
    inner = {"type": "object", "properties": {"since": text("YYYY-MM-DD")}}

    assert found_in(
        filter={"anyOf": [inner, {"type": "null"}]},
        rows={"type": "array", "items": inner},
        needed={"type": "object"},
    ) == [
        ("object", "filter"),
        ("format", "filter.since"),
        ("object", "rows"),
        ("format", "rows.[].since"),
        ("object", "needed"),
    ]


def test_parameters_that_depend_on_each_other_are() -> None:
    assert found_in(
        needed=text("The file."),
        start_line={"type": "integer", "description": "Only used with `mode` set."},
        mode=text("Ignored if start_line is missing."),
        page={"type": "integer", "description": "Required when reading."},
    ) == [("related", "start_line"), ("related", "mode")]


def test_keywords_that_tie_parameters_together_are() -> None:
    schema = {"type": "object", "dependentRequired": {"a": ["b"]}}

    (found,) = find_ambiguities(schema)

    assert (found.kind, found.path) == ("related", ())


def test_references_are_followed_and_cycles_end() -> None:
    node = {
        "type": "object",
        "properties": {"next": {"$ref": "#/$defs/node"}, "on": text("e.g. 5")},
    }
    schema = {
        "type": "object",
        "properties": {"tree": {"$ref": "#/$defs/node"}, "lost": {"$ref": "#/$defs/none"}},
        "$defs": {"node": node, "loop": {"$ref": "#/$defs/loop"}},
    }

    paths = [".".join(found.path) for found in find_ambiguities(schema)]

    assert paths[:3] == ["tree", "tree.next", "tree.next.next"]
    assert len(paths) <= 12


JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "items", "required", "description", "anyOf"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=10,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["properties", "required", "if", "a"]), JSON))
def test_no_schema_makes_the_search_fail(schema: dict[str, Any]) -> None:
    for found in find_ambiguities(schema):
        assert found.reason
