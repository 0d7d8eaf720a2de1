"""Fetching and reading one description, and making a service of it."""

from collections.abc import Callable
from pathlib import Path

import anyio

from toolweft.core.clock import Clock
from toolweft.core.errors import InvalidDefinition, SourceUnavailable
from toolweft.core.secret import reveal
from toolweft.sources.openapi.client import ServiceClient
from toolweft.sources.openapi.document import MAX_DOCUMENT_BYTES, parse_document
from toolweft.sources.openapi.operations import Description, read_description
from toolweft.sources.openapi.requests import HttpRequest
from toolweft.sources.openapi.security import Credentials
from toolweft.sources.openapi.servers import named_origins
from toolweft.sources.openapi.service import Service
from toolweft.sources.options import ClientCredentials, OpenApiOptions

__all__ = ("load_service", "open_client")

_OK = 200


def open_client(options: OpenApiOptions, *, mask: Callable[[str], str]) -> ServiceClient:
    """The client of a source; whoever asks for it closes it."""
    return ServiceClient(
        named=named_origins(options), max_bytes=options.max_response_bytes, mask=mask
    )


async def load_service(
    options: OpenApiOptions, *, client: ServiceClient, secrets: tuple[str, ...], clock: Clock
) -> tuple[Service, Description]:
    """The service of a description.

    Raises:
        SourceUnavailable: the description cannot be fetched.
        InvalidDefinition: it cannot be used.
    """
    _check_secrets(options)
    if options.path is not None:
        text, described_at = await _read_file(options.path), ""
    else:
        text, described_at = await _fetch(options, client)
    # Megabytes of text, which calls must not wait for.
    description = await anyio.to_thread.run_sync(_read, text, abandon_on_cancel=True)
    service = Service(
        description,
        options,
        described_at=described_at,
        client=client,
        secrets=secrets,
        clock=clock,
    )
    return service, description


def _check_secrets(options: OpenApiOptions) -> None:
    """Refuse values that cannot be sent, before their own error shows them.

    Raises:
        InvalidDefinition: one has a line break or something else that no header can carry.
    """
    given = {f"headers.{name}": value for name, value in options.headers.items()}
    given |= {
        f"auth.{name}": value
        for name, value in options.auth.items()
        if not isinstance(value, ClientCredentials)
    }
    for key, value in given.items():
        text = reveal(value)
        if not (text.isascii() and text.isprintable()):
            raise InvalidDefinition(
                f"{key} holds characters that no header can carry",
                hint="look for a line break or a quotation mark at its end",
            )


def _read(text: bytes) -> Description:
    return read_description(parse_document(text))


async def _read_file(path: Path) -> bytes:
    try:
        size_bytes = (await anyio.Path(path).stat()).st_size
        if size_bytes > MAX_DOCUMENT_BYTES:
            raise InvalidDefinition(
                f"the description {str(path)!r} has {size_bytes:,} bytes; the limit is"
                f" {MAX_DOCUMENT_BYTES:,}",
                hint="leave out what is not needed",
            )
        return await anyio.Path(path).read_bytes()
    except OSError as error:
        raise InvalidDefinition(
            f"the description {str(path)!r} cannot be read: {error.strerror}",
            hint="check the path",
        ) from error


async def _fetch(options: OpenApiOptions, client: ServiceClient) -> tuple[bytes, str]:
    headers = tuple((name.lower(), reveal(value)) for name, value in options.headers.items())
    accept = ("accept", "application/json, application/yaml;q=0.9, */*;q=0.8")
    answer = await client.send(
        HttpRequest(method="GET", url=options.url, headers=(accept,)),
        Credentials(headers=headers),
        max_bytes=MAX_DOCUMENT_BYTES,
    )
    if answer.status != _OK:
        raise SourceUnavailable(
            f"the description was not given: {answer.title}",
            hint="check url of the source, and its headers",
        )
    return answer.body, answer.url
