"""One played model says the same at every vendor, and reads what was answered."""

from collections.abc import Mapping
from pathlib import Path

import pytest

import toolweft
from toolweft.config import load_settings
from toolweft.testing.vendors.played import VENDOR_FORMS, Said, SaidCall

pytestmark = [pytest.mark.process, pytest.mark.network]


@toolweft.tool(severity="read_only")
def double(number: int) -> int:
    """Double a number."""
    return 2 * number


@pytest.mark.parametrize("vendor", VENDOR_FORMS)
async def test_turns_with_several_calls_are_answered_by_their_ids(
    vendor: str, tmp_path: Path
) -> None:
    def play(seen: Mapping[str, str]) -> Said:
        if seen:
            return Said(text=f"{seen['one']} {seen['two']}")
        calls = (
            SaidCall(id=call_id, name="local-double", arguments={"number": number})
            for call_id, number in (("one", 1), ("two", 2))
        )
        return Said(text="Let me see.", calls=tuple(calls))

    form = VENDOR_FORMS[vendor]
    async with form.open(play) as server:
        model = {"base_url": server.base_url, "key": server.key or "none"}
        settings = load_settings(
            config=None,
            look_up=False,
            environ={
                f"TOOLWEFT_MODELS__{form.name}__{name}".upper(): value
                for name, value in model.items()
            },
            cwd=tmp_path,
            home=tmp_path,
        )
        result = await toolweft.Agent(form.name, config=settings, tools=[double]).run("Double.")
        assert server.refusals == []
    assert (result.status, result.text) == ("done", "2 4"), result.error
