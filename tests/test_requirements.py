"""Every promise is claimed by a test, and every claim names a promise."""

import ast
import tomllib
from functools import cache
from pathlib import Path

TESTS = Path(__file__).resolve().parent


def load_promises() -> dict[str, str]:
    data = tomllib.loads((TESTS / "requirements.toml").read_text(encoding="utf-8"))
    return {
        f"{group}.{name}": text for group, names in data.items() for name, text in names.items()
    }


def list_claims(path: Path) -> set[str]:
    """The ids in `pytest.mark.promise(...)` anywhere in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        argument.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "promise"
        for argument in node.args
        if isinstance(argument, ast.Constant)
    }


@cache
def find_claims() -> dict[Path, set[str]]:
    """By file of tests; when it is asked for, as every worker imports this."""
    return {path: list_claims(path) for path in sorted(TESTS.rglob("test_*.py"))}


def test_every_promise_is_claimed_by_a_test() -> None:
    claimed = set().union(*find_claims().values())

    assert sorted(set(load_promises()) - claimed) == []


def test_every_claim_names_a_promise() -> None:
    promises = load_promises()
    unknown = {
        f"{path.relative_to(TESTS)}: {claim}"
        for path, claims in find_claims().items()
        for claim in claims
        if claim not in promises
    }

    assert sorted(unknown) == []


def test_every_promise_says_what_it_promises() -> None:
    assert all(text.endswith(".") and len(text) > 20 for text in load_promises().values())
