"""Records what models were asked, whatever became of it."""

import logging

from toolweft.core.errors import LedgerUnavailable
from toolweft.core.events import ModelReplied
from toolweft.core.ports import Ledger

__all__ = ("record_reply",)

log = logging.getLogger(__name__)


def record_reply(ledger: Ledger, event: ModelReplied) -> None:
    """Record one request; made to be called while another error is on its way.

    Raises:
        LedgerUnavailable: it cannot be recorded, and nothing else went wrong.
    """
    try:
        ledger.record(event)
    except LedgerUnavailable as exc:
        if event.status == "ok":
            raise
        # What already went wrong, or a cancellation, is not hidden by this.
        log.error("ledger.reply_lost", extra={"reason": exc.message})  # noqa: TRY400
