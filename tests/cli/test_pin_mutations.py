"""`toolweft pin check` over whole servers of which each tool was changed by one character."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.catalog.pin_cases import RAW, mutate, reordered
from tests.cli.shell import Shell

from toolweft.core.names import python_name

MUTATIONS = 1_000
# Another character may leave a schema that is none.
NOT_AS_ACCEPTED = {"changed", "unusable"}
Servers = dict[str, Sequence[dict[str, Any]]]


def write_servers(shell: Shell, servers: Servers, *, indent: int | None = None) -> None:
    for name, tools in servers.items():
        shell.write(f"{name}.json", json.dumps({"tools": tools}, indent=indent))
    shell.write(
        "toolweft.toml",
        "".join(f'[servers.{name}]\nrecorded = "{name}.json"\n' for name in servers),
    )


def check_rounds(shell: Shell, servers: Servers, chance: random.Random, *, at_least: int) -> None:
    """Change every tool by a character, again and again; each round has to name every tool."""
    write_servers(shell, servers)
    assert shell("pin", "accept", "--all").code == 0
    done = 0
    while done < at_least:
        changed = {
            name: [mutate(tool, chance) for tool in tools] for name, tools in servers.items()
        }
        write_servers(shell, changed)
        checked = shell("pin", "check")
        told = dict(line.rsplit(": ", 1) for line in checked.out.splitlines())
        names = {
            f"{python_name(name)}.{python_name(tool['name'])}"
            for name, tools in servers.items()
            for tool in tools
        }
        assert checked.code == 1
        assert {name for name in names if told.get(name) not in NOT_AS_ACCEPTED} == set()
        done += len(names)
    write_servers(
        shell,
        {name: [reordered(tool, chance) for tool in tools] for name, tools in servers.items()},
        indent=3,
    )
    assert (shell("pin", "check").code, shell("pin", "check").out) == (0, "")


@pytest.mark.promise("pins.every-character")
@pytest.mark.promise("pins.no-false-alarm")
def test_every_tool_with_one_other_character_is_named(bare: Shell) -> None:
    tools = [{**raw, "name": f"{raw['name']}_{n}"} for n in range(20) for raw in RAW]

    check_rounds(bare, {"git": tools}, random.Random(3), at_least=100)


@pytest.mark.data
@pytest.mark.timeout(600)
def test_every_recorded_tool_with_one_other_character_is_named(bare: Shell, data: Path) -> None:
    files = sorted((data / "servers" / "tools").glob("*.json"))
    servers = {file.stem: json.loads(file.read_bytes())["tools"] for file in files}

    check_rounds(bare, servers, random.Random(4), at_least=MUTATIONS)
