"""What tests say they need is what capabilities tell, all of it and nothing else."""

import ast
from pathlib import Path

import pytest
from tests.conformance.backends import ENTRIES
from tests.conformance.hostile import CHANNEL, CLASSES, WORDS
from tests.conformance.needs import ABILITIES, has
from tests.conformance.test_limits import CASES

from toolweft.core.ports import SandboxCapabilities
from toolweft.core.programs import SESSION_LIMITS
from toolweft.sandbox.abilities import MONTY_CAPABILITIES

FOLDER = Path(__file__).resolve().parent


def find_needs(path: Path) -> set[str]:
    """The texts in `needs(...)` anywhere in a file."""
    return {
        argument.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "needs"
        for argument in node.args
        if isinstance(argument, ast.Constant)
    }


@pytest.mark.promise("sandbox.alike")
def test_what_tests_need_are_exactly_the_capabilities_there_are():
    needed = set().union(*map(find_needs, FOLDER.glob("test_*.py")))
    for case in CASES:
        needed |= {f"limits.{case.limit}", *case.needs}
    attacks = [attack for group in (*CLASSES.values(), CHANNEL, WORDS) for attack in group]
    needed |= {attack.means for attack in attacks if attack.means}

    assert needed == ABILITIES | {f"limits.{name}" for name in SESSION_LIMITS}


def test_an_unknown_capability_is_an_error_and_no_reason_to_skip():
    with pytest.raises(AttributeError):
        has(MONTY_CAPABILITIES, "telepathy")


def test_capabilities_name_no_limit_that_is_none_and_end_by_none_they_lack():
    for capabilities in (
        MONTY_CAPABILITIES,
        SandboxCapabilities(backend="process", tier="ns", language="Python"),
    ):
        assert capabilities.limits <= SESSION_LIMITS
        assert capabilities.ended_by <= capabilities.limits


def test_an_entry_is_left_out_for_one_reason_only():
    assert [entry.name for entry in ENTRIES if entry.missing] in ([], ["container"])
