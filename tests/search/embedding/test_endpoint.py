"""The endpoint's embedder against a real server on loopback, well and badly behaved."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import anyio
import anyio.abc
import numpy as np
import pytest

from toolweft.core.errors import EmbedderUnavailable
from toolweft.core.secret import Secret
from toolweft.search.embedding.endpoint import EndpointEmbedder
from toolweft.search.embedding.options import EmbedderOptions

pytestmark = pytest.mark.network

KEY = "sk-nobody-may-see-this"  # pragma: allowlist secret


class Server:
    """Answers every request with what `answer` makes of it."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.answer: Callable[[Any], tuple[int, bytes]] = vectors
        self.location = ""
        self.silent = False
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, stream: anyio.abc.SocketStream) -> None:
        async with stream:
            try:
                await self._serve(stream)
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                return

    async def _serve(self, stream: anyio.abc.SocketStream) -> None:
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                data += await stream.receive()
            head, _, data = data.partition(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")
            headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
            while len(data) < int(headers.get("content-length", "0")):
                data += await stream.receive()
            body, data = data, b""
            self.requests.append((first, headers, json.loads(body)))
            if self.silent:
                await anyio.sleep_forever()
            status, answer = self.answer(json.loads(body))
            more = f"location: {self.location}\r\n" if self.location else ""
            await stream.send(
                f"HTTP/1.1 {status} Whatever\r\n{more}content-type: application/json\r\n"
                f"content-length: {len(answer)}\r\n\r\n".encode()
                + answer
            )


def vectors(question: Any) -> tuple[int, bytes]:
    """The number of characters in each text as its direction, in reversed order."""
    data = [
        {"object": "embedding", "index": n, "embedding": [float(len(text)), 1.0]}
        for n, text in enumerate(question["input"])
    ]
    return 200, json.dumps({"object": "list", "data": data[::-1]}).encode()


def fixed(status: int, value: Any) -> Callable[[Any], tuple[int, bytes]]:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return lambda _question: (status, body)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    made.port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, made.serve)
        yield made
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def embedder(
    server: Server, *, max_answer_bytes: int = 1_000_000, **more: Any
) -> AsyncIterator[EndpointEmbedder]:
    given = {"url": server.url, "model": "tiny", "key": Secret(KEY, reference="env:K"), **more}
    options = EmbedderOptions(**given)
    async with EndpointEmbedder(options, max_answer_bytes=max_answer_bytes) as made:
        with anyio.fail_after(20):
            yield made


async def refusal(server: Server, **more: Any) -> EmbedderUnavailable:
    async with embedder(server, **more) as made:
        with pytest.raises(EmbedderUnavailable) as caught:
            await made.embed(["one", "two"], kind="tool")
    assert KEY not in str(caught.value)
    assert KEY not in repr(caught.value.__cause__)
    assert "'tiny'" in caught.value.message
    assert server.url in caught.value.message
    return caught.value


async def test_vectors_come_in_the_order_of_their_index_and_of_length_one(server: Server) -> None:
    async with embedder(server) as made:
        found = await made.embed(["a", "bbb", "cc"], kind="query")
    rows = np.stack([np.frombuffer(data, "<f4") for data in found])
    lengths = np.array([1, 3, 2], np.float32)
    np.testing.assert_allclose(rows[:, 0] / rows[:, 1], lengths, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)


async def test_a_request_is_what_openai_documents(server: Server) -> None:
    async with embedder(server, dimensions=2, query_prefix="query: ") as made:
        await made.embed(["rain"], kind="query")
    first, headers, body = server.requests[0]
    assert first == "POST /v1/embeddings HTTP/1.1"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert body == {
        "model": "tiny",
        "input": ["query: rain"],
        "encoding_format": "float",
        "dimensions": 2,
    }


async def test_no_key_means_no_header(server: Server) -> None:
    async with embedder(server, key=None) as made:
        await made.embed(["rain"], kind="query")
    assert "authorization" not in server.requests[0][1]


async def test_a_query_of_the_address_stays_behind_the_path(server: Server) -> None:
    async with embedder(server, url=f"{server.url}/?api-version=1") as made:
        await made.embed(["rain"], kind="query")
    assert server.requests[0][0].startswith("POST /v1/embeddings?api-version=1 ")


async def test_batches_are_bounded_by_number_and_by_characters(server: Server) -> None:
    async with embedder(server, batch=3, batch_characters=10) as made:
        texts = ["a", "b", "c", "d", "e" * 9, "f" * 9, "g" * 20]
        found = await made.embed(texts, kind="tool")
    sent = [body["input"] for _, _, body in server.requests]
    assert sent == [["a", "b", "c"], ["d", "e" * 9], ["f" * 9], ["g" * 20]]
    assert len(found) == len(texts)


