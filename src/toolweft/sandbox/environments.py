"""Environments: folders of Python packages that programs may import, made beforehand on the host.

An environment is a folder with `environment.json` and `site/`, read-only, for one version of
Python. Programs never install anything: there is no network where they run.
"""

import json
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from toolweft.core.errors import SandboxUnavailable
from toolweft.core.json import Json

__all__ = (
    "MIN_MEMORY_BYTES",
    "PackageEnvironment",
    "check_name",
    "describe_environments",
    "list_environments",
    "load_environment",
    "python_tag",
    "write_description",
)

# Less, and packages such as numpy cannot even be mapped into a program's memory.
MIN_MEMORY_BYTES = 256 * 1024**2

_DESCRIPTION = "environment.json"
_SITE = "site"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HINT = "`toolweft env create NAME -r requirements.txt` makes one"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageEnvironment:
    """Packages that programs of one container may import."""

    name: str
    # The folder that is put on the import path.
    site: Path
    # Modules imported before any program runs, so that they cost each container nothing.
    preload: tuple[str, ...]
    # What was installed: "numpy 2.4.6".
    packages: tuple[str, ...]


def check_name(name: str) -> None:
    """Check what becomes the name of a folder.

    Raises:
        SandboxUnavailable: it is not a plain name.
    """
    if not _NAME.fullmatch(name):
        raise SandboxUnavailable(
            f"{name[:100]!r} cannot be the name of an environment",
            hint="use letters, digits, '.', '_' and '-', at most 64 of them",
        )


def python_tag() -> str:
    """The Python that programs run on, as far as packages depend on it: "cpython-311"."""
    return sys.implementation.cache_tag or sys.implementation.name


def load_environment(folder: Path, name: str) -> PackageEnvironment:
    """An environment by name.

    Args:
        folder: where environments are kept.
        name: as it was created.

    Raises:
        SandboxUnavailable: it does not exist, is damaged, or was made for another Python.
    """
    check_name(name)
    place = folder / name
    try:
        data = json.loads((place / _DESCRIPTION).read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(list_environments(folder)) or "none"
        raise SandboxUnavailable(
            f"there is no environment {name!r}, only: {known}", hint=_HINT
        ) from None
    except (OSError, ValueError) as exc:
        raise SandboxUnavailable(
            f"environment {name!r} cannot be read: {exc}", hint="remove it and create it again"
        ) from exc
    made_for, preload, packages = _read_description(data, name)
    if made_for != python_tag():
        raise SandboxUnavailable(
            f"environment {name!r} was made for {made_for}, programs run on {python_tag()}",
            hint="remove it and create it again",
        )
    return PackageEnvironment(name=name, site=place / _SITE, preload=preload, packages=packages)


def list_environments(folder: Path) -> list[str]:
    """The names of what is there, in order."""
    names = (found.parent.name for found in folder.glob(f"*/{_DESCRIPTION}"))
    # What begins with a dot is still being made.
    return sorted(name for name in names if not name.startswith("."))


def describe_environments(folder: Path | None) -> dict[str, tuple[str, ...]]:
    """What is installed in each environment that can be used, by name."""
    found: dict[str, tuple[str, ...]] = {}
    if folder is None:
        return found
    for name in list_environments(folder):
        with suppress(SandboxUnavailable):
            found[name] = load_environment(folder, name).packages
    return found


def write_description(
    place: Path, *, preload: Sequence[str], packages: Sequence[str], requirements: Sequence[str]
) -> None:
    """Make a folder with packages in `site/` an environment."""
    data = {
        "python": python_tag(),
        "preload": list(preload),
        "packages": list(packages),
        "requirements": list(requirements),
    }
    text = json.dumps(data, indent=2, ensure_ascii=False)
    (place / _DESCRIPTION).write_text(text + "\n", encoding="utf-8")


def _read_description(data: Json, name: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    if isinstance(data, dict):
        made_for = data.get("python")
        preload, packages = _texts(data.get("preload")), _texts(data.get("packages"))
        if isinstance(made_for, str) and preload is not None and packages is not None:
            return made_for, preload, packages
    raise SandboxUnavailable(
        f"the description of environment {name!r} is damaged",
        hint="remove it and create it again",
    )


def _texts(value: Json) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    texts = tuple(item for item in value if isinstance(item, str))
    return texts if len(texts) == len(value) else None
