"""What the word vectors learn from: catalogs, requests with their tools, words of one meaning.

Everything here comes from this folder, or from a folder of query sets given by option.
"""

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolweft.core.ids import SourceName, ToolName
from toolweft.core.tools import ToolDefinition

__all__ = ("Catalog", "Request", "load_catalogs", "load_meanings", "load_recorded", "load_requests")

HERE = Path(__file__).resolve().parent
REQUESTS = HERE / "requests.tsv"
MEANINGS = HERE / "meanings.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A need in words and the tools that meet it."""

    text: str
    # Identifiers within the catalog.
    tools: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The tools of one origin by identifier, and the sets of requests that came with them."""

    name: str
    tools: Mapping[str, ToolDefinition]
    requests: Mapping[str, Sequence[Request]]


def load_catalogs(folder: Path) -> dict[str, Catalog]:
    """Every query set of a folder: `<name>/tools.jsonl.gz` with `queries*.jsonl.gz`."""
    catalogs = {}
    for path in sorted(folder.glob("*/tools.jsonl.gz")):
        name = path.parent.name
        requests = {}
        for file in sorted(path.parent.glob("queries*.jsonl.gz")):
            suffix = file.name.removeprefix("queries").removesuffix(".jsonl.gz").strip("_")
            requests[f"{name}:{suffix}" if suffix else name] = [
                Request(text=row["query"], tools=tuple(row["relevant"])) for row in _rows(file)
            ]
        tools = {row["id"]: build_definition(row) for row in _rows(path)}
        catalogs[name] = Catalog(name=name, tools=tools, requests=requests)
    return catalogs


def load_recorded(folder: Path) -> Catalog:
    """The tools that real servers listed: `<server>.json` each."""
    tools = {}
    for path in sorted(folder.glob("*.json")):
        for row in json.loads(path.read_text(encoding="utf-8"))["tools"]:
            tools[f"{path.stem}/{row['name']}"] = build_definition({"server": path.stem} | row)
    return Catalog(name="recorded", tools=tools, requests={})


def load_requests(path: Path = REQUESTS) -> dict[str, list[Request]]:
    """Our own requests by the name of their tool's catalog."""
    found: dict[str, list[Request]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        catalog, tool, *texts = line.split("\t")
        found.setdefault(catalog, []).extend(Request(text=text, tools=(tool,)) for text in texts)
    return found


def load_meanings(path: Path = MEANINGS) -> list[list[str]]:
    """Lines of words and phrases that mean the same."""
    lines = (line.partition("#")[0] for line in path.read_text(encoding="utf-8").splitlines())
    groups = ([word.strip().replace("_", " ") for word in line.split(",")] for line in lines)
    return [group for group in groups if len(group) > 1]


def build_definition(row: Mapping[str, Any]) -> ToolDefinition:
    """A definition from one line of a query set or of a recorded listing."""
    return ToolDefinition(
        name=ToolName(row["name"]),
        namespace=SourceName(row.get("server") or ""),
        description=row.get("description") or "",
        input_schema=row.get("input_schema") or row.get("inputSchema") or {},
    )


def _rows(path: Path) -> Iterable[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)