async def test_an_error_answer_is_told_with_its_reason(server: Server) -> None:
    server.answer = fixed(500, {"error": {"message": "out of\nmemory"}})
    assert "HTTP 500: out of memory" in (await refusal(server)).message


async def test_a_refused_key_says_where_to_look_and_is_not_repeated(server: Server) -> None:
    server.answer = fixed(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}})
    error = await refusal(server)
    assert "***" in error.message
    assert "search.embedder.key" in str(error)


@pytest.mark.parametrize("echo", [KEY, quote(KEY, safe="")], ids=["as it is", "quoted"])
async def test_no_part_of_a_key_is_left_where_a_long_reason_is_cut(
    server: Server, echo: str
) -> None:
    for length in range(270, 300):
        said = "x" * (length - len(KEY) // 2) + " " + echo
        server.answer = fixed(401, {"error": {"message": said}})
        assert echo[:8] not in (await refusal(server)).message


async def test_a_redirect_is_not_followed(server: Server) -> None:
    server.answer, server.location = fixed(307, {}), f"{server.url}/elsewhere"
    assert "HTTP 307" in (await refusal(server)).message
    assert len(server.requests) == 1


async def test_a_silent_server_is_left_at_the_deadline(server: Server) -> None:
    server.silent = True
    assert "no answer after 0.05 s" in (await refusal(server, batch_timeout_s=0.05)).message


async def test_a_closed_port_is_told(server: Server) -> None:
    server.port, closed = 1, server.port
    assert "Connect" in (await refusal(server)).message
    server.port = closed


async def test_a_huge_answer_is_not_read_to_its_end(server: Server) -> None:
    server.answer = fixed(200, b" " * 200_000)
    error = await refusal(server, max_answer_bytes=50_000)
    assert "above the cap of 50,000 bytes" in error.message


async def test_a_key_that_no_header_can_carry_is_not_repeated(server: Server) -> None:
    error = await refusal(server, key=Secret(f"{KEY}\n", reference="env:K"))
    assert "no header can carry" in error.message
    assert not server.requests


def one(vector: Any, index: Any = 0) -> dict[str, Any]:
    return {"index": index, "embedding": vector}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"<html>", "not JSON"),
        ([], "no list 'data'"),
        ({"data": {}}, "no list 'data'"),
        ({"data": [one([1.0])]}, "1 vectors for 2 texts"),
        ({"data": [one([1.0]), one([1.0], 1), one([1.0], 2)]}, "3 vectors for 2 texts"),
        ({"data": [one([1.0]), one([1.0])]}, "two vectors with index 0"),
        ({"data": [one([1.0]), one([1.0], 7)]}, "index"),
        ({"data": [one([1.0]), one([1.0], True)]}, "index"),
        ({"data": [one([1.0]), "no"]}, "not an object"),
        ({"data": [one([1.0, 2.0]), one([1.0], 1)]}, "lists of one length"),
        ({"data": [one([]), one([], 1)]}, "lists of one length"),
        ({"data": [one([1.0]), one(None, 1)]}, "lists of one length"),
        ({"data": [one([1.0]), one(["1"], 1)]}, "not a number"),
        ({"data": [one([1.0]), one([None], 1)]}, "not a number"),
        ({"data": [one([1.0]), one([float("nan")], 1)]}, "not finite"),
        ({"data": [one([1.0]), one([1e300], 1)]}, "not finite"),
        ({"data": [one([1.0]), one([10**400], 1)]}, "cannot be read"),
        ({"data": [one([1.0]), one([0.0], 1)]}, "vector of zeros"),
        (b"[" * 200_000, "not JSON"),
    ],
)
async def test_an_answer_that_breaks_its_promise_is_refused(
    server: Server, answer: Any, reason: str
) -> None:
    server.answer = fixed(200, answer)
    assert reason in (await refusal(server)).message


async def test_answers_without_an_index_are_taken_in_order(server: Server) -> None:
    server.answer = fixed(200, {"data": [{"embedding": [1.0, 0.0]}, {"embedding": [0.0, 1.0]}]})
    async with embedder(server) as made:
        found = await made.embed(["a", "b"], kind="tool")
    assert [np.frombuffer(data, "<f4").tolist() for data in found] == [[1, 0], [0, 1]]


def test_the_model_is_another_where_endpoint_name_or_length_differ() -> None:
    base = {"url": "http://user:pw@host/v1?key=k", "model": "m"}  # pragma: allowlist secret
    names = {
        EndpointEmbedder(EmbedderOptions(**{**base, **more})).model  # type: ignore[arg-type]
        for more in ({}, {"model": "n"}, {"dimensions": 4}, {"url": "http://b/v1"})
    }
    assert len(names) == 4
    assert not any("pw" in name or "key" in name for name in names)
