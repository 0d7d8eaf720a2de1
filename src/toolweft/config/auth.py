"""`auth` of a server: a bearer token, or OAuth; the keys, and the options they become. Pure."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field

from toolweft.config.filling import Filler, UnusableSource, check_url
from toolweft.config.quantities import Section, Texts, not_bool
from toolweft.core.errors import ConfigError
from toolweft.core.secret import Secret
from toolweft.sources.addresses import is_loopback
from toolweft.sources.options import OAuthOptions

__all__ = ("AuthModel", "build_bearer", "build_oauth", "check_auth")

_EXAMPLE = "https://login.example.com"


class AuthModel(Section):
    """Who toolweft is to a server: a token somebody gave you, or tokens by `toolweft login`."""

    type: Literal["bearer", "oauth"] | None = None
    token: str | None = Field(
        default=None, min_length=1, description="Of 'bearer'; 'env:NAME' takes it from NAME."
    )
    grant: Literal["authorization_code", "client_credentials"] = Field(
        default="authorization_code",
        description="A person agrees in a browser, or the client itself is trusted.",
    )
    client_id: str | None = Field(
        default=None, min_length=1, description="Unset: toolweft registers itself."
    )
    client_secret: str | None = Field(
        default=None,
        min_length=1,
        description="'env:NAME' takes it from NAME; it goes to `issuer` and nowhere else.",
    )
    client_auth: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"
    scopes: Texts = Field(default=(), description="Unset: those that the server asks for.")
    issuer: str | None = Field(
        default=None,
        min_length=1,
        description="The one authorization server that may be used; it may be private.",
    )
    redirect_port: Annotated[int, BeforeValidator(not_bool)] = Field(
        default=0, ge=0, le=65535, description="Where the browser comes back to; 0: any."
    )


def check_auth(name: str, auth: AuthModel, *, place: str) -> None:
    """Refuse keys that do not go together.

    Raises:
        ConfigError: they do not.
    """
    given = auth.model_fields_set - {"type"}
    if auth.type is None and given:
        raise ConfigError(
            f"{place}: servers.{name}.auth has no type",
            hint='type = "bearer" with a token, or type = "oauth"',
        )
    strange = given - {"token"} if auth.type == "bearer" else given & {"token"}
    if strange:
        raise ConfigError(
            f"{place}: servers.{name}.auth of type {auth.type!r} has {sorted(strange)[0]!r}",
            hint="a bearer token has 'token' alone, 'oauth' every other key",
        )
    if auth.type == "bearer" and auth.token is None:
        raise ConfigError(
            f"{place}: servers.{name}.auth of type 'bearer' has no token",
            hint='token = "env:NAME" takes it from a variable',
        )


def build_bearer(auth: AuthModel, fill: Filler) -> Secret:
    """The value of the header."""
    token = fill.secret("auth.token", auth.token or "")
    return Secret(f"Bearer {token.reveal()}", reference=token.reference)


def build_oauth(auth: AuthModel, fill: Filler, *, url: str, folder: Path) -> OAuthOptions:
    """The options.

    Args:
        auth: the section.
        fill: fills in variables.
        url: of the server.
        folder: where tokens are kept.

    Raises:
        UnusableSource: what is given does not go together.
    """
    section = f"{fill.section}.auth"
    issuer = "" if auth.issuer is None else fill.text("auth.issuer", auth.issuer)
    if issuer:
        check_url(issuer, key=f"{section}.issuer", example=_EXAMPLE)
    if auth.client_secret is not None and not (issuer and auth.client_id):
        raise UnusableSource(
            f"{section} has a client_secret, but not both client_id and issuer",
            hint="a secret is sent to its own authorization server and to no other:"
            f' issuer = "{_EXAMPLE}"',
        )
    if auth.grant == "client_credentials" and auth.client_secret is None:
        raise UnusableSource(
            f"{section} has the grant 'client_credentials', but no client_secret",
            hint="give client_id, client_secret and issuer",
        )
    if not url.startswith("https://") and not is_loopback(urlsplit(url).hostname or ""):
        raise UnusableSource(
            f"{section} is given, but {fill.section}.url is neither https nor on this machine",
            hint="tokens are sent over https only",
        )
    return OAuthOptions(
        grant=auth.grant,
        client_id=fill.secret("auth.client_id", auth.client_id) if auth.client_id else "",
        client_secret=fill.secret("auth.client_secret", auth.client_secret)
        if auth.client_secret
        else "",
        client_auth=auth.client_auth,
        scopes=auth.scopes,
        issuer=issuer,
        redirect_port=auth.redirect_port,
        folder=folder,
    )
