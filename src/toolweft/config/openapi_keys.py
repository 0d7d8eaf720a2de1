"""The keys of an `[openapi.NAME]` section; `models.py` adds what all sources have."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from toolweft.config.units import parse_bytes, parse_seconds

__all__ = ("ClientModel", "OpenApiKeys")

_QUANTITY: dict[str, Any] = {"type": ["number", "string"]}


class ClientModel(BaseModel):
    """A client of an authorization server (OAuth 2, client credentials)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: str = Field(min_length=1)
    client_secret: str = Field(min_length=1, description="'env:NAME' takes a secret from NAME.")
    token_url: str | None = Field(default=None, min_length=1)
    scopes: tuple[str, ...] = ()


class OpenApiKeys(BaseModel):
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
    include: tuple[str, ...] = Field(
        default=(), description="Globs over operations' names and 'METHOD /path'; empty: all."
    )
    exclude: tuple[str, ...] = ()
    disabled: bool = False
    timeout_s: Annotated[float, BeforeValidator(parse_seconds)] | None = Field(
        default=None, gt=0, json_schema_extra=_QUANTITY
    )
    start_timeout_s: Annotated[float, BeforeValidator(parse_seconds)] | None = Field(
        default=None, gt=0, json_schema_extra=_QUANTITY
    )
    max_response_bytes: Annotated[int, BeforeValidator(parse_bytes)] | None = Field(
        default=None, gt=0, json_schema_extra=_QUANTITY
    )
