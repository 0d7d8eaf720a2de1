"""The part of the Docker Engine API that is used here: requests and their errors.

Streams are attachments, see `attachment.py`. Podman speaks the same API; where it differs, the
difference stands here.
"""

import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import anyio
import httpx2

from toolweft.core.errors import SandboxUnavailable
from toolweft.core.json import Json, JsonObject
from toolweft.sandbox.container.address import Address
from toolweft.sandbox.container.unix_transport import UnixTransport

__all__ = ("Engine", "EngineError")

_REQUEST_TIMEOUT_S = 30.0
# The oldest with everything used here; newer engines are asked in their own version.
_OLDEST_VERSION = (1, 41)
# Each connection to another machine costs round trips.
_KEPT_CONNECTIONS = 4
_REMOVE_ATTEMPTS = 5
_REMOVE_PAUSE_S = 0.1
_GONE = (404, 409)
_MAX_MESSAGE_CHARACTERS = 500


class EngineError(SandboxUnavailable):
    """The engine refused a request, or did not answer."""

    def __init__(self, message: str, *, status: int = 0, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        # Of the answer; 0 where there was none.
        self.status = status


class Engine:
    """One engine; an async context manager."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.version: JsonObject = {}
        self.prefix = ""
        scheme = "http" if address.tls is None else "https"
        base_url = f"{scheme}://{address.host or 'engine'}:{address.port or 80}"
        self._client = httpx2.AsyncClient(
            transport=_open_transport(address),
            base_url=base_url,
            timeout=_REQUEST_TIMEOUT_S,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        """Find out which version of the API it speaks.

        Raises:
            EngineError: there is no engine, or it is too old.
        """
        self.version = await self._ask("GET", "/version")
        spoken = str(self.version.get("ApiVersion", ""))
        if _parse_version(spoken) < _OLDEST_VERSION:
            await self._client.aclose()
            oldest = ".".join(str(part) for part in _OLDEST_VERSION)
            raise EngineError(f"the engine speaks API version {spoken!r}, {oldest} is needed")
        self.prefix = f"/v{spoken}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._client.aclose()

    @property
    def is_podman(self) -> bool:
        """Whether it is Podman, which ignores some of what it is asked."""
        components = self.version.get("Components") or ()
        return any("podman" in str(part.get("Name", "")).lower() for part in components)

    async def info(self) -> JsonObject:
        """What the engine says of itself and its machine."""
        return await self._ask("GET", "/info")

    async def inspect_image(self, name: str) -> JsonObject | None:
        """An image of the engine; None where it has none of that name."""
        try:
            return await self._ask("GET", f"/images/{name}/json")
        except EngineError as refusal:
            if refusal.status == 404:
                return None
            raise

    async def create(self, recipe: Mapping[str, Json]) -> str:
        """Make a container, not started; its id."""
        made = await self._ask("POST", "/containers/create", body=recipe)
        return str(made["Id"])

    async def start(self, container: str) -> None:
        """Start its process."""
        await self._ask("POST", f"/containers/{container}/start")

    async def kill(self, container: str, *, signal: str) -> None:
        """Send its process a signal; nothing where it has ended."""
        try:
            await self._ask("POST", f"/containers/{container}/kill", query={"signal": signal})
        except EngineError as refusal:
            if refusal.status not in _GONE and not _is_improper(refusal):
                raise

    async def pause(self, container: str) -> None:
        """Let none of its processes run."""
        await self._ask("POST", f"/containers/{container}/pause")

    async def unpause(self, container: str) -> None:
        """Undo `pause`."""
        await self._ask("POST", f"/containers/{container}/unpause")

    async def wait(self, container: str) -> int:
        """Its exit status, once it has ended; above 128 for a signal."""
        ended = await self._ask("POST", f"/containers/{container}/wait")
        return int(ended.get("StatusCode", 0))

    async def inspect(self, container: str) -> JsonObject:
        """Everything the engine knows of a container."""
        return await self._ask("GET", f"/containers/{container}/json")

    async def stats(self, container: str) -> JsonObject:
        """What it has used until now."""
        query = {"stream": "false", "one-shot": "true"}
        return await self._ask("GET", f"/containers/{container}/stats", query=query)

    async def list(self, *, label: str) -> Sequence[JsonObject]:
        """Every container with a label, ended ones too."""
        query = {"all": "true", "filters": json.dumps({"label": [label]})}
        found: Any = await self._ask("GET", "/containers/json", query=query)
        return [item for item in found or () if isinstance(item, dict)]

    async def remove(self, container: str) -> None:
        """End it where it runs and remove it; nothing where it is gone.

        Raises:
            EngineError: it is still there after several attempts.
        """
        for attempt in range(1, _REMOVE_ATTEMPTS + 1):
            try:
                query = {"force": "true", "v": "true"}
                await self._ask("DELETE", f"/containers/{container}", query=query)
            except EngineError as refusal:
                if refusal.status == 404:
                    return
                # Just killed, it is neither running nor ended for a moment; or somebody else
                # is removing it.
                passes = refusal.status == 409 or _is_improper(refusal)
                if not passes or attempt == _REMOVE_ATTEMPTS:
                    raise
                await anyio.sleep(_REMOVE_PAUSE_S * attempt)
            else:
                return

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Json] | None = None,
    ) -> JsonObject:
        try:
            answer = await self._client.request(method, self.prefix + path, params=query, json=body)
        except httpx2.HTTPError as fault:
            where = self.address.path or f"{self.address.host}:{self.address.port}"
            raise EngineError(
                f"no container engine answers at {where}: {str(fault) or type(fault).__name__}",
                hint="start Docker or Podman, or say in sandbox.container.engine where it listens",
            ) from fault
        if answer.status_code >= 400:
            raise EngineError(_read_message(answer), status=answer.status_code)
        if not answer.content.strip():
            return {}
        try:
            data: Any = answer.json()
        except ValueError as fault:
            raise EngineError(f"the engine's answer to {method} {path} is not JSON") from fault
        return data  # type: ignore[no-any-return]  # raw JSON; each caller knows its answer


def _open_transport(address: Address) -> httpx2.AsyncBaseTransport:
    if address.path:
        return UnixTransport(address.path)
    return httpx2.AsyncHTTPTransport(
        verify=address.tls or False,
        trust_env=False,
        limits=httpx2.Limits(max_keepalive_connections=_KEPT_CONNECTIONS),
    )


def _parse_version(text: str) -> tuple[int, ...]:
    parts = text.split(".")
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else ()


def _is_improper(refusal: EngineError) -> bool:
    """Podman's way to say that a container is not in the state for this, or is not yet."""
    return refusal.status == 500 and "state improper" in refusal.message


def _read_message(answer: httpx2.Response) -> str:
    try:
        data: Any = answer.json()
        text = str(data["message"])
    except (ValueError, KeyError, TypeError):
        text = f"status {answer.status_code}"
    return f"the container engine refused: {text[:_MAX_MESSAGE_CHARACTERS]}"
