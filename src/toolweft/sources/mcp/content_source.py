"""The half of a server's source that is about resources and prompts."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from toolweft.core.contents import Contents, ContentUse
from toolweft.core.json import JsonObject
from toolweft.core.principals import Principal
from toolweft.sources.mcp.contents import ServerContents
from toolweft.sources.mcp.demand import Demand
from toolweft.sources.reporting import Reporter

if TYPE_CHECKING:
    # Imports the protocol's SDK.
    from toolweft.sources.mcp.owner import ServerOwner

__all__ = ("HasContents",)


class HasContents(ABC):
    """A `ContentSource` over an owner; see `toolweft.core.contents`."""

    reporter: Reporter
    _contents: ServerContents
    _demand: Demand

    @abstractmethod
    def _find_owner(self, principal: Principal) -> AbstractAsyncContextManager["ServerOwner"]:
        """Whoever owns the process or session in which that principal's requests are made."""

    @property
    def contents(self) -> Contents:
        """What it has beside its tools, as far as that is known; asks nobody."""
        return self._contents.known

    async def settle_contents(self) -> None:
        """Return once its contents are known, or it has failed."""
        await self._contents.settled.wait()

    async def read_resource(self, uri: str, use: ContentUse) -> JsonObject:
        """The answer to `resources/read`; see `toolweft.core.contents.ContentSource`."""
        return await self._use("resources/read", {"uri": uri}, use)

    async def get_prompt(
        self, name: str, arguments: Mapping[str, str] | None, use: ContentUse
    ) -> JsonObject:
        """The answer to `prompts/get`; see `toolweft.core.contents.ContentSource`."""
        given = {} if arguments is None else {"arguments": dict(arguments)}
        return await self._use("prompts/get", {"name": name, **given}, use)

    async def complete(self, params: JsonObject, use: ContentUse) -> JsonObject:
        """The answer to `completion/complete`; see `toolweft.core.contents.ContentSource`."""
        return await self._use("completion/complete", params, use)

    def subscribe(self, uri: str) -> Callable[[], None]:
        """Have changes of a resource told; the server is started, and kept meanwhile."""
        end = self._contents.subscribe(uri)
        self._demand.__enter__()
        self._demand.want()
        is_ended = False

        def end_once() -> None:
            nonlocal is_ended
            if not is_ended:
                is_ended = True
                self._demand.__exit__(None, None, None)
                end()

        return end_once

    async def _use(self, method: str, params: JsonObject, use: ContentUse) -> JsonObject:
        from toolweft.sources.mcp.content_requests import use_content

        async with self._find_owner(use.principal) as owner:
            return await use_content(owner, method, params, use, mask=self.reporter.mask)
