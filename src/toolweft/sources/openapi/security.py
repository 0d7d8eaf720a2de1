"""Security schemes of a description, and what a user's secrets become under them. Pure."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from toolweft.core.json import Json, JsonObject
from toolweft.sources.openapi.model import Requirement, SecurityScheme
from toolweft.sources.openapi.references import References

__all__ = ("Credentials", "choose_schemes", "present", "read_requirements", "read_schemes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What is added to a request; goes only where the user wants it."""

    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    cookies: tuple[tuple[str, str], ...] = ()

    def __add__(self, other: "Credentials") -> "Credentials":
        return Credentials(
            headers=self.headers + other.headers,
            query=self.query + other.query,
            cookies=self.cookies + other.cookies,
        )


def read_schemes(document: JsonObject, references: References) -> dict[str, SecurityScheme]:
    """The schemes that a description names; those of unknown kind are listed as such."""
    components = document.get("components")
    listed = components.get("securitySchemes") if isinstance(components, dict) else None
    if not isinstance(listed, dict):
        return {}
    return {
        str(name): _read_scheme(
            str(name), references.follow(raw, what=f"the security scheme {name!r}")
        )
        for name, raw in listed.items()
    }


def read_requirements(raw: Json) -> tuple[Requirement, ...] | None:
    """Ways in, of which one is enough; None where nothing is said."""
    if not isinstance(raw, list):
        return None
    return tuple(
        {str(name): _texts(scopes) for name, scopes in way.items()}
        for way in raw
        if isinstance(way, dict)
    )


def choose_schemes(
    security: tuple[Requirement, ...] | None, *, configured: frozenset[str]
) -> Requirement:
    """The schemes to use for an operation: the first way in for which there are all secrets.

    Where the description does not say what an operation needs, everything that is configured.
    """
    if security is None:
        return dict.fromkeys(sorted(configured), ())
    return next((way for way in security if way and way.keys() <= configured), {})


def present(scheme: SecurityScheme, secret: str) -> Credentials:
    """A secret, as the scheme wants it."""
    if scheme.kind == "basic":
        encoded = base64.b64encode(secret.encode()).decode()
        return Credentials(headers=(("authorization", f"Basic {encoded}"),))
    if scheme.kind == "bearer":
        return Credentials(headers=(("authorization", f"Bearer {secret}"),))
    pair = ((scheme.key, secret),)
    if scheme.place == "query":
        return Credentials(query=pair)
    return Credentials(cookies=pair) if scheme.place == "cookie" else Credentials(headers=pair)


def _read_scheme(name: str, raw: JsonObject) -> SecurityScheme:
    kind = raw.get("type")
    if kind == "apiKey":
        place, key = raw.get("in"), raw.get("name")
        if place in {"header", "query", "cookie"} and isinstance(key, str) and key:
            return SecurityScheme(name=name, kind="key", place=place, key=key)
    elif kind == "http":
        scheme = str(raw.get("scheme", "")).lower()
        if scheme == "basic":
            return SecurityScheme(name=name, kind="basic")
        if scheme == "bearer":
            return SecurityScheme(name=name, kind="bearer")
    elif kind in {"oauth2", "openIdConnect"}:
        return SecurityScheme(name=name, kind="bearer", token_url=_token_url(raw))
    return SecurityScheme(name=name, kind="unknown")


def _token_url(raw: JsonObject) -> str:
    flows: Mapping[str, Json] = raw["flows"] if isinstance(raw.get("flows"), dict) else {}
    flow = flows.get("clientCredentials")
    url = flow.get("tokenUrl") if isinstance(flow, dict) else None
    return url if isinstance(url, str) else ""


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
