"""Every kind of parameter, body and answer, over a live service on loopback."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from tests.sources.openapi.live import describe_paths, find_failure, ready, served, told, write
from tests.sources.support import WaitingListener, use

from toolweft.calls.normalise import normalise
from toolweft.calls.options import CallOptions
from toolweft.core.calls import Blob, TextContent
from toolweft.core.errors import InvalidArguments, ResultTooLarge, SourceUnavailable

pytestmark = pytest.mark.network

TEXT = {"type": "string"}
LIST = {"type": "array", "items": TEXT}
OBJECT = {"type": "object"}


def param(name: str, place: str, schema: Any = TEXT, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": place, "schema": schema, **more}


def body(media_type: str, schema: Any = None, **more: Any) -> dict[str, Any]:
    media = {} if schema is None else {"schema": schema}
    return {"requestBody": {"required": True, "content": {media_type: {**media, **more}}}}


def fields(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


BINARY = {"type": "string", "format": "binary"}
DESCRIPTION = describe_paths(
    {
        "/items/{id}/{tail}": {
            "parameters": [param("id", "path", required=True)],
            "get": {
                "operationId": "read",
                "parameters": [
                    param("tail", "path", LIST, style="matrix", explode=True, required=True),
                    param("q", "query"),
                    param("id", "query"),
                    param("tags", "query", LIST),
                    param("codes", "query", LIST, explode=False),
                    param("words", "query", LIST, style="spaceDelimited", explode=False),
                    param("pipes", "query", LIST, style="pipeDelimited", explode=False),
                    param("filter", "query", OBJECT, style="deepObject"),
                    param("where", "query", OBJECT),
                    param("raw", "query", allowReserved=True),
                    {"name": "doc", "in": "query", "content": {"application/json": {}}},
                    param("X-Trace", "header", {"type": "integer"}),
                    param("X-Many", "header", LIST),
                    param("session", "cookie"),
                    param("Authorization", "header"),
                ],
            },
        },
        "/json": {
            "post": {
                "operationId": "post_json",
                **body("application/json", fields(name=TEXT, count={"type": "integer"})),
            },
            "put": {"operationId": "put_list", **body("application/vnd.api+json", LIST)},
            "delete": {"operationId": "remove"},
        },
        "/form": {
            "post": {
                "operationId": "post_form",
                **body(
                    "application/x-www-form-urlencoded",
                    fields(a=TEXT, b=LIST, c=LIST, d=OBJECT),
                    encoding={
                        "c": {"style": "form", "explode": False},
                        "d": {"style": "deepObject"},
                    },
                ),
            }
        },
        "/files": {
            "post": {
                "operationId": "upload",
                **body(
                    "multipart/form-data",
                    fields(
                        note=TEXT,
                        file=BINARY,
                        more={"type": "array", "items": BINARY},
                        meta=OBJECT,
                        kind=BINARY,
                    ),
                    encoding={"kind": {"contentType": "image/png"}},
                ),
            },
            "put": {"operationId": "put_bytes", **body("application/octet-stream", BINARY)},
        },
        "/text": {"post": {"operationId": "post_text", **body("text/plain", TEXT)}},
        "/xml": {"post": {"operationId": "post_xml", **body("application/xml")}},
    }
)


@pytest.fixture
def described(tmp_path: Path) -> Path:
    return write(tmp_path, DESCRIPTION)


async def test_every_parameter_arrives_in_its_place(
    listener: WaitingListener, described: Path
) -> None:
    async with (
        served() as url,
        ready(listener, path=described, base_url=f"{url}/v1/") as source,
    ):
        heard = told(
            await use(
                source,
                "read",
                **{
                    "id": "a/b c",
                    "tail": ["x", "ü"],
                    "q": "1&2=3",
                    "id_query": "other",
                    "tags": ["a", "b,c"],
                    "codes": ["a", "b,c"],
                    "words": ["a", "b"],
                    "pipes": ["a", "b"],
                    "filter": {"min": 1, "in": ["x", "y"], "deep": {"a": True}},
                    "where": {"r": "1", "g": None},
                    "raw": "/a?b",
                    "doc": {"k": [1, "ä"]},
                    "X-Trace": 7,
                    "X-Many": ["a", "b"],
                    "session": "s;1",
                },
            )
        )
        assert heard["path"] == "/v1/items/a%2Fb%20c/;tail=x;tail=%C3%BC"
        pairs = [tuple(pair) for pair in heard["params"]]
        assert pairs == [
            ("q", "1&2=3"),
            ("id", "other"),
            ("tags", "a"),
            ("tags", "b,c"),
            ("codes", "a,b,c"),
            ("words", "a b"),
            ("pipes", "a|b"),
            ("filter[min]", "1"),
            ("filter[in][0]", "x"),
            ("filter[in][1]", "y"),
            ("filter[deep][a]", "true"),
            ("r", "1"),
            ("g", "null"),
            ("raw", "/a?b"),
            ("doc", '{"k":[1,"ä"]}'),
        ]
        # What separates is not what is inside a value.
        assert "codes=a,b%2Cc" in heard["query"]
        assert "raw=/a?b" in heard["query"]
        assert (heard["headers"]["x-trace"], heard["headers"]["x-many"]) == ("7", "a,b")
        assert heard["cookies"] == {"session": "s%3B1"}
        # The description may not say what is in Authorization.
        assert "authorization" not in heard["headers"]
        assert "Authorization" not in listener.tools("api")[0].input_schema["properties"]


async def test_what_is_left_out_is_not_sent(listener: WaitingListener, described: Path) -> None:
    async with served() as url, ready(listener, path=described, base_url=url) as source:
        heard = told(await use(source, "read", id="1", tail=["x"], q=None, tags=[]))
        assert heard["query"] == ""
        assert heard["cookies"] == {}
        assert told(await use(source, "remove"))["method"] == "DELETE"


@pytest.mark.parametrize("value", ["..", ".", "", None])
async def test_a_path_cannot_be_left(
    listener: WaitingListener, tmp_path: Path, value: str | None
) -> None:
    paths = {"/a/{id}": {"delete": {"operationId": "drop", "parameters": [param("id", "path")]}}}
    async with (
        served() as url,
        ready(listener, path=write(tmp_path, describe_paths(paths)), base_url=url) as source,
    ):
        with pytest.raises(InvalidArguments, match="address"):
            await use(source, "drop", id=value)
        heard = told(await use(source, "drop", id="../b"))
        assert heard["path"] == "/a/..%2Fb"


async def test_a_header_cannot_be_broken_out_of(listener: WaitingListener, described: Path) -> None:
    async with served() as url, ready(listener, path=described, base_url=url) as source:
        with pytest.raises(InvalidArguments, match=r"\$\.X-Many becomes a header"):
            await use(source, "read", id="1", tail=["x"], **{"X-Many": ["a\r\nX-Admin: 1"]})


async def test_bodies_arrive_as_they_were_meant(listener: WaitingListener, described: Path) -> None:
    async with served() as url, ready(listener, path=described, base_url=url) as source:
        heard = told(await use(source, "post_json", name="ä", count=None))
        assert heard["json"] == {"name": "ä", "count": None}
        assert heard["headers"]["content-type"] == "application/json"
        heard = told(await use(source, "put_list", body=["a"]))
        assert heard["json"] == ["a"]
        assert heard["headers"]["content-type"] == "application/vnd.api+json"
        heard = told(
            await use(source, "post_form", a="1&2", b=["x", "y"], c=["x", "y"], d={"k": 1})
        )
        assert heard["form"] == [["a", "1&2"], ["b", "x"], ["b", "y"], ["c", "x,y"], ["d[k]", "1"]]
        assert told(await use(source, "post_text", body="hällo"))["body"] == "h\u00c3\u00a4llo"
        assert told(await use(source, "post_xml", body="<a/>"))["body"] == "<a/>"


async def test_bytes_go_up_in_base64(listener: WaitingListener, described: Path) -> None:
    data = bytes(range(256))
    text = base64.b64encode(data).decode()
    raw = data.decode("latin-1")
    async with served() as url, ready(listener, path=described, base_url=url) as source:
        assert told(await use(source, "put_bytes", body=text))["body"] == raw
        heard = told(
            await use(
                source,
                "upload",
                note="n",
                file=text,
                more=[text, {"content": text, "filename": "b.txt", "media_type": "text/plain"}],
                meta={"k": 1},
                kind=text,
            )
        )
        plain = "application/octet-stream"
        assert heard["form"] == [
            ["note", "n"],
            ["file", {"filename": "file", "type": plain, "data": raw}],
            ["more", {"filename": "more", "type": plain, "data": raw}],
            ["more", {"filename": "b.txt", "type": "text/plain", "data": raw}],
            ["meta", '{"k":1}'],
            ["kind", {"filename": "kind", "type": "image/png", "data": raw}],
        ]
        with pytest.raises(InvalidArguments, match=r"\$\.file is not base64"):
            await use(source, "upload", file="no base64!")
        with pytest.raises(InvalidArguments, match="no header can carry"):
            await use(source, "upload", file={"content": text, "filename": 'a"\r\nX: 1'})


ANSWERS: dict[str, Response] = {
    "/json": JSONResponse({"result": [1, 2]}),
    "/string": JSONResponse("a text"),
    "/null": Response("null", media_type="application/json"),
    "/broken": Response("{no json", media_type="application/json"),
    "/text": PlainTextResponse("grüezi"),
    "/latin": Response("grüezi".encode("latin-1"), media_type="text/plain; charset=latin-1"),
    "/png": Response(b"\x89PNG\0", media_type="image/png"),
    "/nothing": Response(status_code=204),
    "/made": Response(status_code=201, headers={"location": "/made/7"}),
    "/counted": Response(
        headers={
            "x-total": "3",
            "link": '</p2>; rel="next"',
            "set-cookie": "a=b",
            "x-long": "y" * 2000,
        }
    ),
    "/large": PlainTextResponse("x" * 2000),
    "/problem": Response(
        json.dumps(
            {"type": "about:blank", "title": "No such pet", "detail": "7 ran away", "pet": 7}
        ),
        status_code=404,
        media_type="application/problem+json",
    ),
    "/refused": PlainTextResponse("not so", status_code=400),
    "/busy": PlainTextResponse("later", status_code=429, headers={"retry-after": "5"}),
}


@pytest.fixture
def answering() -> dict[str, Any]:
    async def answer(request: Request) -> Response:
        return ANSWERS[request.url.path]

    return dict.fromkeys(ANSWERS, answer)


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    paths: dict[str, Any] = {
        path: {"get": {"operationId": path.strip("/")}, "head": {"operationId": f"head{path[1:]}"}}
        for path in ANSWERS
    }
    return write(tmp_path, describe_paths(paths))


async def test_answers_become_plain_values(
    listener: WaitingListener, answering: dict[str, Any], answers: Path
) -> None:
    async def value(name: str) -> Any:
        raw = await use(source, name)
        assert not raw.is_error
        return normalise(raw, tool=name, output_schema=None, options=CallOptions()).value

    async with served(answering) as url, ready(listener, path=answers, base_url=url) as source:
        # An answer is taken as it is, also where it looks like an envelope.
        assert await value("json") == {"result": [1, 2]}
        assert await value("string") == "a text"
        assert await value("null") is None
        assert await value("broken") == "{no json"
        assert await value("text") == "grüezi"
        assert await value("latin") == "grüezi"
        assert await value("png") == Blob(data=b"\x89PNG\0", media_type="image/png")
        assert await value("nothing") is None
        assert await value("made") == {"status": 201, "location": "/made/7"}
        head = await value("headtext")
        assert (head["status"], head["headers"]["content-length"]) == (200, "7")
        told_of = (await value("headcounted"))["headers"]
        assert (told_of["x-total"], told_of["link"]) == ("3", '</p2>; rel="next"')
        assert len(told_of["x-long"]) == 1024
        assert told_of.keys().isdisjoint({"set-cookie", "date", "server"})


async def test_failures_say_status_and_reason(
    listener: WaitingListener, answering: dict[str, Any], answers: Path
) -> None:
    async with served(answering) as url, ready(listener, path=answers, base_url=url) as source:
        raw = await use(source, "problem")
        said = 'HTTP 404 Not Found: No such pet: 7 ran away: {"pet":7}'
        assert raw.is_error
        assert raw.content == (TextContent(said),)
        raw = await use(source, "refused")
        assert (raw.is_error, raw.content) == (True, (TextContent("HTTP 400 Bad Request: not so"),))
        with pytest.raises(SourceUnavailable, match="HTTP 429 Too Many Requests: later") as busy:
            await use(source, "busy")
        assert busy.value.hint == "it asks to wait 5 s"


async def test_answers_above_the_cap_are_refused(
    listener: WaitingListener, answering: dict[str, Any], answers: Path
) -> None:
    async with (
        served(answering) as url,
        ready(listener, path=answers, base_url=url, max_response_bytes=1000) as source,
    ):
        with pytest.raises(ResultTooLarge, match="above the cap of 1,000 bytes"):
            await use(source, "large")
        assert (await use(source, "text")).content == (TextContent("grüezi"),)


async def test_globs_that_leave_nothing_are_a_fault_with_an_example(
    listener: WaitingListener, answers: Path
) -> None:
    reason = await find_failure(
        listener, path=answers, base_url="http://127.0.0.1:1", include=("GET /jsn",)
    )

    count = 2 * len(ANSWERS)
    assert f"include and exclude leave none of the {count} operations" in reason
    assert "'GET /json'" in reason


async def test_a_glob_that_fits_no_operation_is_logged(
    listener: WaitingListener, answers: Path, caplog: pytest.LogCaptureFixture
) -> None:
    globs = {"include": ("GET *", "POST *"), "exclude": ("png", "pgn")}
    async with ready(listener, path=answers, base_url="http://127.0.0.1:1", **globs):
        pass

    told_of = [
        (record.key, record.glob)
        for record in caplog.records
        if record.msg == "openapi.glob_fits_nothing"
    ]
    assert told_of == [("include", "POST *"), ("exclude", "pgn")]
