"""Whether a real model finds the right tool and fills it rightly: needs a key, and costs money.

Each request is asked four times: with all definitions in the prompt or behind `search_tools`, with
the tools' examples or without. Nothing is called: the first call of a catalog's tool is compared
with the expected one. Without a key nothing is measured, and the output says so.

    python -m benchmarks.live --provider anthropic:claude-sonnet-5 [--desk DIR] [--rows FILE]

Arguments are right where they equal the expected ones; in these "*" stands for any value, and a
list in place of a text for any of its items. The schemas leave open what the examples show, so
without examples many arguments cannot be right.
"""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio

import toolweft
from benchmarks.harness import OWN_DATA, Report, Rows, data_root, parser
from toolweft.bootstrap.models import VENDORS, open_model
from toolweft.config import Settings, load_settings, read_environment, read_home
from toolweft.core.calls import TextContent
from toolweft.core.errors import ConfigError, ProviderError
from toolweft.core.messages import (
    Message,
    ModelCall,
    ModelRequest,
    ModelResult,
    ModelTool,
    ResultsMessage,
    UserMessage,
)
from toolweft.core.providers import Provider
from toolweft.core.tools import ToolExample

_DATA = OWN_DATA / "live"
_SYSTEM = "Use the tools. Do what is asked with one call of the right tool; ask nothing back."
# A search, a description and the call, and one more for a mistake.
_MAX_TURNS = 4
_FINDING = ("search_tools", "describe_tools")


@dataclass(frozen=True)
class Case:
    """One request, and the call it asks for."""

    id: str
    request: str
    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """What the model called; no tool where it called none."""

    tool: str | None
    arguments: dict[str, Any]
    input_tokens: int
    turns: int
    fault: str = ""


def fits(given: Any, expected: Any) -> bool:
    """Whether a value is as expected; see the module's text for "*" and lists."""
    if expected == "*":
        return given not in (None, "", [])
    if isinstance(expected, dict) and isinstance(given, dict):
        return given.keys() == expected.keys() and all(
            fits(given[key], value) for key, value in expected.items()
        )
    if isinstance(expected, list) and isinstance(given, str):
        return given in expected
    return bool(given == expected)


def _load_cases() -> list[Case]:
    lines = (_DATA / "cases.jsonl").read_text("utf-8").splitlines()
    return [Case(**json.loads(line)) for line in lines]


def _load_tools(*, with_examples: bool) -> list[toolweft.ToolSpec]:
    def build(tool: dict[str, Any]) -> toolweft.ToolSpec:
        examples = tuple(ToolExample(**example) for example in tool.pop("examples"))
        spec = toolweft.ToolSpec(**tool, severity="write", handler=_never)
        return replace(spec, input_examples=examples) if with_examples else spec

    return [build(tool) for tool in json.loads((_DATA / "tools.json").read_text("utf-8"))]


def _never(**_arguments: Any) -> None:
    raise AssertionError("nothing is called here")


def _find(box: toolweft.Toolbox, call: ModelCall) -> tuple[str, dict[str, Any]]:
    """The catalog's tool that a call means, and its arguments."""
    name, arguments = call.name, call.arguments or {}
    if name == "call_tool":
        name, arguments = str(arguments.get("name")), arguments.get("arguments") or {}
    found = box.snapshot.find(name)
    return (name if found is None else found.definition.name), arguments


async def _ask(
    model: Provider, box: toolweft.Toolbox, tools: tuple[ModelTool, ...], request: str
) -> Choice:
    """Let the model search until it calls a tool of the catalog, or ends."""
    messages: list[Message] = [UserMessage(content=(TextContent(request),))]
    read = 0
    for turn in range(1, _MAX_TURNS + 1):
        reply = await model.complete(
            ModelRequest(system=_SYSTEM, tools=tools, messages=tuple(messages))
        )
        usage = reply.usage
        read += usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
        calls = reply.message.calls
        for call in calls:
            if call.name not in _FINDING:
                tool, arguments = _find(box, call)
                return Choice(tool, arguments, read, turn, call.fault)
        if not calls:
            return Choice(None, {}, read, turn, reply.stop)
        results = [await _answer(box, call) for call in calls]
        messages += [reply.message, ResultsMessage(results=tuple(results))]
    return Choice(None, {}, read, _MAX_TURNS, "it went on searching")


async def _answer(box: toolweft.Toolbox, call: ModelCall) -> ModelResult:
    reply = await box.invoke(call.name, call.arguments or {})
    return ModelResult(
        call_id=call.id,
        name=call.name,
        content=(TextContent(reply.text),),
        is_error=reply.is_error,
        caller=call.caller,
    )


