"""Tool search can be measured on plain descriptions of tools."""

from toolweft.testing import retriever

TOOLS = [
    {"id": "1", "server": "sky", "name": "get", "description": "Weather forecast of a city"},
    {"id": "2", "server": "sky", "name": "get", "description": "Moon phases"},
    {
        "id": "3",
        "name": "transfer",
        "input_schema": {"type": "object", "properties": {"iban": {"description": "bank account"}}},
    },
]


def test_tools_are_found_by_their_own_identifiers() -> None:
    searcher = retriever(TOOLS)
    assert searcher.search("weather forecast", 1) == ["1"]
    assert searcher.search("moon", 1) == ["2"]
    assert searcher.search("bank account", 5)[0] == "3"


def test_no_tools_are_no_answers() -> None:
    assert retriever([]).search("weather", 5) == []
