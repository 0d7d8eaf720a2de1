"""Finds what looks like a secret in a server as a client wrote it. Pure.

A false alarm costs one question; a secret that is missed would be copied unasked. So in doubt
it is one.
"""

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

from toolweft.config.expand import clear_text, is_secret_name, secret_arguments
from toolweft.core.json import Json, JsonObject
from toolweft.core.secret import reveal

__all__ = ("clear_secrets", "hidden_texts", "mask_texts")

_HIDDEN = "***"
# What stands in a header before the secret itself.
_SCHEME = re.compile(r"^\s*(?:bearer|basic|token)?\s*$", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z0-9_\-.=+~]+")
_VENDOR = re.compile(
    r"(?:sk|pk|rk|gh[opusr]|github_pat|glpat|xox[a-z]|npm|pypi|hf|lin_api|ntn|figd|tvly|fc|sntrys"
    r"|AKIA|ASIA|AIza|eyJ|ATATT|ya29)[-_A-Za-z0-9.=]{12,}\Z"
)
_HEX = re.compile(r"[0-9a-fA-F-]{32,}\Z")
_MIXED = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[A-Za-z0-9_\-+=]{24,}\Z")
_USER = re.compile(r"://[^/\s:@]*:(?P<password>[^/\s@]+)@")
_ASSIGNED = re.compile(r"(?P<name>[A-Za-z][\w-]*)\s*[:=]\s*(?P<value>\S.*)")
_TABLES = ("env", "headers", "http_headers")
# Shorter texts occur everywhere; they are hidden only where they stand alone.
_MIN_ANYWHERE = 8


def clear_secrets(server: JsonObject) -> list[str]:
    """The places of secrets that are written out: `env.TOKEN`, `args[2]`, `url`.

    Args:
        server: as the client wrote it.
    """
    places = [
        f"{table}.{name}"
        for table in _TABLES
        for name, text in _texts(server.get(table))
        if _is_secret(name, text)
    ]
    args = server.get("args")
    words = [word for word in args if isinstance(word, str)] if isinstance(args, list) else []
    named = {reveal(secret) for secret in secret_arguments(words)}
    places += [
        f"args[{index}]"
        for index, word in enumerate(words)
        if word in named or word.partition("=")[2] in named or _holds_key(word)
    ]
    for key in ("command", "url", "serverUrl", "httpUrl"):
        text = server.get(key)
        if isinstance(text, str) and _holds_key(text):
            places.append(key)
    return places


def hidden_texts(server: JsonObject) -> set[str]:
    """Texts of a server that must not be shown: more than the secrets it surely has."""
    texts = {text for table in _TABLES for _, text in _texts(server.get(table))}
    for place in clear_secrets(server):
        key, _, index = place.partition("[")
        found: Json = server.get(key)
        if index and isinstance(found, list):
            found = [word for word in found if isinstance(word, str)][int(index[:-1])]
        if isinstance(found, str):
            texts.add(found)
    return {text for text in texts if clear_text(text)}


def mask_texts(shown: str, texts: set[str]) -> str:
    """What is shown, with those texts as `***`, however they are quoted."""
    for text in sorted(texts, key=len, reverse=True):
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        for form in {text, escaped}:
            for quote in "\"'":
                shown = shown.replace(f"{quote}{form}{quote}", f"{quote}{_HIDDEN}{quote}")
            if len(form) >= _MIN_ANYWHERE:
                shown = shown.replace(form, _HIDDEN)
    return shown


def _texts(table: Json) -> Iterator[tuple[str, str]]:
    if isinstance(table, dict):
        yield from ((name, text) for name, text in table.items() if isinstance(text, str))


def _is_secret(name: str, text: str) -> bool:
    said = clear_text(text)
    return _holds_key(said) or (is_secret_name(name) and _SCHEME.match(said) is None)


def _holds_key(text: str) -> bool:
    said = clear_text(text)
    if any(_is_key(word) for word in _WORD.findall(said)):
        return True
    assigned = _ASSIGNED.match(said)
    if assigned and is_secret_name(assigned["name"]) and not _SCHEME.match(assigned["value"]):
        return True
    return _USER.search(said) is not None or _has_secret_query(said)


def _is_key(word: str) -> bool:
    return any(shape.match(word) for shape in (_VENDOR, _HEX, _MIXED))


def _has_secret_query(text: str) -> bool:
    try:
        query = urlsplit(text).query
    except ValueError:
        return False
    return any(is_secret_name(name) and value for name, value in parse_qsl(query))
