"""One call's two entries in the ledger: asked for, and ended.

Knows how entries are written, not what a call does between them. Used by the road alone.
"""

import logging

from toolweft.core.calls import ToolCall, ToolResult
from toolweft.core.clock import Clock
from toolweft.core.errors import LedgerUnavailable
from toolweft.core.events import CallFinished, CallStarted
from toolweft.core.ports import Ledger
from toolweft.core.tools import Severity

__all__ = ("OpenRecord",)

log = logging.getLogger(__name__)

# A caller may ask for a name of any length; entries stay small.
_MAX_NAME_CHARACTERS = 200


class OpenRecord:
    """The record of one call, from the question to the answer."""

    __slots__ = ("_call", "_clock", "_is_open", "_ledger", "bytes_in", "started_s")

    def __init__(self, call: ToolCall, *, ledger: Ledger, clock: Clock) -> None:
        self._call = call
        self._ledger = ledger
        self._clock = clock
        self._is_open = False
        self.started_s = clock.monotonic_s()
        self.bytes_in = 0

    async def open(self, tool: str, severity: Severity | None) -> None:
        """Enter the call; one that may change something waits until the entry is committed.

        Args:
            tool: the qualified name, or the name asked for where it did not resolve.
            severity: None where it did not resolve.

        Raises:
            LedgerUnavailable: nothing was entered, so the call must not be made.
        """
        call = self._call
        started = CallStarted(
            call_id=call.id,
            at=self._clock.now(),
            principal=call.principal,
            caller=call.caller,
            tool=tool[:_MAX_NAME_CHARACTERS],
            severity=severity or "",
            bytes_in=self.bytes_in,
        )
        # Set first: a cancellation may come while the entry is already on its way.
        self._is_open = True
        try:
            if severity in {"write", "destructive"}:
                await self._ledger.commit(started)
            else:
                self._ledger.record(started)
        except LedgerUnavailable as exc:
            # An entry that is written late must not stand there without its end.
            self._is_open = exc.may_be_written
            raise

    def elapsed_ms(self) -> float:
        """Milliseconds since the call was asked for."""
        return (self._clock.monotonic_s() - self.started_s) * 1_000

    def close(self, result: ToolResult | None) -> None:
        """Enter how the call ended; None means it was cancelled."""
        if not self._is_open:
            return
        self._is_open = False
        call = self._call
        bytes_out = tokens_out = 0
        status, duration_ms = "cancelled", 0.0
        if result is None:
            duration_ms = self.elapsed_ms()
        else:
            usage = result.usage
            status = "ok" if result.failure is None else result.failure.code
            duration_ms = usage.duration_ms
            bytes_out, tokens_out = usage.bytes_out, usage.tokens_out
        finished = CallFinished(
            call_id=call.id,
            at=self._clock.now(),
            principal=call.principal,
            status=status,
            duration_ms=duration_ms,
            bytes_out=bytes_out,
            tokens_out=tokens_out,
            # What a program received went to the program; what a model received is in its context.
            tokens_withheld=tokens_out if call.caller.type == "programmatic" else 0,
        )
        try:
            self._ledger.record(finished)
        except LedgerUnavailable as exc:
            # The tool has been used, so its result is not thrown away; the next call is refused.
            log.error(  # noqa: TRY400 -- the reason says it all; frames of ours do not help
                "ledger.finish_lost", extra={"call_id": call.id, "reason": exc.message}
            )
