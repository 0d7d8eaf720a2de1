"""What the gateway needs of a conversation; `toolweft.toolbox` has it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias

from toolweft.core.calls import Content, Principal
from toolweft.core.client import CallingClient
from toolweft.core.handles import Handle
from toolweft.core.json import JsonObject, JsonSchema
from toolweft.core.tools import Hints

__all__ = (
    "HandlesPort",
    "Reading",
    "Reply",
    "SurfaceFor",
    "ToolSurface",
    "ToolSurfaceTool",
    "ToolboxFor",
    "ToolboxPort",
)


class ToolSurfaceTool(Protocol):
    """One tool as a model sees it."""

    @property
    def name(self) -> str:
        """The name on the wire."""
        ...

    @property
    def title(self) -> str | None:
        """The name for people."""
        ...

    @property
    def description(self) -> str:
        """The text for the model."""
        ...

    @property
    def input_schema(self) -> JsonSchema:
        """A JSON Schema of type object."""
        ...

    @property
    def annotations(self) -> Hints:
        """What the tool may do."""
        ...


class ToolSurface(Protocol):
    """Everything a model sees of a conversation before it asks."""

    @property
    def tools(self) -> Sequence[ToolSurfaceTool]:
        """In the order listed."""
        ...


class Reply(Protocol):
    """The answer of one of the tools."""

    @property
    def text(self) -> str:
        """What the model reads; empty where `content` says it all."""
        ...

    @property
    def content(self) -> Sequence[Content]:
        """Blocks beside the text: images, sounds, links."""
        ...

    @property
    def structured(self) -> JsonObject | None:
        """The answer as data, for clients that take it."""
        ...

    @property
    def is_error(self) -> bool:
        """Whether the text says what went wrong."""
        ...


class Reading(Protocol):
    """What was read of a stored result."""

    @property
    def media_type(self) -> str:
        """Of the content."""
        ...

    @property
    def content(self) -> str | bytes:
        """Text, or bytes."""
        ...


class HandlesPort(Protocol):
    """The stored results of one principal."""

    async def owned(self) -> Sequence[Handle]:
        """All of them, newest first."""
        ...

    async def read(self, uri: str) -> Reading:
        """What an address names.

        Raises:
            ToolweftError: there is no such handle, or it cannot be read in this way.
        """
        ...


class ToolboxPort(Protocol):
    """What one conversation can do."""

    @property
    def handles(self) -> HandlesPort:
        """The stored results of whoever asks."""
        ...

    async def invoke(
        self,
        name: str,
        arguments: JsonObject,
        *,
        on_output: Callable[[str], None] | None = None,
        client: CallingClient,
    ) -> Reply:
        """Use one of the surface's tools; cancelling the await stops what it started.

        What the tool asks goes to the client.
        """
        ...


ToolboxFor: TypeAlias = Callable[[Principal], ToolboxPort]
# Awaited at the first listing of a conversation; waits until the sources have settled.
SurfaceFor: TypeAlias = Callable[[Principal], Awaitable[ToolSurface]]
