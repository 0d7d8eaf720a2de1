"""Who can be asked, and how often."""

import pytest

from toolweft.core.asks import MAX_ROUNDS, Rounds, check_askable, missing_capability
from toolweft.core.client import Ask
from toolweft.core.errors import AskRefused
from toolweft.core.ids import SourceName
from toolweft.core.json import JsonObject

DESK = SourceName("desk")
FORM = Ask(kind="elicitation", source=DESK, params={"message": "Who?"})
ADDRESS = Ask(kind="elicitation", source=DESK, params={"mode": "url", "url": "https://a.test"})
APPROVAL = Ask(kind="approval", source=DESK)
SAMPLE = Ask(kind="sampling", source=DESK, params={"messages": []})
TOOLS = Ask(kind="sampling", source=DESK, params={"messages": [], "tools": []})
ROOTS = Ask(kind="roots", source=DESK)


@pytest.mark.parametrize(
    ("ask", "declared", "missing"),
    [
        (FORM, {}, {"elicitation": {"form": {}}}),
        (FORM, {"elicitation": {}}, {}),
        (FORM, {"elicitation": {"form": {}}}, {}),
        (FORM, {"elicitation": {"url": {}}}, {"elicitation": {"form": {}}}),
        (FORM, {"elicitation": None}, {"elicitation": {"form": {}}}),
        (APPROVAL, {"elicitation": {}}, {}),
        (APPROVAL, {"sampling": {}}, {"elicitation": {"form": {}}}),
        (ADDRESS, {"elicitation": {}}, {"elicitation": {"url": {}}}),
        (ADDRESS, {"elicitation": {"url": {}}}, {}),
        (SAMPLE, {}, {"sampling": {}}),
        (SAMPLE, {"sampling": {}}, {}),
        (TOOLS, {"sampling": {}}, {"sampling": {"tools": {}}}),
        (TOOLS, {"sampling": {"tools": {}}}, {}),
        (ROOTS, {}, {"roots": {}}),
        (ROOTS, {"roots": {"listChanged": True}}, {}),
    ],
)
@pytest.mark.promise("front.capability")
def test_what_a_client_would_have_to_declare(
    ask: Ask, declared: JsonObject, missing: JsonObject
) -> None:
    assert missing_capability(ask, declared) == missing


def test_a_refusal_names_the_capability() -> None:
    with pytest.raises(AskRefused, match=r"has not declared 'elicitation\.url'") as caught:
        check_askable(ADDRESS, {"elicitation": {"form": {}}})

    assert caught.value.hint is not None
    assert "elicitation.url" in caught.value.hint


def test_asks_that_are_open_together_are_one_round() -> None:
    rounds = Rounds(most=2)
    for _ in range(3):
        rounds.open(FORM)
    for _ in range(3):
        rounds.close()
    rounds.open(FORM)
    rounds.close()

    assert rounds.begun == 2
    with pytest.raises(AskRefused, match="2 rounds were asked already"):
        rounds.open(FORM)
    assert rounds.opened == 0


def test_there_are_fewer_rounds_than_a_client_would_repeat_its_request() -> None:
    from mcp.client._input_required import DEFAULT_INPUT_REQUIRED_MAX_ROUNDS

    assert MAX_ROUNDS < DEFAULT_INPUT_REQUIRED_MAX_ROUNDS
