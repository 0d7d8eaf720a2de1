"""Names and ids that a model made up: the conversation goes on, at every vendor."""

from pathlib import Path
from typing import Any

import pytest
from tests.agent.vendors import FORMS, Call, Form, Say, load

from toolweft.bootstrap.agent import Agent

pytestmark = [pytest.mark.process, pytest.mark.network]

INVENTED = ("functions.rain", "3d view!", "r" * 90, "\N{CLOUD WITH RAIN}")
STEPS = (*(Call(name, {}) for name in INVENTED), Say("There is none."))


def script(form: Form) -> list[Any]:
    """Every vendor's calls are numbered alike."""
    return [form.write(step, number, False) for number, step in enumerate(STEPS, 1)]


@pytest.mark.promise("agent.switch")
@pytest.mark.parametrize("second", FORMS, ids=str)
@pytest.mark.parametrize("first", FORMS, ids=str)
async def test_invented_names_and_used_ids_are_no_end_at_any_vendor(
    first: Form, second: Form, tmp_path: Path
) -> None:
    # A vendor knows what it signed itself, so that it is one server where both are the same.
    twice = 2 if first is second else 1
    async with first.open(script(first) * twice) as one, second.open(script(second)) as other:
        two = one if first is second else other
        settings = load(tmp_path, (first, one))
        before = await Agent(first.name, config=settings).run("Rain?")
        settings = load(tmp_path, (second, two))
        after = await Agent(second.name, config=settings).run("And now?", history=before)

    assert one.refusals == two.refusals == []
    assert [before.text, after.text] == ["There is none."] * 2
    # What is told of them holds the names as they were.
    assert [call.tool for call in (*before.calls, *after.calls)] == [*INVENTED, *INVENTED]
