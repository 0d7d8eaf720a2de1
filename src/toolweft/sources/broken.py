"""A source that could not even be configured: shown with its reason, so that nobody misses it."""

import anyio

from toolweft.core.calls import RawResult, ToolCall
from toolweft.core.errors import SourceUnavailable
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.ports import SourceListener
from toolweft.sources.reporting import Reporter

__all__ = ("BrokenSource",)


class BrokenSource:
    """Always failed, for the reason given."""

    kind = "broken"

    def __init__(self, name: SourceName, *, reason: str, listener: SourceListener) -> None:
        self.name = name
        self.reporter = Reporter(name, kind=self.kind, listener=listener)
        self._reason = reason

    async def run(self) -> None:
        """Report the failure and wait to be cancelled."""
        self.reporter.failed(self._reason)
        try:
            await anyio.sleep_forever()
        finally:
            self.reporter.stopped()

    async def call_tool(self, name: ToolName, call: ToolCall) -> RawResult:
        """Refuse.

        Raises:
            SourceUnavailable: always.
        """
        raise SourceUnavailable(
            f"source {self.name!r} cannot be used, so its tool {name!r} cannot be called:"
            f" {self._reason}",
            hint="correct the configuration and start again",
        )
