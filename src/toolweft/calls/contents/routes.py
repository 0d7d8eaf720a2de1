"""Which source a name or an address belongs to, and what lists show. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from toolweft.calls.contents.flags import Flags
from toolweft.calls.contents.names import (
    Named,
    NameRule,
    assign,
    matches_template,
    name_for_people,
    prefix_uri,
    split_uri,
    template_weight,
)
from toolweft.core.contents import FIELDS, ContentKind, Contents
from toolweft.core.errors import ContentNotFound
from toolweft.core.ids import SourceName
from toolweft.core.json import JsonObject
from toolweft.core.pins import Flag

__all__ = ("ContentRoutes", "Route")

_NONE: Final[Flags] = MappingProxyType({})
_NOTHING: Final[Mapping[SourceName, Flags]] = MappingProxyType({})

# Named in a message; more would not help.
_MAX_NAMED = 8


@dataclass(frozen=True, slots=True)
class Route:
    """A source, and its own name or address of what is meant."""

    source: SourceName
    original: str


class ContentRoutes:
    """Every list of all sources, and the way from what is shown to what is meant.

    Args:
        contents: by source, in the order shown.
        rule: names prompts that several sources have.
        withheld: what is suspicious and therefore neither shown nor found, by source.
    """

    def __init__(
        self,
        contents: Mapping[SourceName, Contents],
        *,
        rule: NameRule = name_for_people,
        withheld: Mapping[SourceName, Flags] = _NOTHING,
    ) -> None:
        self._contents = contents
        self._withheld = withheld
        self._shown: dict[ContentKind, dict[Named, str]] = {
            "resources": self._assign("resources", prefix_uri),
            "templates": self._assign("templates", prefix_uri),
            "prompts": self._assign("prompts", rule),
        }
        self._prompts = {shown: one for one, shown in self._shown["prompts"].items()}
        # A prompt is understood with its source in front, however it is shown.
        for one in self._shown["prompts"]:
            self._prompts.setdefault(rule(*one), one)

    def entries(self, kind: ContentKind) -> list[JsonObject]:
        """A list as clients are shown it; only the name or the address may be another."""
        left = dict(self._shown[kind])
        field = FIELDS[kind]
        entries = []
        for source, contents in self._contents.items():
            for entry in contents.listing(kind).entries:
                own = entry[field]
                shown = left.pop((source, own), None)
                if shown is not None and (kind, own) not in self._withheld.get(source, ()):
                    entries.append({**entry, field: shown})
        return entries

    def find_prompt(self, name: str) -> Route:
        """Whose prompt it is.

        Raises:
            ContentNotFound: nobody's, or that of several.
        """
        found = self._prompts.get(name)
        if found is not None:
            return self._check_shown("prompts", Route(*found), name)
        alike = [shown for (_, own), shown in self._shown["prompts"].items() if own == name]
        raise _not_found("prompt", name, alike)

    def find_resource(self, uri: str) -> Route:
        """Whose resource it is: as listed, by a template, or of the only source that has any.

        Raises:
            ContentNotFound: nobody's, or that of several.
        """
        named = split_uri(uri)
        if named is not None:
            route = self._check_source(Route(*named), uri)
            return self._check_shown("resources", route, uri)
        owners = {source for source, own in self._shown["resources"] if own == uri}
        if not owners:
            owners = self._owners_by_template(uri)
        if not owners:
            readers = {source for source, has in self._contents.items() if has.can_read}
            # Servers need not list all they have; with several of them it would be a guess.
            owners = readers if len(readers) == 1 else set()
        if len(owners) != 1:
            raise _not_found("resource", uri, sorted(prefix_uri(one, uri) for one in owners))
        return self._check_shown("resources", Route(owners.pop(), uri), uri)

    def find_template(self, template: str) -> Route:
        """Whose template it is, for a completion; a resource's address will do as well.

        Raises:
            ContentNotFound: nobody's, or that of several.
        """
        for (source, own), shown in self._shown["templates"].items():
            if shown == template:
                return Route(source, own)
        return self.find_resource(template)

    def show_uri(self, source: SourceName, uri: str) -> str:
        """An address of a source as clients know it."""
        listed = self._shown["resources"].get((source, uri))
        if listed is not None:
            return listed
        try:
            is_clear = self.find_resource(uri).source == source
        except ContentNotFound:
            is_clear = False
        return uri if is_clear else prefix_uri(source, uri)

    def _assign(self, kind: ContentKind, rule: NameRule) -> dict[Named, str]:
        return assign(self._named(kind), rule)

    def _named(self, kind: ContentKind) -> Iterable[Named]:
        for source, contents in self._contents.items():
            for entry in contents.listing(kind).entries:
                yield source, entry[FIELDS[kind]]

    def _owners_by_template(self, uri: str) -> set[SourceName]:
        matching = [one for one in self._shown["templates"] if matches_template(one[1], uri)]
        best = max((template_weight(template) for _, template in matching), default=0)
        return {source for source, template in matching if template_weight(template) == best}

    def flagged(
        self, kind: ContentKind, flags: Mapping[SourceName, Flags]
    ) -> dict[str, tuple[Flag, ...]]:
        """What is suspicious in a list, by the name or address that is shown."""
        return {
            shown: flags[source][kind, own]
            for (source, own), shown in self._shown[kind].items()
            if (kind, own) in flags.get(source, ())
        }

    def _check_shown(self, kind: ContentKind, route: Route, name: str) -> Route:
        flags = self._withheld.get(route.source, _NONE).get((kind, route.original))
        if flags:
            what = "prompt" if kind == "prompts" else "resource"
            # Models read this: none of the words that are suspicious.
            kinds = ", ".join(sorted({flag.kind for flag in flags}))
            raise ContentNotFound(
                f"the {what} {name[:200]!r} is held back: it is suspicious ({kinds})",
                hint=f"`toolweft {what}s` says why; pins.flagged decides what is held back",
            )
        return route

    def _check_source(self, route: Route, uri: str) -> Route:
        contents = self._contents.get(route.source)
        if contents is None or not contents.can_read:
            raise _not_found("resource", uri, [])
        return route


def _not_found(what: str, name: str, alike: list[str]) -> ContentNotFound:
    if len(alike) > 1:
        listed = ", ".join(alike[:_MAX_NAMED])
        return ContentNotFound(
            f"the {what} {name[:200]!r} is that of {len(alike)} servers",
            hint=f"use one of {listed}",
        )
    hint = "list what there is"
    if what == "resource":
        hint += "; toolweft://resources/SERVER/ADDRESS reads one that its server does not list"
    return ContentNotFound(f"there is no {what} {name[:200]!r}", hint=hint)
