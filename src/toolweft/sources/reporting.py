"""What every source keeps about itself, and how the catalog hears of it.

Knows nothing of how a source works. Each source owns one `Reporter` and calls it.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

import anyio

from toolweft.core.ids import SourceName
from toolweft.core.packed import held_values
from toolweft.core.ports import SourceListener
from toolweft.core.snapshot import SourceStatus
from toolweft.core.tools import ToolDefinition
from toolweft.sources.masking import mask

__all__ = ("Reporter",)

# Of one list; who wants them all reads the log.
_MAX_NOTES = 5


class Reporter:
    """One source's status and tools; tells the listener of each change, and only of changes.

    Attributes:
        status: how the source stands now.
        settled: set once the tools are known or the first start failed.
        is_hidden: it has nothing to show, and showed nothing before.
    """

    def __init__(
        self,
        name: SourceName,
        *,
        kind: str,
        listener: SourceListener,
        secrets: Collection[str] = (),
    ) -> None:
        # The Python spelling is the catalog's to choose.
        self.status = SourceStatus(name=name, python_name="", kind=kind, state="starting")
        self.settled = anyio.Event()
        self.is_hidden = False
        self._listener = listener
        self._secrets = tuple(secrets)
        self._definitions: tuple[ToolDefinition, ...] | None = None
        self._notes: tuple[str, ...] = ()

    def starting(self) -> None:
        """The first start begins."""
        self._listener.source_changed(self.status, None)

    def known(
        self,
        definitions: Sequence[ToolDefinition],
        *,
        is_starting: bool,
        instructions: str = "",
        protocol_version: str = "",
    ) -> None:
        """These tools are remembered from before; a call of one waits for the source."""
        self._definitions = tuple(definitions)
        status = replace(
            self.status,
            state="starting" if is_starting else "idle",
            tool_count=len(self._definitions),
            instructions=instructions,
            protocol_version=protocol_version,
            notes=self._notes,
        )
        self._publish(status, self._definitions)
        self.settled.set()

    def idle(self) -> None:
        """The source rests until the next call."""
        self._publish(replace(self.status, state="idle", reason=""), None)

    async def prepare(
        self, definitions: Sequence[ToolDefinition], *, notes: Sequence[str] = ()
    ) -> None:
        """Have tools looked through before they are reported; for sources that may have many.

        Args:
            definitions: they.
            notes: what was wrong with their list; told with them, the first few.
        """
        more = len(notes) - _MAX_NOTES
        told = [*notes[:_MAX_NOTES], *([f"{more} more of the kind"] if more > 0 else [])]
        self._notes = tuple(map(self.mask, told))
        await self._listener.prepare(self.status, definitions)

    def ready(
        self,
        definitions: Sequence[ToolDefinition],
        *,
        start_s: float | None = None,
        instructions: str = "",
        protocol_version: str = "",
    ) -> None:
        """The source answers, and these are all its tools."""
        listed = tuple(definitions)
        is_new = not _are_same(listed, self._definitions)
        self._definitions = listed
        status = replace(
            self.status,
            state="ready",
            reason="",
            tool_count=len(listed),
            start_s=start_s,
            instructions=instructions,
            protocol_version=protocol_version,
            notes=self._notes,
        )
        self._publish(status, listed if is_new else None)
        self.settled.set()

    def nothing(self) -> None:
        """The source answers and has no tools; it never had one, so nobody is told."""
        self.status = replace(self.status, state="ready")
        self.is_hidden = True
        self.settled.set()

    def mask(self, text: str) -> str:
        """The text without what the source was given in confidence."""
        return mask(text, self._secrets)

    def failed(self, reason: str) -> None:
        """The source does not answer; its tools stay known, and are shown as unavailable."""
        self._publish(replace(self.status, state="failed", reason=self.mask(reason)), None)
        self.settled.set()

    def stopped(self) -> None:
        """The source was closed by us."""
        self._publish(replace(self.status, state="stopped"), None)
        self.settled.set()

    def _publish(
        self, status: SourceStatus, definitions: tuple[ToolDefinition, ...] | None
    ) -> None:
        if status == self.status and definitions is None:
            return
        self.is_hidden = False
        self.status = status
        self._listener.source_changed(status, definitions)


def _are_same(listed: tuple[ToolDefinition, ...], known: tuple[ToolDefinition, ...] | None) -> bool:
    if known is None or len(listed) != len(known):
        return False
    try:
        return all(map(_is_same, listed, known))
    except RecursionError:
        return False


def _is_same(listed: ToolDefinition, known: ToolDefinition) -> bool:
    one, other = held_values(listed), held_values(known)
    # 1 and true are equal to Python, and not the same JSON.
    return one == other and repr(one) == repr(other)
