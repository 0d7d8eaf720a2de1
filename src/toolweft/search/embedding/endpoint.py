"""The embedder behind an OpenAI-compatible endpoint: Ollama, vLLM, TEI, OpenAI, Azure, ...

One request a batch, no retries: who asks decides when to ask again. Whatever goes wrong is told as
one reason that names endpoint and model, never the key.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote

import anyio
from anyio import to_thread

from toolweft.core.errors import EmbedderUnavailable
from toolweft.search.embedding.answers import parse_answer, parse_reason
from toolweft.search.embedding.options import EmbedderOptions
from toolweft.search.embedding.texts import split_batches

__all__ = ("EndpointEmbedder",)

# A number takes about 20 characters as JSON: room for a batch of long vectors, and no more.
_MAX_ANSWER_BYTES = 64 * 1024**2
_MAX_ERROR_BYTES = 16 * 1024
_MAX_REASON_CHARACTERS = 300
# Connecting takes no longer than a search waits anyway.
_CONNECT_TIMEOUT_S = 5.0
_KEY_REFUSED = (401, 403)
_OK = 200
_CLOSE_TIMEOUT_S = 2.0


class EndpointEmbedder:
    """The `TextEmbedder` of an endpoint; an async context manager that owns its connections."""

    def __init__(self, options: EmbedderOptions, *, max_answer_bytes: int = _MAX_ANSWER_BYTES):
        self._options = options
        self._max_answer_bytes = max_answer_bytes
        self._key = "" if options.key is None else options.key.reveal()
        base, separator, query = options.url.partition("?")
        self._url = f"{base.rstrip('/')}/embeddings{separator}{query}"
        self._stack = AsyncExitStack()
        self._lock = anyio.Lock()
        self._client: Any = None

    async def __aenter__(self) -> Self:
        """Ready; nothing is connected yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        with anyio.move_on_after(_CLOSE_TIMEOUT_S, shield=True):
            await self._stack.aclose()

    @property
    def model(self) -> str:
        """Endpoint, model, dimensions, and what is set before tools."""
        options = self._options
        prefix = options.tool_prefix or ""
        return f"{options.place} {options.model} {options.dimensions or ''} {prefix!r}"

    async def embed(
        self, texts: Sequence[str], *, kind: Literal["query", "tool"]
    ) -> Sequence[bytes]:
        """One vector per text; see `toolweft.core.search.TextEmbedder`."""
        options = self._options
        prefix = (options.query_prefix if kind == "query" else options.tool_prefix) or ""
        vectors: list[bytes] = []
        batches = split_batches(
            [prefix + text for text in texts],
            most=options.batch,
            characters=options.batch_characters,
        )
        for batch in batches:
            try:
                with anyio.fail_after(options.batch_timeout_s):
                    body = await self._ask(batch)
                    # Megabytes of JSON, which calls must not wait for.
                    vectors += await to_thread.run_sync(_parse, body, len(batch))
            except TimeoutError as exc:
                reason = f"no answer after {options.batch_timeout_s:g} s"
                raise EmbedderUnavailable(f"{options.name}: {reason}") from exc
            except EmbedderUnavailable as exc:
                message = f"{options.name}: {self._masked(exc.message)}"
                raise EmbedderUnavailable(message, hint=exc.hint) from exc.__cause__
        return vectors

    async def _ask(self, batch: Sequence[str]) -> bytes:
        client = await self._connect()
        import httpx2

        question: dict[str, Any] = {
            "model": self._options.model,
            "input": list(batch),
            "encoding_format": "float",
        }
        if self._options.dimensions is not None:
            question["dimensions"] = self._options.dimensions
        try:
            async with client.stream("POST", self._url, json=question) as response:
                is_good = response.status_code == _OK
                most = self._max_answer_bytes if is_good else _MAX_ERROR_BYTES
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > most:
                        break
                if not is_good:
                    raise _refusal(response.status_code, bytes(body[:most]))
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, ValueError) as exc:
            reason = f"{type(exc).__name__}: {exc}".rstrip(": ")
            # Chained to nothing: the library's own errors may hold headers.
            raise EmbedderUnavailable(reason) from None
        if len(body) > most:
            raise EmbedderUnavailable(f"the answer is above the cap of {most:,} bytes")
        return bytes(body)

    async def _connect(self) -> Any:
        async with self._lock:
            if self._client is None:
                headers = self._headers()
                # Takes a tenth of a second where no server was reached over HTTP before.
                httpx2 = await to_thread.run_sync(_import_client)
                client = httpx2.AsyncClient(
                    headers=headers,
                    follow_redirects=False,
                    timeout=httpx2.Timeout(_CONNECT_TIMEOUT_S, read=None),
                )
                self._client = await self._stack.enter_async_context(client)
        return self._client

    def _headers(self) -> dict[str, str]:
        if not self._key:
            return {}
        if not (self._key.isascii() and self._key.isprintable()):
            raise EmbedderUnavailable(
                "the key holds characters that no header can carry",
                hint="look for a line break or a quotation mark in search.embedder.key",
            )
        return {"authorization": f"Bearer {self._key}"}

    def _masked(self, text: str) -> str:
        """A text without the key, however it was echoed, and cut only then."""
        for spelling in filter(None, (self._key, quote(self._key, safe=""))):
            text = text.replace(spelling, "***")
        return text[:_MAX_REASON_CHARACTERS]


def _parse(body: bytes, count: int) -> list[bytes]:
    return parse_answer(body, count=count)


def _import_client() -> Any:
    import httpx2

    return httpx2


def _refusal(status: int, body: bytes) -> EmbedderUnavailable:
    said = parse_reason(body)
    message = f"HTTP {status}: {said}" if said else f"HTTP {status}"
    hint = "check search.embedder.key" if status in _KEY_REFUSED else None
    return EmbedderUnavailable(message, hint=hint)
