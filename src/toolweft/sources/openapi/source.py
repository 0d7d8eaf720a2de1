"""A service described by OpenAPI, as a source: it is described once and called directly.

What it needs to read and to ask is imported when it starts, so that importing toolweft stays quick.
"""

import base64
import math
from collections.abc import Iterator
from typing import Any

import anyio

from toolweft.core.calls import RawResult, ToolCall
from toolweft.core.clock import Clock
from toolweft.core.errors import CallError, InvalidDefinition, SourceUnavailable
from toolweft.core.ids import ToolName
from toolweft.core.ports import SourceListener
from toolweft.core.secret import reveal
from toolweft.sources.masking import all_values, url_secrets
from toolweft.sources.options import ClientCredentials, OpenApiOptions
from toolweft.sources.reporting import Reporter

__all__ = ("OpenApiSource",)

# A description that could not be fetched is asked for again after this.
_RETRY_S = 30.0


class OpenApiSource:
    """The operations of one description as tools.

    Args:
        options: where the description is, and what its service wants.
        listener: hears of its tools and state.
        clock: measures its start, and when tokens run out.
        retry_s: how soon a description that could not be fetched is asked for again.
    """

    kind = "openapi"

    def __init__(
        self,
        options: OpenApiOptions,
        *,
        listener: SourceListener,
        clock: Clock,
        retry_s: float = _RETRY_S,
    ) -> None:
        self.name = options.name
        self._options = options
        self._clock = clock
        self._retry_s = retry_s
        self._secrets = tuple(_secrets(options))
        self.reporter = Reporter(
            options.name, kind=self.kind, listener=listener, secrets=self._secrets
        )
        self._service: Any = None

    async def run(self) -> None:
        """Read the description, report its tools, and wait to be cancelled."""
        self.reporter.starting()
        from toolweft.sources.openapi.loading import open_client

        try:
            async with open_client(self._options, mask=self.reporter.mask) as client:
                while True:
                    is_settled = await self._start(client)
                    await anyio.sleep(math.inf if is_settled else self._retry_s)
        finally:
            self._service = None
            self.reporter.stopped()

    async def call_tool(self, name: ToolName, call: ToolCall) -> RawResult:
        """Call one operation.

        Raises:
            SourceUnavailable: the description is not read, or the service cannot answer now.
            InvalidArguments: a value that cannot be sent in its place.
            CallDenied: its address is not to be reached.
            ResultTooLarge: the answer is above `max_response_bytes`.
        """
        if self._service is None:
            raise SourceUnavailable(
                f"source {self.name!r} is not ready: {self.reporter.status.reason or 'it starts'}",
                hint="`toolweft doctor` shows why",
            )
        result: RawResult = await self._service.call(name, call.arguments)
        return result

    async def _start(self, client: Any) -> bool:
        """Whether there is nothing left to try."""
        from toolweft.sources.openapi.loading import load_service

        began_s = self._clock.monotonic_s()
        limit_s = self._options.start_timeout_s
        try:
            with anyio.fail_after(limit_s):
                service, description = await load_service(
                    self._options, client=client, secrets=self._secrets, clock=self._clock
                )
        except InvalidDefinition as error:
            self.reporter.failed(str(error))
            return True
        except CallError as error:
            self.reporter.failed(str(error))
            return self._options.path is not None
        except TimeoutError:
            self.reporter.failed(f"its description was not read within {limit_s:g} s")
            return False
        self._service = service
        await self.reporter.prepare(service.definitions)
        self.reporter.ready(
            service.definitions,
            start_s=self._clock.monotonic_s() - began_s,
            instructions=description.about,
            protocol_version=f"OpenAPI {description.version}",
        )
        return True


def _secrets(options: OpenApiOptions) -> Iterator[str]:
    yield from all_values((*options.headers.values(), *options.secrets))
    for url in (options.url, options.base_url):
        yield from url_secrets(url)
    for configured in options.auth.values():
        if isinstance(configured, ClientCredentials):
            yield reveal(configured.client_secret)
            continue
        secret = reveal(configured)
        yield secret
        user, colon, password = secret.partition(":")
        if colon:
            # As basic authorization has it.
            yield password
            yield base64.b64encode(f"{user}:{password}".encode()).decode()