def _definitions(box: toolweft.Toolbox) -> Iterator[ModelTool]:
    """Every tool of the catalog, as a model is told of it that cannot search."""
    for tool in box.snapshot.tools.values():
        definition = tool.definition
        yield ModelTool(
            name=tool.wire_name,
            description=definition.description,
            input_schema=definition.input_schema,
            examples=definition.input_examples,
        )


def _surface(box: toolweft.Toolbox) -> tuple[ModelTool, ...]:
    """What a model is told that searches; no programs, as one call is asked for."""
    names = (*_FINDING, "call_tool")
    return tuple(
        ModelTool(name=tool.name, description=tool.description, input_schema=tool.input_schema)
        for tool in box.surface().tools
        if tool.name in names
    )


async def _measure(options: Any, report: Report) -> None:
    try:
        settings = _settings(options)
        made = open_model(options.provider, settings)
    except ConfigError as exc:
        _skip(report, str(exc))
        return
    rows = Rows(options.rows)
    async with made as model:
        for with_examples in (True, False):
            with tempfile.TemporaryDirectory(prefix="toolweft-bench-") as scratch:
                config = _write_config(Path(scratch), options.desk)
                async with toolweft.open(
                    config,
                    tools=_load_tools(with_examples=with_examples),
                    overrides={"ledger.url": f"sqlite:///{scratch}/ledger.db"},
                ) as box:
                    for way, tools in (
                        ("listed", tuple(_definitions(box))),
                        ("searched", _surface(box)),
                    ):
                        name = f"{way}_{'with' if with_examples else 'without'}_examples"
                        await _one(name, model, box, tools, report, rows)


async def _one(
    name: str,
    model: Provider,
    box: toolweft.Toolbox,
    tools: tuple[ModelTool, ...],
    report: Report,
    rows: Rows,
) -> None:
    limit = model.capabilities.max_tools
    if limit is not None and len(tools) > limit:
        report.notes.append(f"{name}: {len(tools)} tools, and the model takes {limit}")
        return
    cases = _load_cases()
    right_tools = right_arguments = read = 0
    for case in cases:
        try:
            choice = await _ask(model, box, tools, case.request)
        except ProviderError as exc:
            choice = Choice(None, {}, 0, 0, str(exc))
        is_tool = choice.tool == case.tool
        is_right = is_tool and fits(choice.arguments, case.arguments)
        right_tools += is_tool
        right_arguments += is_right
        read += choice.input_tokens
        rows.write(way=name, id=case.id, right=is_right, expected=case.arguments, **vars(choice))
    report.add(f"{name}_tool_pct", 100 * right_tools / len(cases))
    report.add(f"{name}_arguments_pct", 100 * right_arguments / len(cases))
    report.add(f"{name}_input_tokens", read / len(cases))


def _skip(report: Report, reason: str) -> None:
    report.notes.append(f"not measured: {reason}")
    for way in ("listed", "searched"):
        for examples in ("with", "without"):
            for figure in ("tool_pct", "arguments_pct", "input_tokens"):
                report.add(f"{way}_{examples}_examples_{figure}", None)


def _settings(options: Any) -> Settings:
    overrides = {}
    if options.base_url is not None:
        overrides["models"] = {options.provider: {"base_url": options.base_url}}
    return load_settings(
        config=None,
        look_up=False,
        overrides=overrides,
        environ=read_environment(),
        cwd=Path.cwd(),
        home=read_home(),
    )


def _write_config(folder: Path, desk: Path | None) -> Path:
    """The desk's recorded servers, for company; none without a desk."""
    desk = desk or data_root(None, "servers")
    servers: dict[str, Any] = {}
    if (desk / "mcp.json").exists():
        names = json.loads((desk / "mcp.json").read_text("utf-8"))["mcpServers"]
        servers = {name: {"recorded": str(desk / "tools" / f"{name}.json")} for name in names}
    path = folder / "mcp.json"
    path.write_text(json.dumps({"mcpServers": servers}), "utf-8")
    return path


def main() -> None:
    """Run and print."""
    options = parser(str(__doc__).splitlines()[0])
    options.add_argument("--provider", required=True, help=f"vendor:model, of {', '.join(VENDORS)}")
    options.add_argument("--base-url", help="another address than the vendor's")
    options.add_argument("--desk", type=Path, help="folder with mcp.json and tools/ (the desk)")
    given = options.parse_args()
    report = Report("live")
    anyio.run(_measure, given, report)
    report.print(as_json=given.json)


if __name__ == "__main__":
    main()
