"""Every file of `examples/` runs as it is, its vendor's place taken by a strict local server."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from toolweft.testing.vendors.openai import OpenAIServer
from toolweft.testing.vendors.openai_chat import OpenAIChatServer
from toolweft.testing.vendors.openai_request import MODELS
from toolweft.testing.vendors.played import VENDOR_FORMS, Play, Said, SaidCall, VendorForm

pytestmark = [pytest.mark.process, pytest.mark.network, pytest.mark.timeout(150)]

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PROGRAM = """\
import asyncio
team = await list_team()
lines = await asyncio.gather(*(get_expenses(person=p) for p in team))
spent = {p: sum(x["cents"] for x in own) for p, own in zip(team, lines)}
print({p: cents for p, cents in spent.items() if cents > 50_000})
"""
SORTING = """\
lines = [x for p in await list_team() for x in await get_expenses(person=p)]
kinds = await worker_map([x["what"] for x in lines], "Of what kind is this expense?", schema={
    "type": "object", "properties": {"kind": {"enum": ["travel", "food", "other"]}},
    "required": ["kind"]})
print(sum(x["cents"] for x, k in zip(lines, kinds) if k["kind"] == "travel"))
"""
MODEL = "TOOLWEFT_MODELS__{}__BASE_URL"
# What each agent's example is told of its vendor: the variable of its address, and of its key.
AGENTS = {
    "with_anthropic.py": ("anthropic", MODEL.format("ANTHROPIC:CLAUDE-OPUS-5-5"), "ANTHROPIC"),
    "with_openai.py": ("openai", MODEL.format("OPENAI:GPT-5.6-SOL"), "OPENAI"),
    "with_azure.py": ("deployment", "AZURE_OPENAI_BASE_URL", "AZURE_OPENAI"),
    "with_ollama.py": ("ollama", MODEL.format("OLLAMA:PHI4-MINI"), None),
    "with_compatible_server.py": ("openai_chat", "CHAT_BASE_URL", None),
    "with_gemini.py": ("gemini", MODEL.format("GEMINI:GEMINI-3.8-FLASH"), "GEMINI"),
}


def _chat_server(*models: str) -> Any:
    return lambda script: OpenAIChatServer(script, models=frozenset(models))


def _openai_server(model: str) -> Any:
    # A deployment's or a smaller model's facts, as of the form's own model.
    return lambda script: OpenAIServer(script, models={model: MODELS["gpt-5.4"]})


def find_form(name: str) -> VendorForm:
    """A vendor's form, with the models that the examples name."""
    if name == "ollama":
        return replace(VENDOR_FORMS["openai_chat"], build=_chat_server("phi4-mini"))
    if name == "deployment":
        return replace(VENDOR_FORMS["azure"], build=_openai_server("our-deployment"))
    if name == "worker":
        return replace(VENDOR_FORMS["openai"], build=_openai_server("gpt-5.6-luna"))
    return VENDOR_FORMS[name]


def play_program(code: str) -> Play:
    """A model that searches, runs a program, and says what that printed."""

    def play(seen: Mapping[str, str]) -> Said:
        if "s" not in seen:
            queries = ["people of the team", "expenses of a person"]
            call = SaidCall(id="s", name="search_tools", arguments={"queries": queries})
        elif "p" not in seen:
            call = SaidCall(id="p", name="run_code", arguments={"code": code})
        else:
            return Said(text=f"It is {seen['p'].splitlines()[0]}.")
        return Said(calls=(call,))

    return play


async def run_example(name: str, environment: Mapping[str, str], home: Path) -> str:
    """What it printed; it has to end well."""
    inherited = {
        key: value
        for key, value in os.environ.items()
        if key.startswith("COVERAGE_") or key in {"PATH", "PYTHONPATH", "LANG"}
    }
    with anyio.fail_after(120):
        ended = await anyio.run_process(
            [sys.executable, "-W", "error", str(EXAMPLES / name)],
            cwd=home,
            env={**inherited, "HOME": str(home), **environment},
            check=False,
        )
    assert ended.returncode == 0, ended.stderr.decode()
    return ended.stdout.decode()


def test_every_file_is_tried_here() -> None:
    tried = {*AGENTS, "library.py", "planner_and_worker.py", "anthropic_client.py", "team.py"}
    tried.add("mixed_sources.py")
    assert {path.name for path in EXAMPLES.glob("*.py")} == tried
    configured = {"azure.toml", "compatible_server.toml", "gateway.toml"}
    assert {path.name for path in EXAMPLES.glob("*.toml")} == configured


