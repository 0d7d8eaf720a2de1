"""The guest's end of the channel: sends calls and text, hands out programs and answers.

The host counts and checks everything again; limits here only give an early, clear error.
"""

import asyncio
import json
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from .handles import make_handle
from .names import Blob, ToolError
from .wire import Frame, FrameDecoder, FrameKind, encode_frame

__all__ = ("Channel", "check_size", "decode_reply", "encode_arguments")

# Below malloc's mmap threshold, so that a read does not map and unmap memory.
_READ_BYTES = 64 * 1024
_UNLIMITED = 0xFFFF_FFFF
# The host is trusted; the decoder only needs to know which kinds come this way.
_FROM_HOST = {
    FrameKind.RUN: (_UNLIMITED, _UNLIMITED),
    FrameKind.REPLY: (_UNLIMITED, _UNLIMITED),
}
_MAX_NESTING = 200
# Made once: with options of its own, each `json.dumps` would make another.
_encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode


class Channel:
    """One way to the host, read and written by the event loop: a socket, or a pair of pipes."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, read_fd: int, write_fd: int) -> None:
        self._loop = loop
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._thread = threading.get_ident()
        self._decoder = FrameDecoder(_FROM_HOST)
        self._outgoing: deque[memoryview] = deque()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._programs: asyncio.Queue[Frame] = asyncio.Queue()
        self._number = 0
        self._max_argument_bytes = 0
        self._is_open = False
        self.is_broken = False
        # A signal handler must not raise while this is set: half a frame would end the session.
        self.is_sending = False
        # What was printed before a call leaves before it; set by whoever keeps the output.
        self.before_call: Callable[[], None] = _nothing
        for fd in {read_fd, write_fd}:
            os.set_blocking(fd, False)
        loop.add_reader(read_fd, self._on_readable)

    async def next_program(self) -> Frame:
        """The next program to run."""
        return await self._programs.get()

    def open_run(self, *, max_argument_bytes: int) -> None:
        """Allow calls until `close_run`; their numbers start at 1."""
        self._number = 0
        self._max_argument_bytes = max_argument_bytes
        self._is_open = True

    def close_run(self) -> None:
        """Refuse calls from whatever is left of the program."""
        self._is_open = False
        self._waiting.clear()

    async def call(self, name: str, arguments: dict[str, Any], line: int | None) -> Any:
        """Ask the host for a call and wait for its result.

        Raises:
            ToolError: the call gave no result.
        """
        if threading.get_ident() != self._thread:
            raise ToolError(
                f"{name} was called from a thread",
                "wrong_thread",
                "tools can only be awaited in the program itself, not in its threads",
            )
        if not self._is_open or self.is_broken:
            raise ToolError(f"{name} was called after the end of the run", "run_ended")
        body = encode_arguments(name, arguments, max_bytes=self._max_argument_bytes)
        self.before_call()
        number = self._number + 1
        head = {"name": name, "line": line}
        data = encode_frame(FrameKind.CALL, number=number, head=head, body=body)
        future: asyncio.Future[Any] = self._loop.create_future()
        # The host expects every number, so one that was taken is sent: nothing comes between.
        self.is_sending = True
        try:
            self._number = number
            self._waiting[number] = future
            self._push(data)
        finally:
            self.is_sending = False
        try:
            return await future
        except ToolError as error:
            error.tool = name
            raise
        except asyncio.CancelledError:
            if self._waiting.pop(number, None) is not None and self._is_open:
                self.send(FrameKind.CANCEL, number=number)
            raise

    def send(
        self,
        kind: FrameKind,
        *,
        number: int = 0,
        head: Mapping[str, Any] | None = None,
        body: bytes = b"",
    ) -> None:
        """Send a frame, later where the host reads too slowly."""
        self._push(encode_frame(kind, number=number, head=head, body=body))

    @property
    def is_drained(self) -> bool:
        """Whether everything sent has left."""
        return not self._outgoing

    def _push(self, frame: bytes) -> None:
        self.is_sending = True
        try:
            data = memoryview(frame)
            if not self._outgoing:
                data = self._write(data)
            if data:
                self._outgoing.append(data)
                self._loop.add_writer(self._write_fd, self._on_writable)
        finally:
            self.is_sending = False

    def _write(self, data: memoryview) -> memoryview:
        try:
            return data[os.write(self._write_fd, data) :]
        except BlockingIOError:
            return data
        except OSError:
            # The host is gone, and with it every reason to be here.
            os._exit(0)

    def _on_writable(self) -> None:
        self.is_sending = True
        try:
            while self._outgoing:
                rest = self._write(self._outgoing[0])
                if rest:
                    self._outgoing[0] = rest
                    return
                self._outgoing.popleft()
            self._loop.remove_writer(self._write_fd)
        finally:
            self.is_sending = False

    def _on_readable(self) -> None:
        try:
            data = os.read(self._read_fd, _READ_BYTES)
            if not data:
                os._exit(0)
            frames = self._decoder.feed(data)
        except BlockingIOError:
            return
        except MemoryError:
            self._break()
            return
        for frame in frames:
            if frame.kind is FrameKind.RUN:
                self._programs.put_nowait(frame)
            else:
                self._settle(frame)

    def _settle(self, frame: Frame) -> None:
        future = self._waiting.pop(frame.number, None)
        if future is None or future.done():
            return
        try:
            known = frame.head.get("handle")
            value = decode_reply(frame) if known is None else make_handle(self.call, known)
            future.set_result(value)
        except (ToolError, ValueError, MemoryError, RecursionError) as error:
            future.set_exception(error)

    def _break(self) -> None:
        # What was read so far is lost, so no answer can be found any more: tell every waiter.
        self._decoder = FrameDecoder(_FROM_HOST)
        self._loop.remove_reader(self._read_fd)
        self.is_broken = True
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(MemoryError("no memory left for a tool's result"))
        self._waiting.clear()


def _nothing() -> None:
    pass


def encode_arguments(name: str, arguments: dict[str, Any], *, max_bytes: int) -> bytes:
    """A call's arguments as JSON text.

    Raises:
        ToolError: they are not JSON, or too large.
    """
    if check_size(arguments, max_size=max_bytes) is None:
        raise _too_large(name, max_bytes)
    try:
        body = _encode(arguments).encode()
    except (TypeError, ValueError) as fault:
        raise _not_json(name, str(fault)) from None
    except RecursionError:
        raise _not_json(name, "nested too deeply") from None
    if len(body) > max_bytes:
        raise _too_large(name, max_bytes)
    return body


def check_size(value: Any, *, max_size: int) -> int | None:
    """Roughly the bytes `value` needs as JSON, shared parts counted each time; None above the cap.

    Looks at no more than fits, so a small value that unfolds without end is cheap to refuse.

    Raises:
        ToolError: a key is not a string, or the nesting is too deep.
    """
    size = 0
    pending: list[tuple[Any, int]] = [(value, 0)]
    while pending:
        item, depth = pending.pop()
        size += 2
        if isinstance(item, str):
            size += len(item)
        elif isinstance(item, dict):
            pending.extend((child, depth + 1) for child in dict.values(item))
            size += sum(_key_size(key) for key in dict.keys(item))
        elif isinstance(item, list | tuple):
            size += 2 * len(item)
            if size <= max_size:
                pending.extend((child, depth + 1) for child in item)
        if depth > _MAX_NESTING:
            raise ToolError(f"a value is nested more than {_MAX_NESTING} deep", "invalid_arguments")
        if size > max_size:
            return None
    return size


def decode_reply(frame: Frame) -> Any:
    """The value of an answer, bytes put back where they stood.

    Raises:
        ToolError: the answer is a failure.
    """
    failure = frame.head.get("failure")
    if failure is not None:
        raise ToolError(failure["message"], failure["code"], failure["hint"])
    blobs = frame.head.get("blobs")
    if not blobs:
        return json.loads(frame.body)
    start = frame.head["payload_bytes"]
    value = json.loads(frame.body[:start])
    for position, media_type, size in blobs:
        blob = Blob(frame.body[start : start + size], media_type)
        start += size
        if position is None:
            value = blob
        else:
            value[position] = blob
    return value


def _key_size(key: Any) -> int:
    if not isinstance(key, str):
        raise ToolError(
            f"a key is {key!r:.80}, but JSON objects have text keys only", "invalid_arguments"
        )
    return len(key) + 4


def _too_large(name: str, max_bytes: int) -> ToolError:
    return ToolError(
        f"the arguments of {name} are larger than {max_bytes} bytes",
        "argument_too_large",
        "send less in one call; limits.max_argument_bytes raises it",
    )


def _not_json(name: str, reason: str) -> ToolError:
    return ToolError(
        f"the arguments of {name} are not JSON: {reason}",
        "invalid_arguments",
        "use text, numbers, booleans, None, lists and dicts",
    )
