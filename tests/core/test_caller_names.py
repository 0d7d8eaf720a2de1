"""Callers in the words of people and vendors."""

from typing import Any

import pytest

from toolweft.core.caller_names import parse_callers
from toolweft.core.errors import InvalidValue


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (["direct"], {"direct"}),
        ({"programmatic", "direct"}, {"direct", "programmatic"}),
        (["program"], {"programmatic"}),
        (["code_execution"], {"programmatic"}),
        (["code_execution_20250825", "code_execution_20260120"], {"programmatic"}),
        ([], set()),
    ],
)
def test_every_spelling_is_one_of_two_words(written: Any, meant: set[str]) -> None:
    assert parse_callers(written, place="here") == meant


@pytest.mark.parametrize(
    "caller",
    ["", "Direct", "anyone", "programs", "code_execution_", "code_execution_20260120x", 3, None],
)
def test_anything_else_is_refused_with_its_place(caller: Any) -> None:
    with pytest.raises(InvalidValue, match=r"allowed_callers of 'x' has .* no caller"):
        parse_callers(["direct", caller], place="allowed_callers of 'x'")


def test_one_text_is_not_taken_for_a_list() -> None:
    with pytest.raises(InvalidValue, match=r"here is 'direct', one text \(write \['direct'\]\)"):
        parse_callers("direct", place="here")
