"""What a conversation does with stored results: puts them, shows them, reads parts of them.

Parts by path, row or pattern are read by a program of one line in the sandbox: a stranger's data
is never parsed here, and no pattern can keep the host busy.
"""

import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import get_args

from toolweft.core.budgets import estimate_tokens
from toolweft.core.calls import Blob, Content, LinkContent, ToolResult, is_shown
from toolweft.core.errors import (
    HandleError,
    InvalidArguments,
    SandboxError,
    SandboxUnavailable,
)
from toolweft.core.handles import Draft, Handle, HandleKind, HandleStore
from toolweft.core.principals import Principal
from toolweft.core.programs import ProgramOutcome
from toolweft.programs.runner import ProgramRunner
from toolweft.toolbox.options import ToolboxOptions
from toolweft.toolbox.preview import (
    MAX_PREVIEW_CHARACTERS,
    render_bytes_kept,
    render_kept,
    render_start,
    render_start_of_text,
)
from toolweft.toolbox.render import arrange_result
from toolweft.toolbox.resources import (
    ResourceContent,
    ResourceRequest,
    parse_resource,
    parse_window,
)

__all__ = ("ToolboxHandles",)

log = logging.getLogger(__name__)

# A part is read within this or not at all.
_READ_ACTIVE_S = 10.0
_READ_WALL_S = 30.0
_BYTES_A_ROW = 1024


