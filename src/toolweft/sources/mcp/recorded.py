"""A server's tools from a file: to look at a catalog without starting anything."""

import json

import anyio

from toolweft.core.calls import RawResult, ToolCall
from toolweft.core.errors import SourceUnavailable
from toolweft.core.ids import ToolName
from toolweft.core.json import Json, JsonObject
from toolweft.core.ports import SourceListener
from toolweft.sources.mcp.definitions import build_definitions
from toolweft.sources.mcp.depth import mend_deep
from toolweft.sources.options import RecordedServerOptions
from toolweft.sources.reporting import Reporter

__all__ = ("RecordedSource",)


class RecordedSource:
    """Lists what a file lists; cannot be called.

    Args:
        options: the file is JSON with a `tools` array of raw MCP tools, as `tools/list` gives it;
            `protocolVersion` and `instructions` beside it are shown where they are there.
        listener: hears of the tools.
    """

    kind = "recorded"

    def __init__(self, options: RecordedServerOptions, *, listener: SourceListener) -> None:
        self.name = options.name
        self.reporter = Reporter(options.name, kind=self.kind, listener=listener)
        self._path = options.path

    async def run(self) -> None:
        """Read the file, report its tools, and wait to be cancelled."""
        self.reporter.starting()
        try:
            await self._report(_parse_recording(await anyio.Path(self._path).read_bytes()))
        except FileNotFoundError:
            self.reporter.failed(
                f"no recording at {str(self._path)!r}: record the server's tools/list there, or "
                "start the server instead"
            )
        except (OSError, ValueError) as exc:
            self.reporter.failed(f"the recording {str(self._path)!r} cannot be read: {exc}")
        try:
            await anyio.sleep_forever()
        finally:
            self.reporter.stopped()

    async def _report(self, recorded: JsonObject | None) -> None:
        if recorded is None:
            self.reporter.failed(f"$.tools in {str(self._path)!r} is not an array of tools")
            return
        definitions, _ = build_definitions(recorded["tools"], namespace=self.name)
        await self.reporter.prepare(definitions)
        self.reporter.ready(
            definitions,
            start_s=0.0,
            instructions=_text(recorded.get("instructions")),
            protocol_version=_text(recorded.get("protocolVersion")),
        )

    async def call_tool(self, name: ToolName, call: ToolCall) -> RawResult:
        """Refuse.

        Raises:
            SourceUnavailable: always.
        """
        raise SourceUnavailable(
            f"server {self.name!r} is recorded, so its tool {name!r} can be found but not called",
            hint="leave out --recorded to start the server itself",
        )


def _parse_recording(text: bytes) -> JsonObject | None:
    # As the server's answer had it round itself.
    answer = b'{"result":%b}' % text
    mended = mend_deep(answer)
    parsed = json.loads(text) if mended is answer else json.loads(mended)["result"]
    tools = parsed.get("tools") if isinstance(parsed, dict) else None
    return parsed if isinstance(tools, list) else None


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""
