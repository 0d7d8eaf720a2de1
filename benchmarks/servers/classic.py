"""An MCP server over stdio for three classic tasks: searches, a database, many small requests.

    python classic.py LATENCY_S

Its data is made by rule, the same in every process. Each answer is as long as such services give
them, and comes after LATENCY_S seconds, as from a network.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import anyio
import mcp_types as types
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server

__all__ = ("SERVICES", "answer", "late_orders")

# Who is named in the answer of each search, and so searched for next.
_CHAIN = {
    "maker of the Halden turbine": "Nordlys Kraft",
    "Nordlys Kraft founder": "Ingrid Vold",
    "Ingrid Vold university": "University of Bergen",
}
_HITS = 12
_ORDERS = 600
_REGIONS = ("north", "south", "east", "west")
_LATE_DAYS = 14

SERVICES = (
    *("auth", "billing", "cart", "catalog", "email"),
    *("orders", "payments", "search", "shipping", "users"),
)


def _text(name: str) -> dict[str, Any]:
    properties = {name: {"type": "string"}}
    return {"type": "object", "properties": properties, "required": [name]}


_TOOLS = (
    types.Tool(
        name="web_search",
        description="Search the web. Gives the best pages with title, address and an excerpt;"
        " the first one states the answer in its field `entity`.",
        input_schema=_text("query"),
    ),
    types.Tool(
        name="query_orders",
        description="All orders of a quarter from the warehouse's database, as rows with id,"
        " customer, region, total_cents, status, days_late.",
        input_schema=_text("quarter"),
    ),
    types.Tool(
        name="service_status",
        description="State of one service: release, instances, latencies, error rate in per cent"
        " (`error_pct`), recent deployments.",
        input_schema=_text("service"),
    ),
)


def _search(query: str) -> Any:
    excerpt = (
        "The page describes its subject at length, with history, figures and sources, and ends"
        " with references to related pages that treat neighbouring subjects in the same way."
    )
    return [
        {
            "rank": rank,
            "title": f"{query.title()}, page {rank}",
            "url": f"https://pages.invalid/{abs(hash_of(query)) % 9973}/{rank}",
            "entity": _CHAIN.get(query) if rank == 1 else None,
            "excerpt": f"About {query}. {excerpt}",
        }
        for rank in range(1, _HITS + 1)
    ]


def _orders(quarter: str) -> Any:
    start = hash_of(quarter)
    return [
        {
            "id": f"{quarter}-{number:04}",
            "customer": f"customer {(start + number * 37) % 211}",
            "region": _REGIONS[(start + number) % len(_REGIONS)],
            "total_cents": 900 + (start + number * 7919) % 90_000,
            "status": "shipped" if (start + number) % 9 else "waiting",
            "days_late": (start + number * 13) % 17,
        }
        for number in range(_ORDERS)
    ]


def _status(service: str) -> Any:
    seed = hash_of(service)
    return {
        "service": service,
        "release": f"2026.11.{seed % 28 + 1}",
        "error_pct": round(seed % 700 / 100, 2),
        "instances": [
            {
                "id": f"{service}-{number}",
                "zone": f"zone-{number % 3}",
                "cpu_pct": (seed + number * 31) % 100,
                "memory_mb": 256 + (seed + number * 17) % 1_024,
                "p50_ms": 4 + (seed + number) % 30,
                "p99_ms": 40 + (seed + number * 3) % 400,
            }
            for number in range(8)
        ],
        "deployments": [
            {"release": f"2026.10.{number + 1}", "by": f"engineer {number}", "state": "done"}
            for number in range(6)
        ],
    }


def hash_of(text: str) -> int:
    """A small number that is the same in every process."""
    return sum(position * byte for position, byte in enumerate(text.encode(), 1))


_ANSWERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "web_search": ("query", _search),
    "query_orders": ("quarter", _orders),
    "service_status": ("service", _status),
}


def answer(tool: str, arguments: dict[str, Any]) -> Any:
    """What a tool answers."""
    parameter, build = _ANSWERS[tool]
    return build(arguments[parameter])


def late_orders(quarter: str) -> list[str]:
    """The right answer of the second task: late, waiting orders above 500.00, dearest first."""
    late = [
        order
        for order in _orders(quarter)
        if order["status"] == "waiting"
        and order["days_late"] >= _LATE_DAYS
        and order["total_cents"] > 50_000
    ]
    return [order["id"] for order in sorted(late, key=lambda order: -order["total_cents"])]


async def _main(latency_s: float) -> None:
    async def list_tools(_context: Any, _params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=list(_TOOLS))

    async def call_tool(_context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        await anyio.sleep(latency_s)
        text = json.dumps(answer(params.name, params.arguments or {}))
        return types.CallToolResult(content=[types.TextContent(text=text)])

    server = Server("classic", version="1", on_list_tools=list_tools, on_call_tool=call_tool)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(_main, float(sys.argv[1]))
