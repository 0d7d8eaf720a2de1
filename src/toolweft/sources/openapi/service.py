"""A description that was read, together with the client that calls its operations."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace

from toolweft.core.calls import RawResult, TextContent
from toolweft.core.clock import Clock
from toolweft.core.errors import InvalidDefinition, SourceUnavailable
from toolweft.core.ids import ToolName
from toolweft.core.json import JsonObject
from toolweft.core.secret import reveal
from toolweft.core.tools import ToolDefinition
from toolweft.sources.masking import mask
from toolweft.sources.openapi.client import ServiceClient
from toolweft.sources.openapi.definitions import build_definition
from toolweft.sources.openapi.model import Operation, SecurityScheme
from toolweft.sources.openapi.operations import (
    Description,
    find_idle_globs,
    select_operations,
)
from toolweft.sources.openapi.requests import build_request
from toolweft.sources.openapi.responses import HttpAnswer, error_text, read_answer, retry_note
from toolweft.sources.openapi.security import Credentials, choose_schemes, present
from toolweft.sources.openapi.servers import check_trust, find_base_url
from toolweft.sources.openapi.tokens import TokenKeeper
from toolweft.sources.options import ClientCredentials, OpenApiOptions

__all__ = ("Service",)

log = logging.getLogger(__name__)

_UNAUTHORIZED = 401
_FORBIDDEN = 403
# The service is there and cannot answer now: the same call may do later.
_LATER = frozenset({429, 502, 503, 504})
# Results are data, and a shorter secret may be a word of them.
_MIN_MASKED_CHARACTERS = 8


class Service:
    """The operations of one description, and how they are called.

    Args:
        description: as read.
        options: of the source.
        described_at: the address the description came from; "" for a file.
        client: sends the requests.
        secrets: that neither results nor errors may hold.
        clock: tells when tokens run out.

    Raises:
        InvalidDefinition: nothing of it can be called as configured.
    """

    def __init__(
        self,
        description: Description,
        options: OpenApiOptions,
        *,
        described_at: str,
        client: ServiceClient,
        secrets: tuple[str, ...],
        clock: Clock,
    ) -> None:
        self._options = options
        self._client = client
        self._secrets = secrets
        self._headers = tuple((n.lower(), reveal(v)) for n, v in options.headers.items())
        self._schemes = description.schemes
        _check_auth(options, description.schemes)
        self._keepers = dict(self._build_keepers(client, clock))
        self._operations: dict[ToolName, Operation] = {}
        self._base_urls: dict[ToolName, str] = {}
        selected = _select(description.operations, options)
        problems: list[InvalidDefinition] = []
        for operation in selected:
            name = ToolName(operation.name)
            try:
                self._base_urls[name] = _find_server(operation, options, described_at)
            except InvalidDefinition as error:
                problems.append(error)
                operation = replace(operation, problem=operation.problem or str(error))
            self._operations[name] = operation
        if problems and len(problems) == len(selected):
            raise problems[0]

    @property
    def definitions(self) -> tuple[ToolDefinition, ...]:
        """One tool an operation, in the description's order."""
        return tuple(
            build_definition(
                operation, namespace=self._options.name, timeout_s=self._options.timeout_s
            )
            for operation in self._operations.values()
        )

    async def call(self, name: ToolName, arguments: JsonObject) -> RawResult:
        """Call one operation.

        Raises:
            SourceUnavailable: there is no such operation, or the service cannot answer now.
            InvalidArguments: a value that cannot be sent in its place.
            CallDenied: its address is not to be reached.
            ResultTooLarge: the answer is above the cap.
        """
        operation = self._operations.get(name)
        if operation is None or name not in self._base_urls:
            raise SourceUnavailable(
                f"source {self._options.name!r} has no operation named {name!r} to call",
                hint="search the catalog for what is available",
            )
        request = build_request(operation, arguments, base_url=self._base_urls[name])
        needed = choose_schemes(operation.security, configured=frozenset(self._options.auth))
        answer = await self._client.send(request, await self._credentials(needed))
        keepers = [self._keepers[scheme] for scheme in needed if scheme in self._keepers]
        if answer.status == _UNAUTHORIZED and keepers:
            # The token may have been withdrawn; nothing was done yet.
            for keeper in keepers:
                keeper.forget()
            answer = await self._client.send(request, await self._credentials(needed))
        return self._read(operation, answer, is_known=bool(needed))

    def _read(self, operation: Operation, answer: HttpAnswer, *, is_known: bool) -> RawResult:
        if answer.status in _LATER:
            said = self.mask(error_text(answer))
            raise SourceUnavailable(said, hint=retry_note(answer) or "try again later")
        read = read_answer(answer, method=operation.method, mask=self._mask_result)
        if answer.status in {_UNAUTHORIZED, _FORBIDDEN} and not is_known:
            ways = " or ".join(" + ".join(way) for way in operation.security or () if way)
            if ways:
                advice = f"it wants {ways}: set auth in [openapi.{self._options.name}]"
                return replace(read, content=(*read.content, TextContent(advice)))
        return read

    async def _credentials(self, needed: Mapping[str, tuple[str, ...]]) -> Credentials:
        found = Credentials(headers=self._headers)
        for name, scopes in needed.items():
            configured = self._options.auth[name]
            if isinstance(configured, ClientCredentials):
                configured = await self._keepers[name].token(scopes)
            found += present(self._schemes[name], reveal(configured))
        return found

    def _build_keepers(
        self, client: ServiceClient, clock: Clock
    ) -> Iterator[tuple[str, TokenKeeper]]:
        for name, configured in self._options.auth.items():
            if not isinstance(configured, ClientCredentials):
                continue
            if not configured.token_url:
                token_url = self._schemes[name].token_url
                check_trust(token_url, self._options, what="its token server", key="token_url")
                configured = replace(configured, token_url=token_url)
            yield name, TokenKeeper(configured, client=client, clock=clock)

    def mask(self, text: str) -> str:
        """The text without secrets, tokens included."""
        return mask(text, self._all_secrets())

    def _mask_result(self, text: str) -> str:
        return mask(text, [s for s in self._all_secrets() if len(s) >= _MIN_MASKED_CHARACTERS])

    def _all_secrets(self) -> list[str]:
        tokens = (token for keeper in self._keepers.values() for token in keeper.secrets)
        return [*self._secrets, *map(reveal, tokens)]