class ToolboxHandles:
    """The stored results of one principal.

    Args:
        store: where they are kept.
        owner: whose they are.
        runner: reads parts of them.
        options: what is shown at once.
    """

    def __init__(
        self,
        store: HandleStore,
        *,
        owner: Principal,
        runner: ProgramRunner,
        options: ToolboxOptions,
    ) -> None:
        self._store = store
        self._owner = owner
        self._runner = runner
        self._options = options

    @property
    def can_load(self) -> bool:
        """Whether programs can read them."""
        return self._runner.capabilities.handles

    async def put(
        self,
        name: str,
        source: str | Path | bytes,
        *,
        kind: HandleKind | None = None,
        media_type: str | None = None,
    ) -> Handle:
        """Keep a file or bytes under a name, for programs to `load`.

        Args:
            name: known to this principal while the process lives; a later one takes its place.
            source: the path of a file, copied as it is now, or the bytes themselves.
            kind: what it is; None to look at the file's suffix and first bytes.
            media_type: likewise.

        Raises:
            InvalidArguments: the name or kind cannot be one, or the file cannot be read.
            StorageFull: there is no room for it.
        """
        if not isinstance(name, str):
            raise InvalidArguments(
                f"the name is a {type(name).__name__}, not a text: {name!r:.60}",
                hint='put("orders", source), and load("orders") in a program',
            )
        content = Path(source) if isinstance(source, str) else source
        if not isinstance(content, bytes | Path):
            raise InvalidArguments(
                f"a {type(content).__name__} cannot be stored",
                hint="give the path of a file, or bytes: json.dumps(value).encode()",
            )
        if kind is not None and kind not in get_args(HandleKind):
            raise InvalidArguments(
                f"there is no kind {kind!r:.60}", hint=f"use {', '.join(get_args(HandleKind))}"
            )
        draft = Draft(name=name, kind=kind, media_type=media_type)
        return await self._store.keep(content, owner=self._owner, draft=draft)

    async def owned(self) -> Sequence[Handle]:
        """All of them, newest first."""
        return await self._store.owned(self._owner)

    async def find(self, key: str) -> Handle:
        """The handle of an id or name.

        Raises:
            HandleNotFound: there is none.
        """
        return await self._store.find(key, owner=self._owner)

    async def drop(self, key: str) -> None:
        """Forget a handle before its time; raises as `find`."""
        await self._store.drop(key, owner=self._owner)

    # --------------------------------------------------------------------------------- showing

    async def arrange(self, result: ToolResult) -> tuple[str, tuple[Content, ...]]:
        """A direct call's result as text and blocks; what is large or binary becomes a link."""
        shown = self._options.shown_result_characters
        if result.failure is not None or result.is_error:
            return arrange_result(result, shown_characters=shown)
        try:
            if result.handle is not None:
                return await self._show_stored(result.handle)
            if estimate_tokens(len(result.encoded)) > self._options.max_result_tokens:
                return await self._keep_value(result)
            text, content = arrange_result(result, shown_characters=shown)
            return await self._keep_binaries(text, content)
        except HandleError as exc:
            # Cut, as it is then, it is still of use.
            log.warning("handles.not_kept", extra={"code": exc.code})
            return arrange_result(result, shown_characters=shown)

    async def _show_stored(self, handle: Handle) -> tuple[str, tuple[Content, ...]]:
        start = ""
        if handle.kind != "binary":
            wanted = 4 * MAX_PREVIEW_CHARACTERS
            data = await self._store.read(handle.id, owner=self._owner, start=0, size_bytes=wanted)
            start = render_start_of_text(data.decode("utf-8", "replace"))
        return render_kept(handle, start), (_link(handle),)

    async def _keep_value(self, result: ToolResult) -> tuple[str, tuple[Content, ...]]:
        value = result.value
        if isinstance(value, str):
            data, draft = value.encode("utf-8", "replace"), Draft(kind="text")
        else:
            rows = len(value) if isinstance(value, list) else None
            data, draft = result.encoded, Draft(kind="json", rows=rows)
        handle = await self._store.keep(data, owner=self._owner, draft=draft)
        pictures = tuple(block for block in result.content if isinstance(block, Blob))
        _, content = await self._keep_binaries("", pictures)
        return render_kept(handle, render_start(value)), (_link(handle), *content)

    async def _keep_binaries(
        self, text: str, content: tuple[Content, ...]
    ) -> tuple[str, tuple[Content, ...]]:
        lines, blocks = [text] if text else [], list(content)
        for position, block in enumerate(blocks):
            if isinstance(block, Blob) and not is_shown(block.media_type):
                draft = Draft(media_type=block.media_type)
                handle = await self._store.keep(block.data, owner=self._owner, draft=draft)
                lines.append(render_bytes_kept(handle))
                blocks[position] = _link(handle)
        return "\n".join(lines), tuple(blocks)

    # --------------------------------------------------------------------------------- reading

    async def read(self, uri: str) -> ResourceContent:
        """What an address names: a small handle whole, or a part of any.

        Args:
            uri: "toolweft://handles/ID", with "?page=2", "?slice=0:100", "?path=$.items[*].id"
                or "?grep=words" for a part.

        Raises:
            HandleNotFound: no such handle of this principal.
            InvalidArguments: it is too large to be read whole, or the query makes no sense.
            SandboxUnavailable: parts cannot be read here.
        """
        request = parse_resource(uri)
        handle = await self.find(request.key)
        if request.is_whole:
            return await self._read_whole(handle)
        if handle.kind == "binary":
            return await self._read_bytes(handle, request)
        return await self._read_part(handle, request)

    async def _read_whole(self, handle: Handle) -> ResourceContent:
        limit = self._options.max_resource_bytes
        if handle.size_bytes > limit:
            raise InvalidArguments(
                f"{handle.uri} has {handle.size_bytes:,} bytes; at most {limit:,} are read at once",
                hint=f"read a part: {handle.uri}?page=1, ?slice=0:100, ?path=… or ?grep=…",
            )
        data = await self._bytes(handle, 0, handle.size_bytes)
        return _as_content(handle, data)

    async def _read_bytes(self, handle: Handle, request: ResourceRequest) -> ResourceContent:
        if request.path is not None or request.grep is not None:
            raise InvalidArguments(
                f"{handle.uri} is {handle.media_type}: it has pages and slices of bytes, no paths",
                hint="use ?slice=0:65536, or a program: await load(handle)",
            )
        size = request.page_size * _BYTES_A_ROW
        start, stop = ((request.page or 1) - 1) * size, (request.page or 1) * size
        if request.window is not None:
            start, last = parse_window(request.window)
            stop = handle.size_bytes if last is None else last
        count = min(stop, handle.size_bytes) - start
        limit = self._options.max_resource_bytes
        if count > limit:
            raise InvalidArguments(
                f"this part of {handle.uri} has {count:,} bytes; at most {limit:,} are read at"
                " once",
                hint=f"read less: ?slice={start}:{start + limit}, then from {start + limit} on",
            )
        data = await self._bytes(handle, start, count) if count > 0 else b""
        return ResourceContent(media_type=handle.media_type, content=data)

    async def _bytes(self, handle: Handle, start: int, size_bytes: int) -> bytes:
        return await self._store.read(
            handle.id, owner=self._owner, start=start, size_bytes=size_bytes
        )

    async def _read_part(self, handle: Handle, request: ResourceRequest) -> ResourceContent:
        runner = self._runner
        if not runner.capabilities.handles:
            raise SandboxUnavailable(
                f"the sandbox {runner.capabilities.backend!r} cannot read parts of handles",
                hint="read a small one whole",
            )
        wanted = {
            "path": request.path,
            "grep": request.grep,
            "page": request.page,
            "window": request.window,
            "page_size": request.page_size,
        }
        limits = runner.options.limits
        outcome = await runner.run(
            # Both are plain data, and `repr` of such is the same data again.
            f"await load({handle.id!r}).query(**{wanted!r})",
            principal=self._owner,
            limits=replace(
                limits,
                active_s=min(limits.active_s, _READ_ACTIVE_S),
                wall_s=min(limits.wall_s, _READ_WALL_S),
            ),
        )
        if outcome.container is not None:
            # Over already, or about to be: what was read is what counts.
            with suppress(SandboxError):
                await runner.close_container(outcome.container.id, principal=self._owner)
        return _part(handle, outcome)


def _part(handle: Handle, outcome: ProgramOutcome) -> ResourceContent:
    if outcome.status == "ok" and isinstance(outcome.value, dict):
        text = json.dumps(outcome.value, ensure_ascii=False, separators=(",", ":"))
        return ResourceContent(media_type="application/json", content=text)
    error = outcome.error
    reason = outcome.status if error is None else error.message
    if outcome.limit is not None:
        reason = f"it was stopped at its {outcome.limit} limit"
    hint = "ask for less, or write a program: async for rows in load(handle).chunks(1000)"
    if outcome.status == "error" and error is not None and error.hint:
        hint = f"in a program: {error.hint}"
    raise InvalidArguments(f"{handle.uri} could not be read in this way: {reason[:500]}", hint=hint)


def _as_content(handle: Handle, data: bytes) -> ResourceContent:
    content: str | bytes = data
    if handle.kind != "binary":
        # What is not UTF-8 goes as bytes: no reader could get back what a "?" stands for.
        with suppress(UnicodeDecodeError):
            content = data.decode()
    return ResourceContent(media_type=handle.media_type, content=content)


def _link(handle: Handle) -> LinkContent:
    return LinkContent(uri=handle.uri, name=handle.name or handle.id, media_type=handle.media_type)
