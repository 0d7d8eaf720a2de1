"""A generated service of 300 operations, each called once over loopback.

The service tells what it was asked, in the terms of its own HTTP library; every argument has to
come back from the place that the description gave it.
"""

import base64
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import anyio
import pytest
from tests.sources.openapi.live import describe_paths, served, told, write
from tests.sources.support import PATIENT_S, use

from toolweft.bootstrap import App, open_app
from toolweft.config import load_settings
from toolweft.core.calls import LOCAL
from toolweft.core.ids import SourceName

pytestmark = pytest.mark.network

OPERATIONS = 300
METHODS = ("get", "post", "put", "patch", "delete")
SEVERITY = {"get": "read_only", "delete": "destructive"}
KINDS: dict[str, str] = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "multipart": "multipart/form-data",
    "bytes": "application/octet-stream",
    "text": "text/plain",
}
TEXTS = ("plain", "two words", "ä/ö?#&=", "100%", "a,b;c", "日本", "'\"<>", "+ +")


@dataclass(kw_only=True)
class Generated:
    """One operation, the arguments of one call, and what the service has to hear of it."""

    name: str
    method: str
    path: str
    raw: dict[str, Any]
    arguments: dict[str, Any] = field(default_factory=dict)
    heard: dict[str, Any] = field(default_factory=dict)


class Generator:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def operation(self, number: int) -> Generated:
        method = METHODS[number % len(METHODS)]
        made = Generated(
            name=f"op-{number}",
            method=method,
            path=f"/o{number}",
            raw={"operationId": f"op-{number}", "parameters": [], "responses": {}},
        )
        made.heard = {"params": [], "segments": [f"o{number}"], "headers": {}, "cookies": {}}
        for position in range(self._random.randrange(3)):
            self._path(made, f"part{position}")
        for position in range(self._random.randrange(4)):
            self._query(made, f"q-{position}")
        if self._random.random() < 0.4:
            self._header(made)
        if self._random.random() < 0.4:
            self._cookie(made)
        if method not in {"get", "delete"}:
            self._body(made, list(KINDS)[number // len(METHODS) % len(KINDS)])
        return made

    def _parameter(self, made: Generated, name: str, place: str, schema: Any, **more: Any) -> None:
        described = {"name": name, "in": place, "schema": schema, **more}
        made.raw["parameters"].append(described)

    def _path(self, made: Generated, name: str) -> None:
        value = self._random.choice(TEXTS)
        self._parameter(made, name, "path", {"type": "string"}, required=True)
        made.path += f"/{{{name}}}"
        made.arguments[name] = value
        made.heard["segments"].append(value)

    def _query(self, made: Generated, name: str) -> None:
        values = self._random.sample(TEXTS, 2)
        explode = self._random.random() < 0.5
        if self._random.random() < 0.5:
            self._parameter(made, name, "query", {"type": "string"})
            made.arguments[name] = values[0]
            made.heard["params"].append([name, values[0]])
            return
        schema = {"type": "array", "items": {"type": "string"}}
        self._parameter(made, name, "query", schema, explode=explode)
        made.arguments[name] = values
        joined = [",".join(values)]
        made.heard["params"] += [[name, text] for text in (values if explode else joined)]

    def _header(self, made: Generated) -> None:
        value = self._random.randrange(1000)
        self._parameter(made, "X-Number", "header", {"type": "integer"})
        made.arguments["X-Number"] = value
        made.heard["headers"]["x-number"] = str(value)

    def _cookie(self, made: Generated) -> None:
        self._parameter(made, "sid", "cookie", {"type": "string"})
        made.arguments["sid"] = "abc"
        made.heard["cookies"] = {"sid": "abc"}

    def _body(self, made: Generated, kind: str) -> None:
        text, data = self._random.choice(TEXTS), self._random.randbytes(20)
        encoded = base64.b64encode(data).decode()
        schema: dict[str, Any] = {
            "type": "object",
            "required": ["note"],
            # The same name as a part of the path has.
            "properties": {"note": {"type": "string"}, "part0": {"type": "string"}},
        }
        inner = "part0_body" if "part0" in made.arguments else "part0"
        if kind == "json":
            made.heard["json"] = {"note": text, "part0": "x"}
        elif kind == "form":
            made.heard["form"] = [["note", text], ["part0", "x"]]
        elif kind == "multipart":
            schema["properties"]["file"] = {"type": "string", "format": "binary"}
            upload = {
                "filename": "file",
                "type": "application/octet-stream",
                "data": data.decode("latin-1"),
            }
            made.heard["form"] = [["note", text], ["part0", "x"], ["file", upload]]
            made.arguments["file"] = encoded
        if kind in {"json", "form", "multipart"}:
            made.arguments |= {"note": text, inner: "x"}
        else:
            schema = {"type": "string"}
            made.arguments["body"] = encoded if kind == "bytes" else text
            sent = data if kind == "bytes" else text.encode()
            made.heard["body"] = sent.decode("latin-1")
        content = {KINDS[kind]: {"schema": schema}}
        made.raw["requestBody"] = {"required": True, "content": content}


def generate() -> list[Generated]:
    generator = Generator(seed=20)
    return [generator.operation(number) for number in range(OPERATIONS)]


@asynccontextmanager
async def opened(folder: Path, operations: list[Generated]) -> AsyncIterator[App]:
    """Everything open over the generated service alone."""
    paths = {made.path: {made.method: made.raw} for made in operations}
    write(folder, describe_paths(paths))
    async with served() as url:
        config = folder / "toolweft.toml"
        config.write_text(
            f'[openapi.big]\npath = "openapi.json"\nbase_url = "{url}/v1"\n'
            f'[ledger]\nurl = "sqlite:///{folder}/ledger.db"\n'
            f'[handles]\nfolder = "{folder}/handles"\n',
            "utf-8",
        )
        settings = load_settings(config=config, look_up=False, environ={}, cwd=folder, home=folder)
        async with open_app(settings) as app:
            await app.settle()
            yield app


def read_path(path: str) -> list[str]:
    return [unquote(part) for part in path.removeprefix("/v1/").split("/")]


async def test_each_of_300_operations_says_what_it_was_given(tmp_path: Path) -> None:
    operations = generate()
    async with opened(tmp_path, operations) as app:
        tools = app.catalog.snapshot.tools
        assert len(tools) == OPERATIONS
        assert {tool.status for tool in tools.values()} == {"available"}
        by_name = {tool.definition.name: tool for tool in tools.values()}
        source = app.sources.get(SourceName("big"))
        for made in operations:
            assert by_name[made.name].severity == SEVERITY.get(made.method, "write")
            heard = told(await use(source, made.name, **made.arguments))
            assert heard["method"] == made.method.upper()
            assert read_path(heard["path"]) == made.heard.pop("segments")
            headers = made.heard.pop("headers")
            assert {name: heard["headers"].get(name) for name in headers} == headers
            assert {key: heard[key] for key in made.heard} == made.heard, made.raw


async def test_a_program_calls_many_operations_at_once(tmp_path: Path) -> None:
    operations = [made for made in generate() if made.method == "get" and not made.arguments]
    assert len(operations) >= 3
    async with opened(tmp_path, operations) as app:
        names = [made.name.replace("-", "_") for made in operations]
        code = (
            "import asyncio\n"
            f"told = await asyncio.gather(*(getattr(big, n)() for n in {names!r}))\n"
            "[one['path'] for one in told]"
        )
        with anyio.fail_after(PATIENT_S):
            outcome = await app.toolbox_for(LOCAL).run(code)
        assert outcome.value == [f"/v1{made.path}" for made in operations], outcome.error
