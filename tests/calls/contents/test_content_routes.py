"""Names and addresses of several sources: told apart, found again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.calls.contents import ContentRoutes
from toolweft.calls.contents.names import (
    assign,
    matches_template,
    name_for_people,
    prefix_uri,
    split_uri,
)
from toolweft.core.contents import Contents, Listing
from toolweft.core.errors import ContentNotFound
from toolweft.core.ids import SourceName

A, B, C = SourceName("a"), SourceName("b"), SourceName("c")
# `a.b` and `x` look like `a` and `b.x` once they are joined.
NAMES = st.sampled_from(["x", "y", "a.x", "b.x", "a.b.x", "toolweft://x"])
SOURCES = st.sampled_from([A, B, SourceName("a.b")])


def contents(
    *uris: str, templates: tuple[str, ...] = (), prompts: tuple[str, ...] = ()
) -> Contents:
    return Contents(
        resources=Listing(entries=tuple({"uri": uri, "name": uri} for uri in uris)),
        templates=Listing(entries=tuple({"uriTemplate": t, "name": t} for t in templates)),
        prompts=Listing(entries=tuple({"name": name} for name in prompts)),
        can_read=True,
        can_prompt=True,
    )


@given(named=st.lists(st.tuples(SOURCES, NAMES), max_size=12))
def test_no_two_are_shown_under_one_name(named) -> None:
    shown = assign(named, name_for_people)

    assert len(set(shown.values())) == len(shown) == len(set(named))


@given(named=st.lists(st.tuples(SOURCES, NAMES), min_size=1, max_size=12))
def test_what_is_shown_with_its_source_stays_so_when_a_third_has_it_too(named) -> None:
    before = assign(named, name_for_people)
    after = assign([*named, (C, "x"), (C, "y")], name_for_people)

    prefixed = {one for one, shown in before.items() if shown != one[1]}
    assert all(after[one] == before[one] for one in prefixed)


@given(source=st.sampled_from(["a", "docs", "a b"]) | st.text(min_size=1), uri=st.text(min_size=1))
def test_a_prefixed_address_gives_both_its_parts_back(source: str, uri: str) -> None:
    assert split_uri(prefix_uri(SourceName(source), uri)) == (source, uri)


@pytest.mark.parametrize("uri", ["", "memo://a", "toolweft://handles/h", "toolweft://resources/a"])
def test_what_names_no_source_is_no_prefixed_address(uri: str) -> None:
    assert split_uri(uri) is None


@pytest.mark.parametrize(
    ("template", "uri", "does"),
    [
        ("memo://{id}", "memo://7", True),
        ("memo://{id}/page/{n}", "memo://7/page/2", True),
        ("memo://{id}/page/{n}", "memo://7", False),
        ("memo://{id}.txt", "memo://a.md", False),
        ("memo://{a}x{b}x", "memo://x", False),
        ("file:///{+path}", "file:///a/b/c", True),
        ("search://{?q}", "search://?q=1", True),
        ("plain", "plain", True),
        ("plain", "plainer", False),
        ("{a}", "anything", True),
        ("broken{", "broken-and-more", True),
    ],
)
def test_templates_match_by_what_they_say(template: str, uri: str, does: bool) -> None:
    assert matches_template(template, uri) is does


def test_a_hostile_template_is_matched_in_no_time() -> None:
    assert not matches_template("{x}a" * 50_000, "a" * 49_999 + "b")


def test_an_address_is_found_as_listed_then_by_template_then_by_the_only_reader() -> None:
    routes = ContentRoutes(
        {
            A: contents("memo://1", templates=("memo://{id}",)),
            B: contents(templates=("memo://b/{id}",)),
        }
    )
    alone = ContentRoutes({A: contents("memo://1"), B: Contents()})

    assert routes.find_resource("memo://1").source == A
    assert routes.find_resource("memo://b/2").source == B
    assert routes.find_resource("memo://2").source == A
    assert alone.find_resource("else://where").source == A
    with pytest.raises(ContentNotFound):
        routes.find_resource("else://where")


def test_one_address_of_two_is_shown_and_found_with_the_source() -> None:
    routes = ContentRoutes({A: contents("x:1", "x:2"), B: contents("x:1")})

    shown = [entry["uri"] for entry in routes.entries("resources")]
    assert shown == ["toolweft://resources/a/x:1", "x:2", "toolweft://resources/b/x:1"]
    assert [routes.find_resource(uri).source for uri in shown] == [A, A, B]
    with pytest.raises(ContentNotFound, match="that of 2 servers") as caught:
        routes.find_resource("x:1")
    assert caught.value.hint == (
        "use one of toolweft://resources/a/x:1, toolweft://resources/b/x:1"
    )


def test_a_slash_in_a_name_leads_to_no_other_server() -> None:
    both = SourceName("a/b")
    routes = ContentRoutes({A: contents("b/x:1", "x:1"), both: contents("x:1")})

    shown = {entry["name"]: entry["uri"] for entry in routes.entries("resources")}
    assert shown["x:1"] == "toolweft://resources/a%2Fb/x:1"
    found = [routes.find_resource(entry["uri"]) for entry in routes.entries("resources")]
    assert [(one.source, one.original) for one in found] == [
        (A, "b/x:1"),
        (A, "x:1"),
        (both, "x:1"),
    ]


def test_a_server_cannot_pass_for_another_or_for_us() -> None:
    theirs = ("toolweft://handles/h_1", "toolweft://resources/b/x:1")
    routes = ContentRoutes({A: contents(*theirs), B: contents("x:1")})

    shown = [entry["uri"] for entry in routes.entries("resources")]
    assert shown == [
        "toolweft://resources/a/toolweft://handles/h_1",
        "toolweft://resources/a/toolweft://resources/b/x:1",
        "x:1",
    ]
    assert routes.find_resource("toolweft://resources/b/x:1").source == B


def test_a_prompt_is_understood_with_its_source_however_it_is_shown() -> None:
    routes = ContentRoutes({A: contents(prompts=("ask", "sum")), B: contents(prompts=("sum",))})

    assert [entry["name"] for entry in routes.entries("prompts")] == ["ask", "a.sum", "b.sum"]
    for name, source, own in [("ask", A, "ask"), ("a.ask", A, "ask"), ("b.sum", B, "sum")]:
        route = routes.find_prompt(name)
        assert (route.source, route.original) == (source, own)
    with pytest.raises(ContentNotFound, match="that of 2 servers"):
        routes.find_prompt("sum")


def test_entries_keep_everything_but_the_name() -> None:
    entry = {"name": "sum", "title": None, "icons": [{"src": "x"}], "_meta": {"n": 2**60}}
    listing = Listing(entries=(entry,))
    routes = ContentRoutes({A: Contents(prompts=listing), B: Contents(prompts=listing)})

    assert routes.entries("prompts")[1] == {**entry, "name": "b.sum"}


def test_another_rule_names_them_in_its_way() -> None:
    routes = ContentRoutes(
        {A: contents(prompts=("sum",)), B: contents(prompts=("sum",))},
        rule=lambda source, name: f"{source}__{name}",
    )

    assert [entry["name"] for entry in routes.entries("prompts")] == ["a__sum", "b__sum"]
    assert routes.find_prompt("b__sum").source == B
