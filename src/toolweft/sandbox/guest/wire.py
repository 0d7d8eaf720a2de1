"""Frames between host and guest: bytes to frames and back, without any I/O.

A frame is a fixed header, a small JSON object and raw bytes. Values travel in the raw part as the
JSON text they already are, so neither side encodes them twice. Sizes are checked against what the
reader allows as soon as the header is there, before anything is kept.
"""

import enum
import json
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ("Frame", "FrameDecoder", "FrameError", "FrameKind", "encode_frame", "encode_start")

# kind, 3 bytes of padding that must be zero, number, size of the head, size of the body
_HEADER = struct.Struct(">B3sIII")
_PADDING = b"\0\0\0"


class FrameKind(enum.IntEnum):
    """What a frame says; the first group goes to the guest, the second comes from it."""

    # Run the program in the body; the head has names and limits.
    RUN = 1
    # The answer to the call of that number.
    REPLY = 2

    # The guest is locked down and waits for a program.
    READY = 16
    # Ask for a call: head has name and line, body the arguments.
    CALL = 17
    # The program no longer waits for the call of that number.
    CANCEL = 18
    # Printed text.
    OUTPUT = 19
    # The program ended; body is its value, the media in it, and its error.
    DONE = 20
    # The lock-down failed; nothing ran.
    DEAD = 21
    # The program printed more than it may; at most once a run.
    OUTPUT_OVER = 22


class Frame(NamedTuple):
    """One message."""

    kind: FrameKind
    number: int
    head: dict[str, Any]
    body: bytes


class FrameError(Exception):
    """Bytes that are no frame, or a frame larger than its reader allows."""


def encode_frame(
    kind: FrameKind, *, number: int = 0, head: Mapping[str, Any] | None = None, body: bytes = b""
) -> bytes:
    """The bytes of one frame."""
    return encode_start(kind, number=number, head=head, body_bytes=len(body)) + body


def encode_start(
    kind: FrameKind, *, number: int, head: Mapping[str, Any] | None, body_bytes: int
) -> bytes:
    """What stands before the body of a frame, for who sends a large body without copying it."""
    text = _encode_head(head).encode() if head else b""
    return _HEADER.pack(kind, _PADDING, number, len(text), body_bytes) + text


class FrameDecoder:
    """Turns a stream of bytes into frames, however it is cut up."""

    def __init__(self, max_bytes: Mapping[FrameKind, tuple[int, int]]) -> None:
        """Take the largest head and body of each kind; a kind that is not listed is refused."""
        self._max_bytes = max_bytes
        self._buffer = bytearray()

    def allow(self, max_bytes: Mapping[FrameKind, tuple[int, int]]) -> None:
        """Replace what is allowed, from the next header on."""
        self._max_bytes = max_bytes

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete now, in order.

        Raises:
            FrameError: the stream is broken for good.
        """
        self._buffer += data
        frames = []
        while (frame := self._next()) is not None:
            frames.append(frame)
        return frames

    def _next(self) -> Frame | None:
        if len(self._buffer) < _HEADER.size:
            return None
        code, padding, number, head_size, body_size = _HEADER.unpack_from(self._buffer)
        kind = self._check(code, padding, head_size, body_size)
        end = _HEADER.size + head_size + body_size
        if len(self._buffer) < end:
            return None
        body_start = _HEADER.size + head_size
        with memoryview(self._buffer) as view:
            head = bytes(view[_HEADER.size : body_start])
            body = bytes(view[body_start:end])
        del self._buffer[:end]
        return Frame(kind, number, _parse_head(head) if head else {}, body)

    def _check(self, code: int, padding: bytes, head_size: int, body_size: int) -> FrameKind:
        try:
            kind = FrameKind(code)
            max_head, max_body = self._max_bytes[kind]
        except (ValueError, KeyError):
            raise FrameError(f"kind {code} is not expected here") from None
        if padding != _PADDING:
            raise FrameError(f"padding is {padding!r}, not zero")
        if head_size > max_head or body_size > max_body:
            raise FrameError(
                f"{kind.name} frame of {head_size} + {body_size} bytes,"
                f" more than {max_head} + {max_body}"
            )
        return kind


def _parse_head(text: bytes) -> dict[str, Any]:
    try:
        head = _decode_head(text.decode())
    except (ValueError, RecursionError) as fault:
        raise FrameError(f"head is not strict JSON: {type(fault).__name__}") from None
    if not isinstance(head, dict):
        raise FrameError("head is not a JSON object")
    return head


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    head = dict(pairs)
    if len(head) != len(pairs):
        raise ValueError("a key stands twice")
    return head


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


# Made once: with options of its own, each `json.dumps` and `json.loads` would make another.
_encode_head = json.JSONEncoder(separators=(",", ":")).encode
_decode_head = json.JSONDecoder(
    object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant
).decode
