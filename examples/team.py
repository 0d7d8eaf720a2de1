"""The tools of these examples: a team and what its people spent."""

import toolweft

__all__ = ("TOOLS", "approve_expense", "get_expenses", "list_team")

_SPENT = {
    "ann": [("train to Bergen", 9_000), ("dinner with Acme", 6_400)],
    "bo": [("flight to Lisbon", 31_000), ("hotel in Lisbon", 48_500)],
    "cy": [("taxi", 2_300)],
}


@toolweft.tool(severity="read_only")
def list_team() -> list[str]:
    """List the people of the team."""
    return sorted(_SPENT)


@toolweft.tool(severity="read_only")
def get_expenses(person: str) -> list[dict[str, str | int]]:
    """Get the expenses of a person: what for, and how much in cents."""
    return [{"what": what, "cents": cents} for what, cents in _SPENT[person]]


@toolweft.tool(severity="destructive")
def approve_expense(person: str, what: str) -> str:
    """Approve an expense, which pays it out."""
    return f"approved: {what}, {person}"


TOOLS = (list_team, get_expenses, approve_expense)