def _find_server(operation: Operation, options: OpenApiOptions, described_at: str) -> str:
    url = find_base_url(operation.server, options, described_at=described_at)
    check_trust(url, options, what="its server", key="base_url")
    return url


def _select(operations: tuple[Operation, ...], options: OpenApiOptions) -> tuple[Operation, ...]:
    """The operations that the configuration wants; a glob that fits none is logged.

    Raises:
        InvalidDefinition: there are some, and it wants none of them.
    """
    selected = select_operations(operations, include=options.include, exclude=options.exclude)
    if operations and not selected:
        first = operations[0]
        raise InvalidDefinition(
            f"include and exclude leave none of the {len(operations)} operations",
            hint=f"globs are over names such as {first.name!r},"
            f" and over methods with paths such as '{first.method} {first.path}'",
        )
    for key, globs in (("include", options.include), ("exclude", options.exclude)):
        for glob in find_idle_globs(operations, globs):
            fields = {"source": options.name, "key": key, "glob": glob}
            log.warning("openapi.glob_fits_nothing", extra=fields)
    return selected


def _check_auth(options: OpenApiOptions, schemes: Mapping[str, SecurityScheme]) -> None:
    for name, configured in options.auth.items():
        scheme = schemes.get(name)
        if scheme is None:
            raise InvalidDefinition(
                f"auth names the security scheme {name!r}, and the description has"
                f" {', '.join(map(repr, schemes)) or 'none'}",
                hint="use one of its names, or set headers instead",
            )
        if scheme.kind == "unknown":
            raise InvalidDefinition(
                f"the security scheme {name!r} is of a kind that is not known here",
                hint="set headers instead",
            )
        if isinstance(configured, ClientCredentials):
            if scheme.kind != "bearer":
                raise InvalidDefinition(
                    f"the security scheme {name!r} takes no client_id and client_secret",
                    hint=f'write auth = {{ {name} = "env:NAME" }}',
                )
            if not (configured.token_url or scheme.token_url):
                raise InvalidDefinition(
                    f"the security scheme {name!r} names no token server for client credentials",
                    hint="set its token_url",
                )
