"""A live service that tells what it was asked, and sources over it."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tests.sources.support import PATIENT_S, WaitingListener

from toolweft.core.clock import SystemClock
from toolweft.core.ids import SourceName
from toolweft.sources import OpenApiOptions, OpenApiSource, SourceGroup
from toolweft.testing.vendors.serving import ServedApp

METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
Handler = Callable[[Request], Response]


async def tell(request: Request) -> Response:
    """What arrived, as an independent reader of HTTP understands it."""
    kind = request.headers.get("content-type", "")
    told: dict[str, Any] = {
        "method": request.method,
        "path": request.scope["raw_path"].decode(),
        "query": request.scope["query_string"].decode(),
        "params": request.query_params.multi_items(),
        "headers": dict(request.headers),
        "cookies": request.cookies,
    }
    if kind.startswith(("multipart/", "application/x-www-form-urlencoded")):
        async with request.form() as form:
            told["form"] = [
                [name, value if isinstance(value, str) else await describe(value)]
                for name, value in form.multi_items()
            ]
    elif kind.endswith("json"):
        told["json"] = await request.json()
    else:
        told["body"] = (await request.body()).decode("latin-1")
    return JSONResponse(told)


async def describe(upload: UploadFile) -> dict[str, Any]:
    data = await upload.read()
    return {
        "filename": upload.filename,
        "type": upload.content_type,
        "data": data.decode("latin-1"),
    }


@asynccontextmanager
async def served(routes: Mapping[str, Any] | None = None) -> AsyncIterator[str]:
    """The service's address; paths without a handler of their own tell what they were asked."""
    own = [Route(path, handler, methods=METHODS) for path, handler in (routes or {}).items()]
    app = Starlette(routes=[*own, Route("/{rest:path}", tell, methods=METHODS)])
    async with ServedApp(app) as url:
        yield url


def describe_paths(paths: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A whole description."""
    return {"openapi": "3.1.0", "info": {"title": "Test", "version": "1"}, "paths": paths, **more}


def write(folder: Path, document: dict[str, Any]) -> Path:
    path = folder / "openapi.json"
    path.write_text(json.dumps(document), "utf-8")
    return path


def build(listener: WaitingListener, *, retry_s: float = 600.0, **options: Any) -> OpenApiSource:
    return OpenApiSource(
        OpenApiOptions(name=SourceName("api"), start_timeout_s=PATIENT_S, **options),
        listener=listener,
        clock=SystemClock(),
        retry_s=retry_s,
    )


@asynccontextmanager
async def ready(listener: WaitingListener, **options: Any) -> AsyncIterator[OpenApiSource]:
    """A running source whose description was read."""
    source = build(listener, **options)
    async with SourceGroup([source], listener=listener):
        with anyio.fail_after(PATIENT_S):
            await source.reporter.settled.wait()
        status = source.reporter.status
        assert status.state == "ready", status.reason
        yield source


async def find_failure(listener: WaitingListener, **options: Any) -> str:
    """Why a source cannot be used."""
    source = build(listener, **options)
    async with SourceGroup([source], listener=listener):
        with anyio.fail_after(PATIENT_S):
            return (await listener.wait_for("api", "failed")).reason


def told(result: Any) -> dict[str, Any]:
    """What the service told."""
    (block,) = result.content
    found: dict[str, Any] = json.loads(block.text)
    return found


def told_answer(answer: Any) -> dict[str, Any]:
    """What the service told, of an answer that nobody has read yet."""
    found: dict[str, Any] = json.loads(answer.body)
    return found
