"""Filling variables into the values of one source's section, and checking what comes out. Pure.

A value that lacks its variable makes that source unusable, and no other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from toolweft.config.expand import MissingVariable, expand_secret, expand_text
from toolweft.core.secret import Secret

__all__ = ("Filler", "UnusableSource", "check_url", "known_variables", "under_home")


class UnusableSource(Exception):
    """Becomes a `BrokenServer`; never leaves this package."""

    def __init__(self, reason: str, *, hint: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Filler:
    """Fills variables into one section's values, and says which value lacked one."""

    # Dotted: "servers.git".
    section: str
    variables: Mapping[str, str]

    def text(self, key: str, text: str) -> str:
        """The text with its variables filled in."""
        try:
            return expand_text(text, self.variables)
        except MissingVariable as exc:
            raise self._missing(key, exc) from exc

    def secret(self, key: str, text: str) -> Secret:
        """The value as a secret."""
        try:
            return expand_secret(text, self.variables)
        except MissingVariable as exc:
            raise self._missing(key, exc) from exc

    def secrets(self, key: str, values: Mapping[str, str]) -> dict[str, str | Secret]:
        """The values of a table, all of them secrets."""
        return {name: self.secret(f"{key}.{name}", text) for name, text in values.items()}

    def _missing(self, key: str, exc: MissingVariable) -> UnusableSource:
        return UnusableSource(
            f"{self.section}.{key} needs the variable {exc.name!r}, which is not set",
            hint=exc.hint,
        )


def check_url(url: str, *, key: str, example: str) -> None:
    """Refuse what is no http or https address.

    Raises:
        UnusableSource: it is none.
    """
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
        # Reading the port checks it.
        is_usable = is_usable and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        # The address may carry a key, so it is not repeated.
        raise UnusableSource(
            f"{key} is not an http or https address",
            hint=f"write it in full: {example}",
        )


def under_home(path: str, home: Path) -> str:
    """The path with a leading `~/` written out."""
    return str(home / path[2:]) if path.startswith("~/") else path


def known_variables(environ: Mapping[str, str], *, cwd: Path, home: Path) -> Mapping[str, str]:
    """The environment's, and the two names that editors fill in by themselves."""
    return {"workspaceFolder": str(cwd), "userHome": str(home), **environ}
