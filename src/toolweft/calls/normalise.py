"""Makes one plain value out of whatever shape a source answered in.

Pure. Structured content wins over text; text that holds a JSON object or array is parsed; bytes
stay bytes, at the top or as items of a top-level list. The road calls it and applies the caps.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from toolweft.calls.measure import encode_json, find_misfit, is_deeper_than, repair
from toolweft.calls.options import CallOptions
from toolweft.calls.parse import Parsed, parse_structure
from toolweft.core.calls import MISSING, Blob, Content, LinkContent, RawResult, TextContent
from toolweft.core.errors import ResultTooDeep, ResultTooLarge, ToolFailed
from toolweft.core.json import Json, JsonSchema

__all__ = ("Normalised", "normalise", "render_error_text", "unwrap")

_MAX_ERROR_BYTES = 4096
# Everything below U+0020 but tab and newline, delete, and the C1 block.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Normalised:
    """One plain value."""

    # Plain JSON, in which a Blob may stand at the top or as an item of a top-level list.
    value: Json
    # The value as JSON; b"" where it holds a Blob.
    encoded: bytes
    # Of everything but blobs, as JSON; then of the blobs.
    json_bytes: int
    blob_bytes: int = 0


def normalise(
    raw: RawResult,
    *,
    tool: str,
    output_schema: JsonSchema | None,
    options: CallOptions,
    source: str = "",
) -> Normalised:
    """The one value a source's answer stands for.

    Args:
        raw: not an error.
        tool: its qualified name, for messages.
        output_schema: what the tool says it returns; None where it does not say.
        options: caps, checked before anything is parsed or encoded.
        source: whose tool it is, which is said beside a link; "" where none is.

    Raises:
        ResultTooLarge: more bytes, or nested deeper, than the options allow.
        ToolFailed: the value holds something that JSON does not have.
    """
    shaper = _Shaper(tool, options, source)
    content = raw.content
    shaper.check_size(sum(_size(block) for block in content))
    if raw.structured is not MISSING:
        value = unwrap(raw.structured, output_schema)
        # Where the tool declares no type, a string may be the text of a JSON value.
        if isinstance(value, str) and output_schema is None:
            return shaper.from_text(value)
        return shaper.from_value(value)
    if len(content) == 1 and isinstance(content[0], TextContent):
        return shaper.from_text(content[0].text)
    return shaper.from_content(content)


def render_error_text(raw: RawResult) -> str:
    """What a failing tool says: its text without control characters, at most 4 KiB."""
    texts = [block.text for block in raw.content if isinstance(block, TextContent)]
    text = "\n".join(texts)[: 2 * _MAX_ERROR_BYTES]
    if not text and isinstance(raw.structured, str):
        text = raw.structured[: 2 * _MAX_ERROR_BYTES]
    elif not text and raw.structured is not MISSING and _is_small(raw.structured):
        text = encode_json(repair(raw.structured)).decode()
    clean = _CONTROL.sub("", text.replace("\r\n", "\n")).strip()
    encoded = clean.encode("utf-8", "replace")
    if len(encoded) <= _MAX_ERROR_BYTES:
        return encoded.decode()
    return encoded[: _MAX_ERROR_BYTES - 3].decode("utf-8", "ignore") + "…"


def _is_small(value: Json) -> bool:
    return find_misfit(value, max_bytes=_MAX_ERROR_BYTES, max_depth=16) is None


def unwrap(value: Json, output_schema: JsonSchema | None) -> Json:
    """Take a lone `{"result": x}` off its envelope, unless the tool declares another object."""
    if not (type(value) is dict and len(value) == 1 and "result" in value):
        return value
    if output_schema is not None and "result" not in output_schema.get("properties", ()):
        return value
    return value["result"]


class _Shaper:
    """Builds values for one tool within the caps."""

    def __init__(self, tool: str, options: CallOptions, source: str) -> None:
        self._tool = tool
        self._source = source
        self._options = options

    def from_value(self, value: Json) -> Normalised:
        """A value as it is."""
        if type(value) is Blob:
            self.check_size(len(value.data))
            return Normalised(value, b"", 0, len(value.data))
        if type(value) is list and Blob in set(map(type, value)):
            return self._from_items(value)
        self._check_shape(value)
        try:
            encoded = encode_json(value)
        except ValueError:
            value, encoded = self._repaired(value)
        self.check_size(len(encoded))
        return Normalised(value, encoded, len(encoded))

    def from_text(self, text: str) -> Normalised:
        """A text, or the JSON object or array it holds, whose bytes are then reused."""
        self.check_size(len(text))
        parsed = self._parsed(text)
        if parsed is None:
            return self.from_value(text)
        if not parsed.is_exact:
            return self.from_value(parsed.value)
        encoded = text.encode()
        self.check_size(len(encoded))
        return Normalised(parsed.value, encoded, len(encoded))

    def from_content(self, content: Sequence[Content]) -> Normalised:
        """Any blocks: texts together, one block alone, or a list of them all."""
        texts = [block.text for block in content if isinstance(block, TextContent)]
        if len(texts) == len(content):
            parsed = [found for text in texts if (found := self._parsed(text)) is not None]
            if texts and len(parsed) == len(texts):
                return self.from_value([found.value for found in parsed])
            return self.from_value("\n".join(texts) if texts else None)
        if len(content) == 1:
            return self.from_value(self._plain(content[0]))
        return self.from_value([self._plain(block) for block in content])

    def _from_items(self, items: list[Json]) -> Normalised:
        plain = [item for item in items if type(item) is not Blob]
        blob_bytes = sum(len(item.data) for item in items if type(item) is Blob)
        rest = self.from_value(plain)
        self.check_size(blob_bytes + rest.json_bytes)
        repaired = iter(rest.value)
        value = [item if type(item) is Blob else next(repaired) for item in items]
        return Normalised(value, b"", rest.json_bytes, blob_bytes)

    def _plain(self, block: Content) -> Json:
        if isinstance(block, TextContent):
            parsed = self._parsed(block.text)
            return block.text if parsed is None else parsed.value
        if isinstance(block, LinkContent):
            link: dict[str, Json] = {"uri": block.uri, "name": block.name}
            if block.media_type is not None:
                link["media_type"] = block.media_type
            return {**link, "source": self._source} if self._source else link
        return block

    def _parsed(self, text: str) -> Parsed | None:
        parsed = parse_structure(text)
        if parsed is None:
            return None
        # Counting brackets is quick, and few of them cannot nest deeply.
        max_depth = self._options.max_depth
        brackets = text.count("[") + text.count("{")
        if brackets > max_depth and is_deeper_than(parsed.value, max_depth):
            raise self._too_deep()
        return parsed if parsed.is_exact else Parsed(repair(parsed.value), is_exact=False)

    def _repaired(self, value: Json) -> tuple[Json, bytes]:
        value = repair(value)
        try:
            return value, encode_json(value)
        except ValueError as exc:
            raise ToolFailed(
                f"the result of {self._tool} cannot be written as JSON: {exc}",
                hint="return such a number as text",
            ) from exc

    def _check_shape(self, value: Json) -> None:
        options = self._options
        misfit = find_misfit(value, max_bytes=options.max_result_bytes, max_depth=options.max_depth)
        if misfit is None:
            return
        if misfit.kind == "too_large":
            raise self._too_large(f"more than {options.max_result_bytes:,}")
        if misfit.kind == "too_deep":
            raise self._too_deep()
        raise ToolFailed(
            f"the result of {self._tool} holds {misfit.text}, which JSON does not have",
            hint="bytes may stand at the top or as items of a top-level list; "
            "everything else must be JSON",
        )

    def check_size(self, size_bytes: int) -> None:
        """Refuse more bytes than a result may have."""
        if size_bytes > self._options.max_result_bytes:
            raise self._too_large(f"{size_bytes:,}")

    def _too_large(self, size: str) -> ResultTooLarge:
        limit = self._options.max_result_bytes
        return ResultTooLarge(
            f"the result of {self._tool} has {size} bytes; the limit is {limit:,}",
            hint="ask for less (a filter, a page, fewer fields), or raise calls.max_result_bytes",
        )

    def _too_deep(self) -> ResultTooDeep:
        limit = self._options.max_depth
        return ResultTooDeep(
            f"the result of {self._tool} nests deeper than {limit} lists and objects",
            hint="ask for a part of it, or raise calls.max_depth",
        )


def _size(block: Content) -> int:
    if isinstance(block, TextContent):
        return len(block.text)
    return len(block.data) if isinstance(block, Blob) else len(block.uri)
