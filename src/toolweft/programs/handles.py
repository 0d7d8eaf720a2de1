"""Stored results on the host's side of a program: `load`, and results too large to hand over.

A program names a handle; whether it may read it is decided here, for its principal, at every read.
"""

import json
import logging

from toolweft.core.errors import HandleError, HandleNotFound, InvalidArguments, ToolNotFound
from toolweft.core.handles import Draft, Handle, HandleStore
from toolweft.core.json import JsonObject
from toolweft.core.ports import GuestBlob, GuestReply
from toolweft.core.principals import Principal

__all__ = ("MAX_READ_BYTES", "RunHandles")

log = logging.getLogger(__name__)

# A read is sent in one go, and everything else waits so long.
MAX_READ_BYTES = 1024 * 1024
# Far more than any stored result has.
_MAX_START = 1 << 48


class RunHandles:
    """What one run reads and stores.

    Args:
        store: where results are kept; None where nothing is.
        owner: whose run it is.
        max_result_bytes: of a result that the program gets as a value.
    """

    def __init__(
        self, store: HandleStore | None, *, owner: Principal, max_result_bytes: int
    ) -> None:
        self._store = store
        self._owner = owner
        self._max_result_bytes = max_result_bytes
        # Of results that were too large.
        self.made: list[Handle] = []
        # How far each was read, by what the program calls it.
        self._ends: dict[str, int] = {}

    def read_bytes(self) -> int:
        """The size of what was read and was there before: a model would have had to read it."""
        made = {handle.id for handle in self.made}
        return sum(end for key, end in self._ends.items() if key not in made)

    async def answer(self, name: str, arguments: JsonObject) -> GuestReply:
        """The reply to "load.info" or "load.read".

        Raises:
            HandleNotFound: no such handle of this principal.
            InvalidArguments: no handle is named, or a range is none.
        """
        key = arguments.get("handle")
        if not isinstance(key, str) or not key:
            raise InvalidArguments(
                "load() takes the id or the name of a handle", hint="rows = await load('h_…')"
            )
        if self._store is None:
            raise HandleNotFound(f"there is no handle {key[:100]!r}: none are kept here")
        match name:
            case "load.info":
                handle = await self._store.find(key, owner=self._owner)
                return GuestReply(payload=json.dumps(handle.to_dict()).encode())
            case "load.read":
                start = _number(arguments, "start", 0, _MAX_START)
                size = _number(arguments, "size", 1, MAX_READ_BYTES)
                data = await self._store.read(key, owner=self._owner, start=start, size_bytes=size)
                self._ends[key] = max(self._ends.get(key, 0), start + len(data))
                blob = GuestBlob(position=None, media_type="application/octet-stream", data=data)
                return GuestReply(blobs=(blob,))
            case _:
                raise ToolNotFound(
                    f"nothing is named {name[:80]!r}",
                    hint="load(handle) has chunks(n), head(n), query(…) and info()",
                )

    async def fit(self, reply: GuestReply) -> GuestReply:
        """The reply, or where it is too large for the program a handle in its place."""
        if self._store is None or reply.failure is not None or reply.handle is not None:
            return reply
        if _size(reply) <= self._max_result_bytes or len(reply.blobs) > 1:
            return reply
        draft, data = Draft(kind="json"), reply.payload
        if reply.blobs:
            (blob,) = reply.blobs
            if blob.position is not None:
                return reply
            draft, data = Draft(media_type=blob.media_type), blob.data
        try:
            handle = await self._store.keep(data, owner=self._owner, draft=draft)
        except HandleError as exc:
            log.warning("handles.not_kept", extra={"code": exc.code})
            # It fails as too large, which it is.
            return reply
        return self.reply_with(handle)

    def reply_with(self, handle: Handle) -> GuestReply:
        """A stored result as the program gets it."""
        self.made.append(handle)
        return GuestReply(handle=handle.to_dict())


def _size(reply: GuestReply) -> int:
    return len(reply.payload) + sum(len(blob.data) for blob in reply.blobs)


def _number(arguments: JsonObject, name: str, low: int, high: int) -> int:
    value = arguments.get(name)
    if type(value) is not int or not low <= value <= high:
        raise InvalidArguments(
            f"load.read() takes a {name} from {low} to {high:,}, not {value!r:.60}",
            hint="load(handle).chunks(n) reads all of it, piece by piece",
        )
    return value
