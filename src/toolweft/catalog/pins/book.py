"""The accepted hashes at hand, and what came to them since they were read.

No I/O: `toolweft.stores.pins` reads and writes what stands here.
"""

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

from toolweft.catalog.pins.record import record_definition
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.pins import FlaggedChoice, Pin, PinHashes, PinMode, PinOptions, PinState
from toolweft.core.tools import ToolDefinition

__all__ = ("PinBook",)

_Unsaved = dict[SourceName, dict[ToolName, Pin]]
_NONE: Mapping[ToolName, str] = MappingProxyType({})


class PinBook:
    """Says whether a definition is the accepted one, and takes note of those seen first.

    Args:
        options: the mode.
        accepts: sources whose definitions are accepted by themselves where the mode says so; of
            the other configured ones only what was accepted already is compared.
    """

    def __init__(self, options: PinOptions, *, accepts: Collection[SourceName]) -> None:
        self._options = options
        self._accepts = frozenset(accepts)
        self._hashes: PinHashes = {}
        # Goes up whenever what was accepted before is another.
        self.revision = 0
        self._unsaved: _Unsaved = {}
        self._on_new: Callable[[], None] = lambda: None

    @property
    def mode(self) -> PinMode:
        """How definitions are accepted."""
        return self._options.mode

    @property
    def flagged(self) -> FlaggedChoice:
        """What is done about tools with suspicious text."""
        return self._options.flagged

    def call_on_new(self, callback: Callable[[], None]) -> None:
        """Call `callback` whenever there is something to save."""
        self._on_new = callback

    def replace_hashes(self, hashes: PinHashes) -> bool:
        """Take what is accepted as it was read; whether that is something else than before."""
        if hashes == self._hashes:
            return False
        self._hashes = hashes
        self.revision += 1
        return True

    def take_unsaved(self) -> Mapping[SourceName, Mapping[ToolName, Pin]]:
        """What was accepted since the last time, for the caller to save."""
        unsaved, self._unsaved = self._unsaved, {}
        hashes = dict(self._hashes)
        for name, tools in unsaved.items():
            new = {tool: pin.hash for tool, pin in tools.items()}
            hashes[name] = {**new, **hashes.get(name, _NONE)}
        self._hashes = hashes
        return unsaved

    def accepts(self, source: SourceName) -> bool:
        """Whether a definition of that source has to be accepted before it is used."""
        return source in self._accepts and self.mode != "off"

    def state(self, source: SourceName, tool: ToolName, pin_hash: str) -> PinState:
        """How a definition stands to the accepted one."""
        accepted = self._unsaved.get(source, {}).get(tool)
        known = accepted.hash if accepted else self._hashes.get(source, _NONE).get(tool)
        if known is None:
            return "new"
        return "same" if known == pin_hash else "changed"

    def compares(self, source: SourceName) -> bool:
        """Whether definitions of that source are held against what was accepted."""
        return source in self._options.servers and self.mode != "off"

    def accept(self, definition: ToolDefinition, pin_hash: str) -> None:
        """Take note of a definition that is seen for the first time."""
        pin = Pin(hash=pin_hash, definition=record_definition(definition))
        self._unsaved.setdefault(definition.namespace, {})[definition.name] = pin
        self._on_new()
