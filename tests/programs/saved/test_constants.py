"""Constants that become parameters, and programs with other values."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.errors import InvalidArguments
from toolweft.core.saved import SavedParameter
from toolweft.programs.saved.constants import fill_constants, find_constants, one_kind_of_line

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
PROGRAM = '''"""What it does."""
import json
CITY = "Zürich"  # the place to look at
NIGHTS: int = 3
LIMITS = {
    "low": [1, -2.5],
    "high": None,
}  # both ends
SPAN = (1, 2)
RAW = b"bytes"
WHEN = f"{NIGHTS}"
TWICE = 1
TWICE = 2
SUM = 1 + 1
COUNTED = 0
COUNTED += 1
for i in [1]:
    INNER = 1
def look(SHADOW):
    return SHADOW
SHADOW = 1
print(CITY, NIGHTS, LIMITS)
'''


def parameter(name: str, constant: str) -> SavedParameter:
    return SavedParameter(name=name, constant=constant, default=None, schema={})


def test_constants_are_bound_once_at_the_top_to_plain_data() -> None:
    found = find_constants(PROGRAM)

    assert {constant.name: constant.value for constant in found} == {
        "CITY": "Zürich",
        "NIGHTS": 3,
        "LIMITS": {"low": [1, -2.5], "high": None},
    }
    assert [constant.comment for constant in found] == ["the place to look at", "", "both ends"]


@pytest.mark.promise("saved.parameters")
@given(city=PLAIN, limits=PLAIN)
def test_any_plain_data_takes_a_constants_place_and_nothing_else_moves(
    city: object, limits: object
) -> None:
    parameters = (parameter("city", "CITY"), parameter("limits", "LIMITS"))

    filled = fill_constants(PROGRAM, parameters, {"city": city, "limits": limits})

    values = {c.name: c.value for c in find_constants(filled)}
    assert (values["CITY"], values["NIGHTS"], values["LIMITS"]) == (city, 3, limits)
    before, after = ast.parse(PROGRAM).body, ast.parse(filled).body
    assert [node.lineno for node in before] == [node.lineno for node in after]
    assert ast.dump(before[-1]) == ast.dump(after[-1])


def test_what_is_not_given_stays_as_it_was() -> None:
    assert fill_constants(PROGRAM, (parameter("city", "CITY"),), {}) == PROGRAM


class Sly(str):
    def __repr__(self) -> str:
        return "__import__('os').system('id')"


def test_a_value_enters_as_data_however_it_would_write_itself() -> None:
    filled = fill_constants("A = 1\nA", (parameter("a", "A"),), {"a": Sly("x")})

    assert filled == "A = 'x'\nA"


@pytest.mark.parametrize("value", [float("inf"), float("nan"), {1, 2}, object()])
def test_what_is_no_json_is_refused_by_name(value: object) -> None:
    with pytest.raises(InvalidArguments, match="'a'"):
        fill_constants("A = 1\nA", (parameter("a", "A"),), {"a": value})


def test_every_kind_of_line_end_is_read_as_python_reads_it() -> None:
    code = one_kind_of_line("A = 1\r\nB = 2\rprint(A)\n")

    assert fill_constants(code, (parameter("b", "B"),), {"b": "x"}) == "A = 1\nB = 'x'\nprint(A)\n"
