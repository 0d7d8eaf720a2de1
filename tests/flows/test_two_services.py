"""Two live services behind one command: 300 operations in a file, and a description by address.

Each has a secret of its own, by reference; neither service sees the other's, and no output has one.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from toolweft.testing.vendors.serving import ServedApp

pytestmark = [pytest.mark.process, pytest.mark.network, pytest.mark.timeout(120)]

OPERATIONS = 300
SECRETS = {"PARTS_KEY": "parts-secret-4711", "SHOP_TOKEN": "shop-secret-0815"}
PROGRAM = f"""
import asyncio
parts_found, shop_found = await asyncio.gather(
    asyncio.gather(*(
        tools.call(name=f"parts.get_part_{{n}}", arguments={{"size": n}})
        for n in range({OPERATIONS})
    )),
    asyncio.gather(*(shop.get_order(order_id=n) for n in range(3))),
)
assert [part["size"] for part in parts_found] == [str(n) for n in range({OPERATIONS})]
print(len(parts_found), [order["order"] for order in shop_found])
print(parts_found[0]["sent"], shop_found[0]["sent"])
"""


class Service:
    """A service that remembers what it was sent, and tells it."""

    def __init__(self, description: str = "") -> None:
        self.seen: list[str] = []
        self._description = description

    def app(self) -> Starlette:
        routes = [Route("/openapi.yaml", self._describe), Route("/{rest:path}", self._answer)]
        return Starlette(routes=routes)

    async def _describe(self, _request: Request) -> Response:
        return Response(self._description, media_type="application/yaml")

    async def _answer(self, request: Request) -> Response:
        self.seen.append(json.dumps([str(request.url), request.headers.items()]))
        order = request.path_params["rest"].rpartition("/")[2]
        size = request.query_params.get("size")
        sent = request.headers.get("x-key") or request.headers.get("authorization")
        return JSONResponse({"size": size, "order": order, "sent": sent})


def parts_description() -> dict[str, Any]:
    """300 operations, OpenAPI 3.1, a key in a header."""
    size = {"name": "size", "in": "query", "schema": {"type": "integer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Parts", "version": "1"},
        "paths": {
            f"/parts/{n}": {"get": {"operationId": f"get_part_{n}", "parameters": [size]}}
            for n in range(OPERATIONS)
        },
        "components": {
            "securitySchemes": {"k": {"type": "apiKey", "in": "header", "name": "X-Key"}}
        },
        "security": [{"k": []}],
    }


def shop_description() -> dict[str, Any]:
    """One operation, OpenAPI 3.0, a bearer token."""
    order_id = {"name": "order_id", "in": "path", "required": True, "schema": {"type": "integer"}}
    return {
        "openapi": "3.0.3",
        "info": {"title": "Shop", "version": "1"},
        "servers": [{"url": "/"}],
        "paths": {
            "/orders/{order_id}": {
                "get": {"operationId": "get_order", "parameters": [order_id], "responses": {}}
            }
        },
        "components": {"securitySchemes": {"b": {"type": "http", "scheme": "bearer"}}},
        "security": [{"b": []}],
    }


async def toolweft(folder: Path, arguments: Sequence[str], **environ: str) -> str:
    """What a command printed, on both streams; it has to end well."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    with anyio.fail_after(100):
        ended = await anyio.run_process(
            [sys.executable, "-m", "toolweft", *arguments],
            cwd=folder,
            env={**kept, "HOME": str(folder), **environ},
            check=False,
        )
    printed = (ended.stdout + ended.stderr).decode()
    assert ended.returncode == 0, printed
    return printed


def read_all(folder: Path) -> bytes:
    """Everything that was left in a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.promise("sources.openapi-two-services")
async def test_one_program_calls_300_operations_and_another_service(tmp_path: Path) -> None:
    parts, shop = Service(), Service(yaml.safe_dump(shop_description()))
    (tmp_path / "parts.json").write_text(json.dumps(parts_description()))
    (tmp_path / "program.py").write_text(PROGRAM)
    async with ServedApp(parts.app()) as parts_url, ServedApp(shop.app()) as shop_url:
        (tmp_path / "toolweft.toml").write_text(
            f'[openapi.parts]\npath = "parts.json"\nbase_url = "{parts_url}"\n'
            'auth = { k = "env:PARTS_KEY" }\n'
            f'[openapi.shop]\nurl = "{shop_url}/openapi.yaml"\nauth = {{ b = "env:SHOP_TOKEN" }}\n'
        )
        listed = json.loads(await toolweft(tmp_path, ["tools", "--json"], **SECRETS))
        printed = await toolweft(tmp_path, ["run", "program.py"], **SECRETS)

    assert len(listed["tools"]) == OPERATIONS + 1
    # The service told what it was sent, as a careless one may.
    assert printed.splitlines()[:2] == [f"{OPERATIONS} ['0', '1', '2']", "*** Bearer ***"]
    assert len(parts.seen) == OPERATIONS
    assert len(shop.seen) == 3
    assert all(SECRETS["PARTS_KEY"] in heard for heard in parts.seen)
    assert all(SECRETS["SHOP_TOKEN"] in heard for heard in shop.seen)
    assert all(SECRETS["SHOP_TOKEN"] not in heard for heard in parts.seen)
    assert all(SECRETS["PARTS_KEY"] not in heard for heard in shop.seen)
    kept = await anyio.to_thread.run_sync(read_all, tmp_path)
    assert all(secret.encode() not in kept for secret in SECRETS.values())
    assert all(secret not in printed for secret in SECRETS.values())