@pytest.mark.promise("house.examples")
@pytest.mark.parametrize("name", AGENTS)
async def test_an_agent_answers_at_every_vendor(name: str, tmp_path: Path) -> None:
    vendor, address, key = AGENTS[name]
    async with find_form(vendor).open(play_program(PROGRAM)) as server:
        environment = {address: server.base_url}
        if key is not None:
            environment[f"{key}_API_KEY"] = server.key
        printed = await run_example(name, environment, tmp_path)
        assert server.refusals == []
    assert "It is {'bo': 79500}." in printed
    assert "done: 3 turns" in printed


async def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="there is no key in ANTHROPIC_API_KEY"):
        await run_example("with_anthropic.py", {}, tmp_path)


async def test_a_planner_asks_a_worker_once_a_record(tmp_path: Path) -> None:
    def sort(_seen: Mapping[str, str]) -> Said:
        return Said(text=json.dumps({"kind": "travel"}))

    planner, worker = VENDOR_FORMS["anthropic"], find_form("worker")
    async with planner.open(play_program(SORTING)) as one, worker.open(sort) as two:
        environment = {
            MODEL.format("ANTHROPIC:CLAUDE-OPUS-5-5"): one.base_url,
            MODEL.format("OPENAI:GPT-5.6-LUNA"): two.base_url,
            "ANTHROPIC_API_KEY": one.key or "",
            "OPENAI_API_KEY": two.key or "",
        }
        printed = await run_example("planner_and_worker.py", environment, tmp_path)
        assert (one.refusals, two.refusals) == ([], [])
    assert "It is 97200." in printed
    assert "worker openai:gpt-5.6-luna: 5 requests" in printed


async def test_a_program_at_the_vendor_calls_the_clients_tools(tmp_path: Path) -> None:
    people = ("ann", "bo", "cy")

    def play(seen: Mapping[str, str]) -> Said:
        if "t" not in seen:
            call = SaidCall(id="t", name="list_team", arguments={})
            return Said(calls=(call,), program="1", code="...")
        if "e0" not in seen:
            assert json.loads(seen["t"]) == list(people)
            calls = tuple(
                SaidCall(id=f"e{n}", name="get_expenses", arguments={"person": p})
                for n, p in enumerate(people)
            )
            return Said(calls=calls, program="1")
        cents = sum(line["cents"] for line in json.loads(seen["e1"]))
        return Said(text=f"bo, {cents} cents", program="1", printed=str(cents))

    async with VENDOR_FORMS["anthropic"].open(play) as server:
        environment = {
            "ANTHROPIC_BASE_URL": server.base_url,
            "ANTHROPIC_API_KEY": server.key or "",
        }
        printed = await run_example("anthropic_client.py", environment, tmp_path)
        assert server.refusals == []
        assert server.requests[1]["container"] == "container_01"
    lines = printed.splitlines()
    assert lines[0] == "programmatic list_team {}"
    assert lines[-1] == "bo, 79500 cents"


async def test_the_library_needs_no_model(tmp_path: Path) -> None:
    printed = (await run_example("library.py", {}, tmp_path)).splitlines()
    assert printed[0] == "local.get_expenses"
    assert printed[-2:] == ["3 people", "bo"]


async def test_one_program_uses_sources_of_every_kind(tmp_path: Path) -> None:
    printed = (await run_example("mixed_sources.py", {}, tmp_path)).splitlines()
    assert printed[0] == "bo is 295.00 euros over budget, 3422.00 kroner"
    assert sorted(printed[1:]) == [
        "budgets.getBudget ok",
        "local.get_expenses ok",
        "rates.get_rate ok",
    ]


async def test_the_gateways_configuration_opens_what_it_says(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "toolweft", "tools", "--config", EXAMPLES / "gateway.toml"]
    environment = {**os.environ, "HOME": str(tmp_path), "COLUMNS": "200"}
    listed = await anyio.run_process([*map(str, command)], env=environment)
    rows = {line.split()[0]: line for line in listed.stdout.decode().splitlines()}
    assert "destructive  direct+programmatic" in rows["team.approve_expense"]
    assert set(rows) >= {"team.list_team", "team.get_expenses"}
