"""What one principal sees of the resources and prompts of all sources, and does with them.

Names and addresses are those shown to clients; the sources' own go on the wire.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import anyio

from toolweft.calls.contents.names import NameRule, name_for_people
from toolweft.calls.contents.road import ContentRoad
from toolweft.calls.contents.routes import ContentRoutes, Route
from toolweft.core.calls import Verbatim
from toolweft.core.client import NOBODY, CallingClient
from toolweft.core.contents import ContentKind, ContentListener, ContentSource, ResourceChanged
from toolweft.core.countdown import Countdown
from toolweft.core.errors import ContentNotFound, InvalidArguments
from toolweft.core.ids import SourceName
from toolweft.core.json import Json, JsonObject
from toolweft.core.pins import Flag
from toolweft.core.principals import Principal

__all__ = ("ContentView", "Freshness", "Subscribed")

_MAX_NAME_CHARACTERS = 200
# Who asks for what nobody has waits this long for sources that are still starting.
_FIND_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How long a list holds, and for whom."""

    ttl_ms: int
    is_public: bool


class ContentView:
    """What one principal sees of resources and prompts.

    Args:
        road: what all share.
        principal: who sees.
        rule: names prompts that several sources have.
    """

    def __init__(
        self, road: ContentRoad, principal: Principal, *, rule: NameRule = name_for_people
    ) -> None:
        self._road, self._principal, self._rule = road, principal, rule

    async def settle(self, timeout_s: float) -> bool:
        """Return once every source's lists are known or it failed, or the time is up.

        Returns:
            Whether it was in time.
        """
        with anyio.move_on_after(timeout_s) as scope:
            for source in self._road.visible(self._principal).values():
                await source.settle_contents()
        return not scope.cancelled_caught

    def entries(self, kind: ContentKind) -> Sequence[JsonObject]:
        """A list, entries as their sources gave them; name or address may be another.

        What is held back as suspicious is left out.
        """
        return self._routes.entries(kind)

    def flags(self, kind: ContentKind) -> Mapping[str, tuple[Flag, ...]]:
        """What is suspicious in a list, by name or address; also of what is held back."""
        return self._routes.flagged(kind, self._road.flags(self._principal))

    def freshness(self, kind: ContentKind) -> Freshness:
        """The least of what the sources say that have any; private where some see other ones."""
        listings = [
            source.contents.listing(kind) for source in self._road.visible(self._principal).values()
        ]
        filled = [listing for listing in listings if listing.entries]
        ttl_s = min((listing.ttl_s or 0.0 for listing in filled), default=0.0)
        is_public = bool(filled) and all(listing.is_public for listing in filled)
        return Freshness(
            ttl_ms=int(ttl_s * 1_000), is_public=is_public and not self._road.is_filtered
        )

    def find_resource(self, uri: str) -> Route:
        """Whose resource an address is.

        Raises:
            ContentNotFound: nobody's, or that of several sources.
        """
        return self._routes.find_resource(uri)

    def find_prompt(self, name: str) -> Route:
        """Whose prompt it is; raises as `find_resource`."""
        return self._routes.find_prompt(name)

    async def read(
        self,
        uri: str,
        *,
        client: CallingClient = NOBODY,
        verbatim: Verbatim | None = None,
        within: Countdown | None = None,
    ) -> JsonObject:
        """The answer to `resources/read`, addresses as they are shown here.

        Args:
            uri: as it is shown here.
            client: who is asked what the source asks meanwhile.
            verbatim: how the answer is wanted as it was sent.
            within: of what it is a part, and over with at the latest; None for nothing.

        Raises:
            ContentNotFound: nobody's, or that of several sources.
            SourceRefused: the source answered with an error.
            ToolweftError: it could not be read, or not recorded.
        """
        route = await self._find(lambda routes: routes.find_resource(uri))
        source = self._source(route, uri)
        use = self._road.begin(self._principal, client, verbatim, within=within)
        what = _what(route, "resources/read", _without_arguments(route.original))
        answer = await self._road.recorded(
            what, use, lambda: source.read_resource(route.original, use)
        )
        return answer if uri == route.original else _readdressed(answer, self._routes, route, uri)

    async def get_prompt(
        self,
        name: str,
        arguments: Mapping[str, str] | None,
        *,
        client: CallingClient = NOBODY,
        verbatim: Verbatim | None = None,
    ) -> JsonObject:
        """The answer to `prompts/get`; raises as `read`."""
        route = await self._find(lambda routes: routes.find_prompt(name))
        source = self._source(route, name)
        use = self._road.begin(self._principal, client, verbatim)
        what = _what(route, "prompts/get", route.original)
        return await self._road.recorded(
            what, use, lambda: source.get_prompt(route.original, arguments, use)
        )

    async def complete(self, params: JsonObject, *, client: CallingClient = NOBODY) -> JsonObject:
        """The answer to `completion/complete`, which is too small to be recorded.

        Args:
            params: `ref` with the name or address shown here, `argument`, perhaps `context`.
            client: who asks.

        Raises:
            InvalidArguments: the reference is none.
            ToolweftError: as `read`.
        """
        given = params.get("ref")
        ref: JsonObject = given if isinstance(given, dict) else {}
        kind, field = _REFERENCES.get(str(ref.get("type")), ("", ""))
        shown = ref.get(field)
        if not isinstance(shown, str):
            raise InvalidArguments(
                f"a completion refers to ref/prompt or ref/resource, not {json.dumps(given)[:100]}"
            )
        route = await self._find(
            lambda routes: (
                routes.find_prompt(shown) if kind == "prompt" else routes.find_template(shown)
            )
        )
        source = self._source(route, shown)
        if not source.contents.can_complete:
            return {"completion": {"values": [], "total": 0, "hasMore": False}}
        use = self._road.begin(self._principal, client)
        asked = {**params, "ref": {**ref, field: route.original}}
        what = _what(route, "completion/complete", route.original)
        return await self._road.timed(what, use, lambda: source.complete(asked, use))

    def subscribe(self, uri: str) -> "Subscribed":
        """Have its source tell of changes of a resource, until that is ended.

        Raises:
            ContentNotFound: nobody's, or that of several sources.
        """
        route = self._routes.find_resource(uri)
        end = self._source(route, uri).subscribe(route.original)
        return Subscribed(shown=uri, source=route.source, original=route.original, end=end)

    def watch(self, listener: ContentListener) -> Callable[[], None]:
        """Tell somebody of all changes, whoever's they are; what is returned ends it.

        Ask `sees` whether one is this principal's.
        """
        return self._road.news.subscribe(listener)

    def sees(self, source: SourceName) -> bool:
        """Whether a source is one of this principal's."""
        return source in self._road.visible(self._principal)

    def shown_uri(self, source: SourceName, uri: str) -> str:
        """A source's own address as it is shown here."""
        return self._routes.show_uri(source, uri)

    async def _find(self, find: Callable[[ContentRoutes], Route]) -> Route:
        """What is meant; what nobody has may be of a source that is still starting.

        Raises:
            ContentNotFound: nobody's, or that of several.
        """
        try:
            return find(self._routes)
        except ContentNotFound:
            await self.settle(_FIND_S)
            return find(self._routes)

    @property
    def _routes(self) -> ContentRoutes:
        return self._road.routes(self._principal, self._rule)

    def _source(self, route: Route, shown: str) -> ContentSource:
        source = self._road.visible(self._principal).get(route.source)
        if source is None:
            raise ContentNotFound(f"there is no {shown[:_MAX_NAME_CHARACTERS]!r} any more")
        return source


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed:
    """A wish to hear of changes of one resource."""

    # As it was asked for.
    shown: str
    source: SourceName
    original: str
    end: Callable[[], None]

    def covers(self, change: ResourceChanged) -> bool:
        """Whether the change is of this resource, or of a part of it."""
        if change.source != self.source:
            return False
        return change.uri == self.original or change.uri.startswith(f"{self.original.rstrip('/')}/")


_REFERENCES: Mapping[str, tuple[str, str]] = {
    "ref/prompt": ("prompt", "name"),
    "ref/resource": ("resource", "uri"),
}


def _without_arguments(uri: str) -> str:
    """An address without what stands behind `?` or `#`, where arguments do."""
    return uri.partition("?")[0].partition("#")[0]


def _what(route: Route, method: str, name: str) -> str:
    return f"{route.source}: {method} {name[:_MAX_NAME_CHARACTERS]}"


def _readdressed(answer: JsonObject, routes: ContentRoutes, route: Route, uri: str) -> JsonObject:
    """The answer to a read with the addresses that clients know."""

    def shown(item: Json) -> Json:
        own = item.get("uri") if isinstance(item, dict) else None
        if not isinstance(own, str):
            return item
        known = uri if own == route.original else routes.show_uri(route.source, own)
        return {**item, "uri": known}

    contents = answer.get("contents")
    if not isinstance(contents, list):
        return answer
    return {**answer, "contents": [shown(item) for item in contents]}
