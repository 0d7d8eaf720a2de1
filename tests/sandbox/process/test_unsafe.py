"""The tier without isolation: never by itself, and never unnoticed."""

import logging

import pytest
from tests.sandbox.process.guests import LIMITS, NAMES

from toolweft.bootstrap import open_app
from toolweft.config import load_settings
from toolweft.core.calls import LOCAL
from toolweft.core.clock import SystemClock
from toolweft.core.errors import ConfigError, SandboxUnavailable
from toolweft.sandbox.choice import expected
from toolweft.sandbox.options import SandboxOptions
from toolweft.sandbox.process import ProcessBackend
from toolweft.sandbox.process.tiers import TIERS, UNSAFE

pytestmark = [pytest.mark.process, pytest.mark.promise("sandbox.unsafe")]


async def fail(_zygote, tier, _clock):
    raise SandboxUnavailable(f"{tier.name} does not hold")


def test_no_candidate_is_unsafe():
    assert UNSAFE not in TIERS
    assert all(tier.is_confining for tier in TIERS)
    assert SandboxOptions().tier == "auto"


@pytest.mark.parametrize("tier", ["auto", "noopen"])
async def test_where_no_tier_holds_nothing_runs_rather_than_unsafe(tier):
    backend = ProcessBackend(SandboxOptions(tier=tier), clock=SystemClock(), proof=fail)
    with pytest.raises(SandboxUnavailable):
        await backend.__aenter__()
    assert "unsafe" not in [report.tier for report in backend.reports]


async def test_spelled_out_it_runs_says_so_and_keeps_only_limits(tmp_path, caplog):
    file = tmp_path / "file"
    file.write_text("in reach")
    options = SandboxOptions(tier="unsafe")
    with caplog.at_level(logging.WARNING):
        async with ProcessBackend(options, clock=SystemClock()) as backend:
            session = await backend.open(LIMITS)
            capabilities = backend.capabilities
            read = await session.run(
                f"open({str(file)!r}).read()", names=NAMES, limits=LIMITS, on_call=None
            )
            full = await session.run(
                f"bytearray({LIMITS.memory_bytes})", names=NAMES, limits=LIMITS, on_call=None
            )
            await session.close()
    assert (capabilities.tier, capabilities.is_isolated) == ("unsafe", False)
    assert read.value == b'"in reach"'
    assert full.limit == "memory"
    assert [record.message for record in caplog.records] == ["sandbox.unsafe"]
    (report,) = backend.reports
    assert (report.tier, report.reason) == ("unsafe", "its limits only, nothing is confined")


def test_it_is_told_before_the_start():
    assert expected(SandboxOptions(tier="unsafe")).is_isolated is False
    assert expected(SandboxOptions(tier="unsafe")).tier == "unsafe"
    assert expected(SandboxOptions()).is_isolated is True


def settings(folder, text):
    (folder / "toolweft.toml").write_text(text)
    return load_settings(
        config=folder / "toolweft.toml", overrides={}, environ={}, cwd=folder, home=folder
    )


@pytest.mark.parametrize("code", ["1 + 1", "1 / 0", "import os\nos._exit(3)"])
async def test_every_outcome_names_it(tmp_path, code):
    text = '[sandbox]\ntier = "unsafe"\n'
    async with open_app(settings(tmp_path, text)) as app:
        outcome = await app.toolbox_for(LOCAL).run(code)
    assert outcome.container.backend == "process/unsafe"


@pytest.mark.parametrize("backend", ["monty", "container"])
def test_backends_that_have_no_such_tier_are_refused_in_the_configuration(tmp_path, backend):
    with pytest.raises(ConfigError, match="unsafe"):
        settings(tmp_path, f'[sandbox]\ntier = "unsafe"\nbackend = "{backend}"\n')
