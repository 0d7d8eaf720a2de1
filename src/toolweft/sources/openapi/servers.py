"""Which address an operation is called at, and who may have the user's secrets. Pure."""

from urllib.parse import urljoin

from toolweft.core.errors import InvalidDefinition
from toolweft.core.secret import Secret
from toolweft.sources.addresses import Origin, origin_of
from toolweft.sources.options import ClientCredentials, OpenApiOptions

__all__ = ("check_trust", "find_base_url", "named_origins")


def named_origins(options: OpenApiOptions) -> frozenset[Origin]:
    """The origins that the configuration itself names."""
    urls = [options.url, options.base_url]
    urls += [a.token_url for a in options.auth.values() if isinstance(a, ClientCredentials)]
    return frozenset(origin for url in urls if (origin := origin_of(url)) is not None)


def find_base_url(server: str, options: OpenApiOptions, *, described_at: str) -> str:
    """The address that an operation's path is put behind.

    Args:
        server: as the description has it, perhaps relative or empty.
        options: of the source, whose `base_url` wins.
        described_at: where the description came from in the end; "" for a file.

    Raises:
        InvalidDefinition: there is none that can be used.
    """
    if options.base_url:
        return options.base_url.rstrip("/")
    url = urljoin(described_at, server or "/") if described_at else server
    if origin_of(url) is None or "?" in url or "#" in url or "{" in url:
        said = f"the server {server[:120]!r}" if server else "no server"
        raise InvalidDefinition(
            f"the description names {said}, which is no address to call",
            hint='set base_url = "https://..." for the source',
        )
    return url.rstrip("/")


def check_trust(url: str, options: OpenApiOptions, *, what: str, key: str) -> None:
    """Refuse to send the user's secrets where only a fetched description says so.

    A file of the user's own may name any public server; a description from the network only the
    host it came from.

    Args:
        url: where they would go.
        options: of the source.
        what: goes there, for messages.
        key: of the configuration, that would say so.

    Raises:
        InvalidDefinition: the configuration has to name it.
    """
    given = [*options.auth.values(), *options.headers.values()]
    if options.path is not None or not any(map(_is_secret, given)):
        return
    origin = origin_of(url)
    if origin in named_origins(options):
        return
    shown = "" if origin is None else f"{origin[0]}://{origin[1]}:{origin[2]}"
    raise InvalidDefinition(
        f"the description comes from elsewhere than {what} {shown}, so your credentials are not"
        " sent there",
        hint=f'if it is the right one, set {key} = "{url}" for the source',
    )


def _is_secret(value: str | Secret | ClientCredentials) -> bool:
    return isinstance(value, ClientCredentials) or bool(value)
