"""Resources and prompts over one live connection: list them, use them, hear of their changes.

Entries and answers stay raw. A list that a server refuses or never ends is said in the log; its
other lists, and its tools, are there all the same.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import anyio
import mcp_types as types
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from toolweft.core.contents import ContentKind, Contents, Listing
from toolweft.core.json import Json
from toolweft.sources.mcp.connection import Connection
from toolweft.sources.mcp.content import explain_cut, read_ttl
from toolweft.sources.mcp.contents import ServerContents
from toolweft.sources.mcp.faults import render_exception

__all__ = ("ContentSession",)

log = logging.getLogger(__name__)

# A list that does not come by then is left out; the next change or connection asks again.
_LIST_TIMEOUT_S: Final = 30.0
_LISTEN_AGAIN_S: Final = 30.0
# A server may say that its list holds for no time at all; it is not asked more often than this.
_MIN_TTL_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _List:
    """How a kind of entry is listed."""

    request: Callable[[types.PaginatedRequestParams | None], Any]
    key: str
    # The field without which an entry cannot be used.
    required: str


_LISTS: Final[Mapping[ContentKind, _List]] = {
    "resources": _List(
        request=lambda params: types.ListResourcesRequest(params=params),
        key="resources",
        required="uri",
    ),
    "templates": _List(
        request=lambda params: types.ListResourceTemplatesRequest(params=params),
        key="resourceTemplates",
        required="uriTemplate",
    ),
    "prompts": _List(
        request=lambda params: types.ListPromptsRequest(params=params),
        key="prompts",
        required="name",
    ),
}


class ContentSession:
    """One server's contents for as long as one connection to it lives.

    Args:
        connection: negotiated.
        contents: filled, and asked what is wanted.
        keep: awaited after every listing that brought something new.
        turn: entered for each request, as a server may take one at a time.
        mask: takes what is secret out of a text.
    """

    def __init__(
        self,
        connection: Connection,
        contents: ServerContents,
        *,
        keep: Callable[[], Awaitable[None]],
        turn: Callable[[], AbstractAsyncContextManager[None]],
        mask: Callable[[str], str],
    ) -> None:
        self._connection = connection
        self._contents = contents
        self._keep = keep
        self._turn = turn
        self._mask = mask
        self._capabilities = connection.capabilities
        self._is_modern = connection.protocol_version in MODERN_PROTOCOL_VERSIONS
        self._stale: set[ContentKind] = set()
        self._changed = anyio.Event()
        if not self._listable():
            # Known without asking.
            contents.listed(self._abilities())

    async def run(self) -> None:
        """List at once, then again after every change, until cancelled."""
        with self._connection.hearing(self._hear):
            async with anyio.create_task_group() as tasks:
                await self._list(set(self._listable()))
                tasks.start_soon(self._follow_subscriptions)
                tasks.start_soon(self._relist_when_old)
                while True:
                    await self._changed.wait()
                    self._changed = anyio.Event()
                    stale, self._stale = self._stale, set()
                    await self._list(stale)

    # --------------------------------------------------------------------------------- listing

    def _listable(self) -> list[ContentKind]:
        kinds: list[ContentKind] = []
        if self._capabilities.resources is not None and self._contents.has_resources:
            kinds += ["resources", "templates"]
        if self._capabilities.prompts is not None and self._contents.has_prompts:
            kinds.append("prompts")
        return kinds

    async def _list(self, kinds: set[ContentKind]) -> None:
        """List some kinds at once; one that cannot be listed keeps what was known of it."""
        found: dict[str, Listing] = {}

        async def list_one(kind: ContentKind) -> None:
            listing = await self._list_kind(kind)
            if listing is not None:
                found[kind] = listing

        async with anyio.create_task_group() as tasks:
            for kind in kinds:
                tasks.start_soon(list_one, kind)
        before = self._contents.known
        listable = self._listable()
        listings: dict[str, Any] = {kind: before.listing(kind) for kind in listable}
        listings.update(found)
        contents = replace(self._abilities(), **listings)
        self._contents.listed(contents)
        if contents != before:
            await self._keep()

    def _abilities(self) -> Contents:
        able, contents = self._capabilities, self._contents
        reads = able.resources if contents.has_resources else None
        return Contents(
            can_read=reads is not None,
            can_prompt=able.prompts is not None and contents.has_prompts,
            can_complete=able.completions is not None,
            can_subscribe=reads is not None and reads.subscribe is True,
        )

    async def _list_kind(self, kind: ContentKind) -> Listing | None:
        try:
            with anyio.fail_after(_LIST_TIMEOUT_S):
                return await self._list_pages(_LISTS[kind])
        except MCPError as exc:
            if exc.code == types.METHOD_NOT_FOUND:
                # Many that have resources have no templates, and say so in this way.
                return Listing()
            reason = render_exception(exc)
        except ValidationError as exc:
            reason = render_exception(exc)
        except TimeoutError:
            reason = f"no answer within {_LIST_TIMEOUT_S:g} s"
        self._note(kind, reason)
        return None

    async def _list_pages(self, wanted: _List) -> Listing:
        entries: list[Json] = []
        cursor: str | None = None
        seen: set[str] = set()
        ttls_s: list[float | None] = []
        is_public = True
        while True:
            params = None if cursor is None else types.PaginatedRequestParams(cursor=cursor)
            async with self._turn():
                page = await self._connection.list_page(wanted.request(params), wanted.key)
            entries += page.get(wanted.key, ())
            ttls_s.append(read_ttl(page))
            is_public = is_public and page.get("cacheScope") == "public"
            cursor = page.get("nextCursor")
            if not cursor:
                break
            why = explain_cut(cursor, seen=seen)
            if why:
                self._note(wanted.key, f"the list does not end: {why}")
                break
            seen.add(cursor)
        usable = [e for e in entries if isinstance(e, dict) and _is_name(e.get(wanted.required))]
        if len(usable) < len(entries):
            without = f"{len(entries) - len(usable)} entries without {wanted.required!r} left out"
            self._note(wanted.key, without)
        told = [ttl_s for ttl_s in ttls_s if ttl_s is not None]
        return Listing(entries=tuple(usable), ttl_s=min(told, default=None), is_public=is_public)

    async def _relist_when_old(self) -> None:
        """List again whenever the time is over that the server gave one of its lists."""
        while True:
            known = self._contents.known
            ttls_s = {kind: known.listing(kind).ttl_s for kind in self._listable()}
            told = [ttl_s for ttl_s in ttls_s.values() if ttl_s]
            if not told:
                return
            await anyio.sleep(max(min(told), _MIN_TTL_S))
            self._note_changes({kind for kind, ttl_s in ttls_s.items() if ttl_s})

    def _note(self, what: str, reason: str) -> None:
        reason = self._mask(reason)
        log.warning("source.contents_odd", extra={"list": what, "reason": reason})

    # --------------------------------------------------------------------------------- changes

    def _hear(self, message: object) -> None:
        match message:
            case types.ResourceListChangedNotification():
                self._note_changes({"resources", "templates"})
            case types.PromptListChangedNotification():
                self._note_changes({"prompts"})
            case types.ResourceUpdatedNotification():
                self._contents.resource_changed(str(message.params.uri))
            case _:
                pass

    def _note_changes(self, kinds: set[ContentKind]) -> None:
        self._stale |= kinds & set(self._listable())
        if self._stale:
            self._changed.set()

    async def _follow_subscriptions(self) -> None:
        """Keep the server's view of what is wanted right, in the way of its revision."""
        if self._is_modern:
            await self._listen_always()
        elif self._abilities().can_subscribe:
            await self._subscribe_always()

    async def _subscribe_always(self) -> None:
        there: set[str] = set()
        while True:
            wanted = self._contents.wanted
            for uri in sorted(there - wanted):
                await self._tell(
                    types.UnsubscribeRequest(params=types.UnsubscribeRequestParams(uri=uri))
                )
            for uri in sorted(wanted - there):
                await self._tell(
                    types.SubscribeRequest(params=types.SubscribeRequestParams(uri=uri))
                )
            there = set(wanted)
            await self._contents.wait_rewanted()

    async def _tell(self, request: Any) -> None:
        try:
            with anyio.fail_after(_LIST_TIMEOUT_S):
                async with self._turn():
                    await self._connection.tell(request)
        except (MCPError, ValidationError, TimeoutError) as exc:
            self._note(request.method, render_exception(exc))

    async def _listen_always(self) -> None:
        """Keep one stream open; the next is there before the one before it ends."""
        async with anyio.create_task_group() as tasks:
            current: anyio.CancelScope | None = None
            while True:
                before, current = current, await tasks.start(self._listen, self._contents.wanted)
                if before is not None:
                    before.cancel()
                await self._contents.wait_rewanted()

    async def _listen(self, wanted: frozenset[str], *, task_status: Any) -> None:
        """One set of wishes; a lost stream is opened again, and every gap counts as a change."""
        is_first = True
        with anyio.CancelScope() as scope:
            while self._wants_stream(wanted):
                try:
                    async with self._stream(wanted) as subscription:
                        if is_first:
                            task_status.started(scope)
                        else:
                            self._fill_gap(wanted)
                        is_first = False
                        async for _ in subscription:
                            # Events reach `_hear` too, whoever opened the stream.
                            pass
                except ListenNotSupportedError:
                    break
                except (SubscriptionLost, MCPError) as exc:
                    self._note("subscriptions/listen", render_exception(exc))
                if is_first:
                    task_status.started(scope)
                    is_first = False
                await anyio.sleep(_LISTEN_AGAIN_S)
            if is_first:
                task_status.started(scope)

    def _wants_stream(self, wanted: frozenset[str]) -> bool:
        able = self._capabilities
        resources, prompts = able.resources, able.prompts
        return bool(
            (wanted and resources is not None and resources.subscribe)
            or (resources is not None and resources.list_changed and self._contents.has_resources)
            or (prompts is not None and prompts.list_changed and self._contents.has_prompts)
        )

    @asynccontextmanager
    async def _stream(self, wanted: frozenset[str]) -> AsyncIterator[Any]:
        kinds = self._listable()
        async with self._connection.client.listen(
            prompts_list_changed="prompts" in kinds,
            resources_list_changed="resources" in kinds,
            resource_subscriptions=sorted(wanted),
        ) as subscription:
            yield subscription

    def _fill_gap(self, wanted: frozenset[str]) -> None:
        self._note_changes(set(self._listable()))
        for uri in wanted:
            self._contents.resource_changed(uri)


def _is_name(value: Json) -> bool:
    return isinstance(value, str) and bool(value)
