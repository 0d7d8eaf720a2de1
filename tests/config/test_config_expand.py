"""Variables in configuration texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.config.expand import (
    MissingVariable,
    clear_text,
    expand_secret,
    expand_text,
    is_reference,
)
from toolweft.core.secret import Secret

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
PLAIN = st.text().filter(lambda text: "${" not in text)


@given(PLAIN)
def test_a_text_without_variables_stays_as_it_is(text: str) -> None:
    assert expand_text(text, {}) == text


@given(st.lists(st.tuples(PLAIN, NAMES, st.text())), st.booleans())
def test_every_variable_becomes_its_value_and_is_never_expanded_again(
    parts: list[tuple[str, str, str]], is_long: bool
) -> None:
    # A "$" before a variable would only be part of the text.
    variables = {name: value for _, name, value in parts}
    form = "${env:%s}" if is_long else "${%s}"
    text = "".join(before + form % name for before, name, _ in parts)

    assert expand_text(text, variables) == "".join(
        before + variables[name] for before, name, _ in parts
    )


@given(NAMES, st.text().filter(lambda text: "}" not in text))
def test_a_default_stands_in_for_a_variable_that_is_not_set_or_empty(
    name: str, default: str
) -> None:
    text = f"<${{{name}:-{default}}}>"

    assert expand_text(text, {}) == f"<{default}>"
    assert expand_text(text, {name: ""}) == f"<{default}>"
    assert expand_text(text, {name: "set"}) == "<set>"


def test_a_set_but_empty_variable_without_default_is_empty() -> None:
    assert expand_text("<${A}>", {"A": ""}) == "<>"


def test_a_missing_variable_is_named_with_the_way_to_set_it() -> None:
    with pytest.raises(MissingVariable) as missing:
        expand_text("--token=${TOKEN}", {"OTHER": "x"})

    assert missing.value.name == "TOKEN"
    assert "export TOKEN=" in missing.value.hint


@pytest.mark.parametrize("text", ["${input:token}", "a ${command:pick} b"])
def test_variables_only_another_client_can_fill_in_are_refused(text: str) -> None:
    with pytest.raises(MissingVariable) as missing:
        expand_text(text, {})

    assert "${NAME}" in missing.value.hint


@pytest.mark.parametrize("text", ["$HOME", "${", "${}", "${1}", "a $ b", "{NAME}", "%NAME%"])
def test_what_only_looks_like_a_variable_is_text(text: str) -> None:
    assert expand_text(text, {"HOME": "x", "NAME": "y"}) == text
    assert not is_reference(text)


def test_a_reference_becomes_a_secret_that_remembers_its_name() -> None:
    secret = expand_secret("env:TOKEN", {"TOKEN": "hunter2"})

    assert isinstance(secret, Secret)
    assert secret.reveal() == "hunter2"
    assert secret.reference == "env:TOKEN"


def test_a_missing_reference_is_named() -> None:
    with pytest.raises(MissingVariable, match="TOKEN"):
        expand_secret("env:TOKEN", {})


def test_what_holds_a_variable_is_a_secret_too() -> None:
    header = expand_secret("Bearer ${TOKEN}", {"TOKEN": "hunter2"})

    assert isinstance(header, Secret)
    assert header.reveal() == "Bearer hunter2"
    assert repr(header) == "***"
    assert header.reference == "env:TOKEN"


@pytest.mark.parametrize("text", ["hunter2", "production", "env:", "postgres://me:pw@db"])
def test_a_literal_value_is_a_secret_whatever_it_is_called(text: str) -> None:
    secret = expand_secret(text, {})

    assert secret.reveal() == text
    assert text not in repr(secret)


@pytest.mark.parametrize("text", ["env:TOKEN", "${TOKEN}", "${env:TOKEN}"])
def test_a_variable_and_nothing_more_is_a_reference(text: str) -> None:
    assert is_reference(text)


@pytest.mark.parametrize("text", ["${TOKEN:-hunter2}", "hunter2${TOKEN}", "env:TOKEN hunter2"])
def test_what_writes_out_a_part_of_the_value_is_no_reference(text: str) -> None:
    assert not is_reference(text)


def test_a_variable_without_a_default_leaves_a_mark() -> None:
    assert clear_text("a${X}b${Y:-c}d}${Z", instead="|") == "a|bcd}${Z"
    assert clear_text("a${X}b") == "ab"
    assert clear_text("env:X", instead="|") == ""
