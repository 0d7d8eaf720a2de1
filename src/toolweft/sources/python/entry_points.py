"""Tools that installed packages offer, by their entry points. Reads metadata, imports nothing."""

import re
from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points

from toolweft.core.errors import ConfigError

__all__ = ("ENTRY_POINT_GROUP", "find_entry_point")

ENTRY_POINT_GROUP = "toolweft.tools"


def find_entry_point(name: str) -> str:
    """The target that an installed package offers under a name.

    Args:
        name: "weather", or "acme-weather:weather" where several packages offer one.

    Raises:
        ConfigError: none offers it, or several do.
    """
    offered = tuple(entry_points(group=ENTRY_POINT_GROUP))
    package, _, wanted = name.rpartition(":")
    found = [
        point
        for point in offered
        if point.name == wanted and (not package or _plain(package) == _plain(_distribution(point)))
    ]
    if not found:
        listed = ", ".join(_listed(offered)) or "nothing"
        raise ConfigError(
            f"no installed package offers the tools {name!r}",
            hint=f"installed packages offer: {listed}",
        )
    if len(found) > 1:
        raise ConfigError(
            f"several installed packages offer the tools {name!r}",
            hint=f"name one of them: {', '.join(_listed(found))}",
        )
    # What may stand in brackets after it, the extras it needs, is no part of the place.
    return found[0].value.partition("[")[0].replace(" ", "")


def _listed(points: Iterable[EntryPoint]) -> Iterator[str]:
    return iter(sorted(repr(f"{_distribution(point)}:{point.name}") for point in points))


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else ""


def _plain(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()
