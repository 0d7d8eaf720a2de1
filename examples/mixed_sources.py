"""One program over an MCP server, an OpenAPI service and a Python function, all at once.

Server and service are small ones of this file; in earnest they are yours, named in a configuration
as here. The program calls all three in one `asyncio.gather`; what it prints is all that comes back.
"""

import json
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import anyio
from team import TOOLS

import toolweft

EURO_RATES = {"NOK": 11.6, "USD": 1.08}

PROGRAM = """
import asyncio
rate, budget, lines = await asyncio.gather(
    rates.get_rate(currency="NOK"),       # an MCP server
    budgets.getBudget(person="bo"),       # an OpenAPI service
    local.get_expenses(person="bo"),      # a Python function
)
spent = sum(line["cents"] for line in lines) / 100
over = spent - budget["euros"]
print(f"bo is {over:.2f} euros over budget, {over * rate['per_euro']:.2f} kroner")
"""

DESCRIPTION = {
    "openapi": "3.1.0",
    "info": {"title": "Budgets", "version": "1"},
    "paths": {
        "/budgets/{person}": {
            "get": {
                "operationId": "getBudget",
                "summary": "What a person may spend",
                "parameters": [
                    {"name": "person", "in": "path", "required": True, "schema": {"type": "string"}}
                ],
                "responses": {"200": {"description": "The budget in euros"}},
            }
        }
    },
}


class Budgets(BaseHTTPRequestHandler):
    """The service."""

    def do_GET(self) -> None:
        """Everybody may spend 500 euros."""
        person = self.path.rpartition("/")[2]
        body = json.dumps({"person": person, "euros": 500}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def serve_budgets() -> Iterator[str]:
    """The service's address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Budgets) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{service.server_port}"
        service.shutdown()


def serve_rates() -> None:
    """The MCP server, over stdio."""
    from mcp.server import MCPServer
    from mcp_types import ToolAnnotations

    server = MCPServer("rates")

    # Without the hint it would count as destructive, and programs could not call it.
    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    def get_rate(currency: str) -> dict[str, float]:
        """Get what a euro is worth in another currency."""
        return {"per_euro": EURO_RATES[currency]}

    server.run("stdio")


def write_config(folder: Path, address: str) -> Path:
    """Where the three are found; the functions are handed to `toolweft.open` itself."""
    description = folder / "budgets.json"
    description.write_text(json.dumps(DESCRIPTION), encoding="utf-8")
    config = folder / "toolweft.toml"
    config.write_text(
        f"[servers.rates]\n"
        f"command = {json.dumps(sys.executable)}\n"
        f"args = {json.dumps([str(Path(__file__).resolve()), 'serve-rates'])}\n"
        f"[openapi.budgets]\n"
        f"path = {json.dumps(str(description))}\n"
        f"base_url = {json.dumps(address)}\n",
        encoding="utf-8",
    )
    return config


async def main(config: Path) -> None:
    """Run the program; it prints once, whatever it called."""
    async with toolweft.open(config, tools=TOOLS) as box:
        outcome = await box.run(PROGRAM)
    print(outcome.stdout, end="")
    for call in outcome.calls:
        print(call.tool, call.status)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve-rates"]:
        serve_rates()
    else:
        with tempfile.TemporaryDirectory() as scratch, serve_budgets() as url:
            anyio.run(main, write_config(Path(scratch), url))
