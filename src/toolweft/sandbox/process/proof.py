"""The dry run of a tier: a throw-away guest that tries to get out, and every limit met once.

A tier counts only if all of it holds on this machine, now. A kernel without a layer, a security
module in between or a wrong filter shows here, before any program runs.
"""

from pathlib import Path

from toolweft.core.clock import Clock
from toolweft.sandbox.guest.lockdown import NAMESPACES
from toolweft.sandbox.process.session import ProcessSession
from toolweft.sandbox.process.tiers import Tier
from toolweft.sandbox.process.zygote import Zygote
from toolweft.sandbox.trial import TRIAL_LIMITS, check_status, try_limits, try_session

__all__ = ("prove_isolation",)


async def prove_isolation(zygote: Zygote, tier: Tier, clock: Clock) -> None:
    """Return where everything holds; of a tier that confines nothing, where its limits do.

    Raises:
        SandboxUnavailable: something does not; the message names it.
    """

    async def open_next() -> ProcessSession:
        return await ProcessSession.open(zygote, TRIAL_LIMITS, clock=clock)

    session = await open_next()
    try:
        if not tier.is_confining:
            await try_limits(session, imports=True, open_next=open_next)
            return
        check_status(_read_status(session.pid))
        await try_session(
            session,
            own_files=NAMESPACES in tier.layers,
            imports=tier.has_imports,
            open_next=open_next,
        )
    finally:
        await session.close()


def _read_status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition(":") for line in lines)
    return {name: value.strip() for name, _colon, value in pairs}
