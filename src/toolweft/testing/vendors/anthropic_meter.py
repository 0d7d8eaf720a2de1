"""What the Messages API counts: tokens (UTF-8 bytes / 4), and of them those read from its cache.

What is cached ends at a mark. A request reads the longest stretch that an earlier one marked, which
is looked for at each of its own marks and at most 20 blocks before.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from toolweft.core.json import Json, JsonObject
from toolweft.testing.vendors.anthropic_request import ParsedRequest, is_programmatic_call

__all__ = ("CacheMeter", "Tokens", "count_tokens")

_BYTES_PER_TOKEN: Final = 4
_LOOK_BACK: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a request's input is counted as."""

    # Neither read nor written.
    plain: int
    read: int
    written: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.plain + self.read + self.written


def count_tokens(value: Json) -> int:
    """Bytes of compact JSON / 4, rounded up."""
    return -(-len(_render(value).encode("utf-8", "replace")) // _BYTES_PER_TOKEN)


class CacheMeter:
    """Counts requests one after another.

    Args:
        min_cached_tokens: shorter stretches are not cached.
    """

    def __init__(self, *, min_cached_tokens: int) -> None:
        self._min = min_cached_tokens
        self._marked: set[str] = set()

    def count(self, request: ParsedRequest) -> Tokens:
        """Count one request and remember what it marked."""
        ends = [0]
        digests = [""]
        marks: list[int] = []
        running = sha256(str(request.body["model"]).encode())
        for block, is_marked in _list_units(request):
            running.update(_render(block).encode("utf-8", "replace"))
            ends.append(ends[-1] + count_tokens(block))
            digests.append(running.hexdigest())
            if is_marked:
                marks.append(len(ends) - 1)
        marks = [mark for mark in marks if ends[mark] >= self._min]
        read = max((self._find(digests, mark) for mark in marks), default=0)
        last = max(marks, default=0)
        self._marked.update(digests[mark] for mark in marks)
        return Tokens(
            plain=ends[-1] - ends[max(last, read)],
            read=ends[read],
            written=max(0, ends[last] - ends[read]),
        )

    def _find(self, digests: list[str], mark: int) -> int:
        for position in range(mark, max(0, mark - _LOOK_BACK) - 1, -1):
            if digests[position] in self._marked:
                return position
        return 0


def _list_units(request: ParsedRequest) -> Iterator[tuple[JsonObject, bool]]:
    """What the model reads, block by block, and whether a mark stands at its end."""
    tools = {tool["name"]: _strip(tool) for tool in request.tools}
    for tool in request.tools:
        if not tool.get("defer_loading"):
            yield tools[tool["name"]], "cache_control" in tool
    system = request.body.get("system") or []
    if isinstance(system, str):
        system = [{"type": "text", "text": system}]
    for block in system:
        yield _strip(block), "cache_control" in block
    inside: set[str] = set()
    for message in request.messages:
        for block in message["content"]:
            # What passes between a program and its tools is not read by the model.
            if is_programmatic_call(block):
                inside.add(block["id"])
                continue
            if block.get("tool_use_id") in inside and block.get("type") == "tool_result":
                continue
            yield _expand(_strip(block), tools), "cache_control" in block


def _expand(block: JsonObject, tools: dict[str, JsonObject]) -> JsonObject:
    content = block.get("content")
    if not isinstance(content, list):
        return block
    shown = [
        tools.get(inner["tool_name"], inner) if inner.get("type") == "tool_reference" else inner
        for inner in content
    ]
    return {**block, "content": shown}


def _strip(block: JsonObject) -> JsonObject:
    return {key: value for key, value in block.items() if key != "cache_control"}


def _render(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
