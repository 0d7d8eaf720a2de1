import json
from collections.abc import Sequence
from typing import Any

import pytest

from toolweft.core.ids import SourceName
from toolweft.core.snapshot import SourceStatus
from toolweft.core.tools import ToolDefinition
from toolweft.sources.mcp.definitions import build_definitions
from toolweft.sources.reporting import Reporter

NAME = SourceName("s")


class Listener:
    def __init__(self) -> None:
        self.told: list[Sequence[ToolDefinition] | None] = []

    async def prepare(
        self, status: SourceStatus, definitions: Sequence[ToolDefinition]
    ) -> None: ...

    def source_changed(
        self, status: SourceStatus, definitions: Sequence[ToolDefinition] | None
    ) -> None:
        self.told.append(definitions)


def listed(*schemas: str) -> tuple[ToolDefinition, ...]:
    tools: list[Any] = [
        {"name": f"t{number}", "inputSchema": json.loads(schema)}
        for number, schema in enumerate(schemas)
    ]
    return build_definitions(tools, namespace=NAME)[0]


async def test_what_was_wrong_with_a_list_is_told_with_its_tools_the_first_few() -> None:
    reporter = Reporter(NAME, kind="fake", listener=Listener(), secrets=["hunter2"])
    tools = listed("{}")

    await reporter.prepare(tools, notes=["of hunter2", *map(str, range(8))])
    reporter.ready(tools)
    assert reporter.status.notes == ("of ***", "0", "1", "2", "3", "4 more of the kind")

    await reporter.prepare(tools)
    reporter.ready(tools)
    assert reporter.status.notes == ()


def test_a_list_that_is_the_same_json_is_told_once() -> None:
    listener = Listener()
    reporter = Reporter(NAME, kind="fake", listener=listener)
    schema = '{"type": "object", "properties": {"a": {"const": 1}}}'
    # Too large to be packed.
    large = json.dumps({"type": "object", "description": "x" * 40_000})

    reporter.ready(listed(schema, large), start_s=1.0)
    reporter.ready(listed(schema, large), start_s=1.0)
    assert len(listener.told) == 1

    reporter.ready(listed(schema, large, schema), start_s=1.0)
    assert [len(told or ()) for told in listener.told] == [2, 3]


@pytest.mark.parametrize("filling", ["", "x" * 40_000], ids=["packed", "too large to be packed"])
def test_a_list_that_only_python_takes_for_the_same_is_told_again(filling: str) -> None:
    listener = Listener()
    reporter = Reporter(NAME, kind="fake", listener=listener)
    for value in ("1", "1.0", "true"):
        reporter.ready(listed(f'{{"const": {value}, "title": "{filling}"}}'), start_s=1.0)

    assert len(listener.told) == 3
