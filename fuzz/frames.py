"""Streams of frames as a guest under somebody else's control might send them. Pure."""

import json
import struct
from random import Random

from toolweft.sandbox.guest.wire import FrameKind, encode_frame

__all__ = ("make_stream",)

_KINDS = (FrameKind.CALL, FrameKind.OUTPUT, FrameKind.CANCEL, FrameKind.DONE)
_MAX_FRAMES = 20
_DAMAGED_SHARE = 0.4
_HEADS = (
    b"", b"{}", b"[]", b"null", b"{", b"\xff", b'{"name":"echo"}', b'{"name":"echo","line":1}',
    b'{"name":"","line":1}', b'{"name":"echo","line":-1}', b'{"name":"echo","line":true}',
    b'{"name":["echo"],"line":1}', b'{"name":"echo","name":"echo"}', b'{"name":"\\ud800","line":1}',
    b'{"name":"echo","line":1e400}', b'{"name":"echo","line":NaN}', b"[" * 4000,
    b'{"status":"ok","value_bytes":1,"characters":3}', b'{"status":"fine"}',
    b'{"status":"ok","value_bytes":-1}', b'{"status":"limit","limit":"nothing"}',
    b'{"status":"error","value_bytes":99999999}', b'{"status":["ok"]}',
)  # fmt: skip
_BODIES = (b"", b"{}", b'{"value":1}', b"[1,2", b"null", b"\xff\xfe", b"x" * 700, b"1", b'"a"')


def make_stream(seed: int) -> tuple[bytes, int]:
    """The stream of one seed, and how many frames it was made of."""
    random = Random(seed)  # noqa: S311  not a secret
    count = random.randint(1, _MAX_FRAMES)
    number = 0
    frames = []
    for _ in range(count):
        kind = random.choice(_KINDS) if random.random() < 0.95 else random.choice(list(FrameKind))
        number += kind is FrameKind.CALL
        frames.append(_frame(random, kind, number))
    stream = b"".join(frames)
    return (_damage(stream, random) if random.random() < _DAMAGED_SHARE else stream), count


def _frame(random: Random, kind: FrameKind, number: int) -> bytes:
    if random.random() < 0.5:
        return _proper(random, kind, number)
    head, body = random.choice(_HEADS), random.choice(_BODIES)
    number = random.choice((0, number, 1, 2**32 - 1))
    return struct.pack(">B3sIII", kind, b"\0\0\0", number, len(head), len(body)) + head + body


def _proper(random: Random, kind: FrameKind, number: int) -> bytes:
    match kind:
        case FrameKind.CALL:
            head = {"name": random.choice(("echo", "t.echo", "tools.search")), "line": 1}
            return encode_frame(kind, number=number, head=head, body=b'{"value":1}')
        case FrameKind.CANCEL:
            return encode_frame(kind, number=random.randint(0, number + 1))
        case FrameKind.OUTPUT:
            return encode_frame(kind, body=b"text " * random.randint(0, 30))
        case _:
            value = json.dumps(random.choice((1, "a", [1], None))).encode()
            head = {"status": "ok", "value_bytes": len(value), "characters": 5}
            return encode_frame(kind, head=head, body=value)


def _damage(stream: bytes, random: Random) -> bytes:
    data = bytearray(stream)
    for _ in range(random.randint(1, 8)):
        place = random.randrange(len(data) + 1)
        match random.randrange(4):
            case 0:
                del data[place : place + random.randint(1, 9)]
            case 1:
                data[place:place] = random.randbytes(random.randint(1, 9))
            case 2 if place < len(data):
                data[place] ^= 1 << random.randrange(8)
            case _:
                data[place : place + 4] = random.choice((b"\xff\xff\xff\xff", b"\0\0\0\0"))
        if not data:
            break
    return bytes(data)
