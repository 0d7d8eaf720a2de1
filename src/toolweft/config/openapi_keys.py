"""The keys of an `[openapi.NAME]` section; `models.py` adds what all sources have."""

from pydantic import Field

from toolweft.config.quantities import Bytes, Seconds, Section, Texts

__all__ = ("ClientModel", "OpenApiKeys")


class ClientModel(Section):
    """A client of an authorization server (OAuth 2, client credentials)."""

    client_id: str = Field(min_length=1)
    client_secret: str = Field(min_length=1, description="'env:NAME' takes a secret from NAME.")
    token_url: str | None = Field(default=None, min_length=1)
    scopes: Texts = ()


class OpenApiKeys(Section):
    """Where a description is, and what its service wants."""

    url: str | None = Field(default=None, min_length=1, description="Of the description.")
    path: str | None = Field(default=None, min_length=1, description="JSON or YAML.")
    base_url: str | None = Field(
        default=None,
        min_length=1,
        description="In place of the description's servers; a private address must stand here.",
    )
    headers: dict[str, str] = Field(default={}, description="'env:NAME' takes a secret from NAME.")
    auth: dict[str, str | ClientModel] = Field(
        default={}, description="By security scheme: 'env:NAME', or a client of OAuth 2."
    )
    include: Texts = Field(
        default=(), description="Globs over operations' names and 'METHOD /path'; empty: all."
    )
    exclude: Texts = ()
    disabled: bool = False
    timeout_s: Seconds | None = None
    start_timeout_s: Seconds | None = None
    max_response_bytes: Bytes | None = None
