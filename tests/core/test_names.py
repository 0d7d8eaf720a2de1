"""Names are spelled safely, differently, and whatever the order."""

import re
from keyword import iskeyword

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toolweft.core.names import (
    MAX_WIRE_NAME,
    RESERVED_NAMESPACES,
    lasting_namespace,
    python_name,
    python_names,
    python_namespace,
    python_namespaces,
    wire_name,
)

# A small alphabet, so that spellings clash often.
originals = st.text(st.sampled_from("ab_-.1é "), min_size=1, max_size=4)
sets_of_names = st.sets(st.one_of(originals, st.text(max_size=8)), max_size=12)


@pytest.mark.parametrize(
    ("original", "safe"),
    [
        ("list_issues", "list_issues"),
        ("resolve-library-id", "resolve_library_id"),
        ("filter.query", "filter_query"),
        ("3d", "_3d"),
        ("from", "from_"),
        ("None", "None_"),
        ("match", "match"),
        ("größe", "gr__e"),
        ("__init__", "__init__tool"),
        ("", "_"),
    ],
)
def test_a_name_is_spelled_with_letters_python_accepts(original: str, safe: str) -> None:
    assert python_name(original) == safe


@given(st.text(max_size=20))
def test_every_spelling_is_an_identifier_that_is_no_keyword(original: str) -> None:
    for safe in (python_name(original), python_namespace(original), lasting_namespace(original)):
        assert safe.isidentifier()
        assert safe.isascii()
        assert not iskeyword(safe)


@pytest.mark.parametrize("reserved", sorted(RESERVED_NAMESPACES))
def test_a_reserved_namespace_gets_a_suffix(reserved: str) -> None:
    assert python_namespace(reserved) == f"{reserved}_"


@pytest.mark.parametrize(
    "builtin", ["filter", "print", "map", "open", "input", "list", "Exception"]
)
def test_a_source_named_like_a_builtin_leaves_the_builtin_alone(builtin: str) -> None:
    assert python_namespaces([builtin]) == {builtin: f"{builtin}_"}
    assert python_names([builtin]) == {builtin: builtin}


@given(sets_of_names)
def test_all_names_of_a_set_are_spelled_differently(names: set[str]) -> None:
    spelled = python_names(names)
    assert spelled.keys() == names
    assert len(set(spelled.values())) == len(names)
    assert all(safe.isidentifier() and not iskeyword(safe) for safe in spelled.values())


@given(sets_of_names, st.randoms())
def test_the_order_of_a_set_changes_no_spelling(names: set[str], random: object) -> None:
    shuffled = sorted(names)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis hands out a Random
    assert python_names(shuffled) == python_names(sorted(names))
    assert python_namespaces(shuffled) == python_namespaces(sorted(names))


@given(sets_of_names)
def test_a_name_that_is_safe_already_always_keeps_its_spelling(names: set[str]) -> None:
    for original, safe in python_names(names).items():
        if python_name(original) == original:
            assert safe == original


@given(sets_of_names, st.one_of(originals, st.text(max_size=8)))
@example({"a-b"}, "c-d")
def test_a_new_name_renames_only_those_that_share_its_plain_spelling(
    names: set[str], new: str
) -> None:
    before = python_namespaces(names)
    after = python_namespaces(names | {new})
    renamed = {name for name in names if before[name] != after[name]}
    assert all(python_namespace(name) == python_namespace(new) for name in renamed)


@given(sets_of_names)
def test_a_clashing_source_is_known_by_its_lasting_spelling(names: set[str]) -> None:
    for original, safe in python_namespaces(names).items():
        assert safe in {python_namespace(original), lasting_namespace(original)}


def test_clashing_names_are_told_apart_by_their_own_hash() -> None:
    spelled = python_names(["a-b", "a_b", "a.b"])
    assert spelled["a_b"] == "a_b"
    assert re.fullmatch(r"a_b_[0-9a-f]{6}", spelled["a-b"])
    assert spelled["a-b"] == python_names(["a-b", "a.b"])["a-b"]


def test_a_name_made_to_look_like_anothers_suffixed_spelling_takes_nothing_from_it() -> None:
    suffixed = python_names(["a-b", "a_b"])["a-b"]
    spelled = python_names(["a-b", "a_b", suffixed])
    assert spelled[suffixed] == suffixed
    assert spelled["a-b"] not in {suffixed, "a_b"}


identifiers = st.from_regex(r"[a-z_][a-z0-9_]{0,40}", fullmatch=True)


@given(identifiers, identifiers)
def test_a_wire_name_is_short_and_plain(namespace: str, name: str) -> None:
    assert re.fullmatch(rf"[A-Za-z0-9_-]{{1,{MAX_WIRE_NAME}}}", wire_name(namespace, name))


@given(st.sets(st.tuples(identifiers, identifiers), max_size=20))
def test_different_tools_have_different_wire_names(tools: set[tuple[str, str]]) -> None:
    assert len({wire_name(*tool) for tool in tools}) == len(tools)
