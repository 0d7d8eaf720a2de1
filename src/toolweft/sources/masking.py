"""Keeps a source's secrets out of everything that is said about it. Pure."""

from collections.abc import Collection, Iterable, Iterator
from urllib.parse import quote, unquote, urlsplit

from toolweft.core.secret import Secret, reveal

__all__ = ("all_values", "mask", "url_secrets")

# Shorter values would blank out half of an innocent text.
_MIN_SECRET_CHARACTERS = 4


def mask(text: str, secrets: Collection[str]) -> str:
    """The text with every secret shown as `***`, also where it is quoted or stands without scheme.

    Args:
        text: of any origin.
        secrets: in plain; those below four characters are left alone.
    """
    forms = {form for secret in secrets for form in _forms(secret)}
    # Longest first, so that no secret leaves the rest of a longer one behind.
    for form in sorted(forms, key=len, reverse=True):
        if len(form) >= _MIN_SECRET_CHARACTERS:
            text = text.replace(form, "***")
    return text


def all_values(values: Iterable[str | Secret]) -> tuple[str, ...]:
    """The plain texts of what a source was given."""
    return tuple(reveal(value) for value in values)


def url_secrets(url: str) -> tuple[str, ...]:
    """What of an address may be a key: user, password, and the values of its query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return (url,)
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    values = [pair.partition("=")[2] for pair in parts.query.split("&")]
    return tuple(filter(None, (user, password, *values)))


def _forms(secret: str) -> Iterator[str]:
    # "Bearer KEY" is one value, but the key alone is the secret.
    for plain in {secret, secret.strip(), secret.strip().partition(" ")[2].strip()}:
        yield plain
        yield repr(plain)[1:-1]
        yield repr(plain.encode("utf-8", "surrogateescape"))[2:-1]
        yield quote(plain, safe="", errors="replace")
        yield unquote(plain)
