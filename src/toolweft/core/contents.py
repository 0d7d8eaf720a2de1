"""What sources have beside tools, resources and prompts, in the words of MCP.

Entries and answers are kept as they came, so that titles, icons and `_meta` survive. Sources list
and read, the road of `toolweft.calls.contents` records and limits, fronts show.
"""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias, runtime_checkable

from toolweft.core.calls import Verbatim
from toolweft.core.client import NOBODY, CallingClient
from toolweft.core.countdown import Countdown
from toolweft.core.ids import SourceName
from toolweft.core.json import JsonObject
from toolweft.core.principals import Principal

__all__ = (
    "FIELDS",
    "NO_CONTENTS",
    "ContentKind",
    "ContentListener",
    "ContentSource",
    "ContentUse",
    "Contents",
    "Listing",
    "ResourceChanged",
)

ContentKind: TypeAlias = Literal["resources", "templates", "prompts"]

# The field by which each kind is known.
FIELDS: Final[Mapping[ContentKind, str]] = {
    "resources": "uri",
    "templates": "uriTemplate",
    "prompts": "name",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One list of a source."""

    # As untrusted as from the source itself, but each is an object that has its name or address.
    entries: tuple[JsonObject, ...] = ()
    # How long the source says it holds; None where it says nothing.
    ttl_s: float | None = None
    # Whether the source says that it is the same for everybody.
    is_public: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Everything that one source has beside its tools."""

    resources: Listing = field(default_factory=Listing)
    templates: Listing = field(default_factory=Listing)
    prompts: Listing = field(default_factory=Listing)
    # It may have resources; also ones that it does not list.
    can_read: bool = False
    can_prompt: bool = False
    can_complete: bool = False
    can_subscribe: bool = False

    def listing(self, kind: ContentKind) -> Listing:
        """The list of a kind."""
        match kind:
            case "resources":
                return self.resources
            case "templates":
                return self.templates
            case "prompts":
                return self.prompts


NO_CONTENTS: Final = Contents()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentUse:
    """One read of a resource or use of a prompt: on whose behalf, and how long it may take."""

    principal: Principal
    # What it has left; held by whoever waits for a person.
    countdown: Countdown
    # Who can be asked meanwhile.
    client: CallingClient = NOBODY
    # How the client wants answers as they were sent; None for clients that do not.
    verbatim: Verbatim | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceChanged:
    """A source says that a resource is no longer what it was."""

    source: SourceName
    # The source's own address; it may be of a part of what was subscribed to.
    uri: str


class ContentListener(Protocol):
    """Who hears of changes; never waits."""

    def contents_changed(self, source: SourceName, kinds: Set[ContentKind]) -> None:
        """Lists of a source are no longer what they were."""
        ...

    def resource_changed(self, change: ResourceChanged) -> None:
        """A resource that somebody subscribed to changed."""
        ...


@runtime_checkable
class ContentSource(Protocol):
    """A source that may have resources and prompts."""

    @property
    def name(self) -> SourceName:
        """The configured name."""
        ...

    @property
    def contents(self) -> Contents:
        """What is known now; asks nobody."""
        ...

    async def settle_contents(self) -> None:
        """Return once its contents are known, or it has failed."""
        ...

    async def read_resource(self, uri: str, use: ContentUse) -> JsonObject:
        """The answer to `resources/read`; starts a source that is down.

        Raises:
            SourceRefused: the source answered with an error.
            SourceUnavailable: it is down or broke off.
            ResultTooLarge: the answer is above what the source reads.
        """
        ...

    async def get_prompt(
        self, name: str, arguments: Mapping[str, str] | None, use: ContentUse
    ) -> JsonObject:
        """The answer to `prompts/get`; raises as `read_resource`."""
        ...

    async def complete(self, params: JsonObject, use: ContentUse) -> JsonObject:
        """The answer to `completion/complete`; raises as `read_resource`.

        Args:
            params: `ref` with the source's own name or address, `argument`, perhaps `context`.
            use: on whose behalf.
        """
        ...

    def subscribe(self, uri: str) -> Callable[[], None]:
        """Have changes of a resource told to the listener, as long as anybody wants them.

        Returns:
            Ends it, once for each time it was asked for.
        """
        ...
