"""The containers of one principal, for Python; models only name them."""

from contextlib import suppress

from toolweft.core.errors import RunNotFound
from toolweft.core.ids import ContainerId, RunId
from toolweft.core.principals import Principal
from toolweft.core.programs import ProgramGauges
from toolweft.programs.runner import ProgramRunner

__all__ = ("ToolboxContainers",)


class ToolboxContainers:
    """Closes and resets containers, and tells what all of them use.

    Args:
        runner: has them.
        owner: whose they are.
    """

    def __init__(self, runner: ProgramRunner, *, owner: Principal) -> None:
        self._runner = runner
        self._owner = owner

    async def close(self, container_id: ContainerId) -> None:
        """End a container before its time; a run in it ends too.

        Raises:
            ContainerNotFound: no such container of this principal.
            ContainerExpired: it is over already.
        """
        await self._runner.close_container(container_id, principal=self._owner)

    async def reset(self, container_id: ContainerId) -> None:
        """Give a container a fresh start under its id; its variables are gone.

        Raises:
            ContainerNotFound: no such container of this principal.
            ContainerExpired: it is over.
            ContainerBusy: a run is in it.
            SandboxUnavailable: no fresh one could be made; it stays as it was.
        """
        await self._runner.reset_container(container_id, principal=self._owner)

    def cancel_run(self, run_id: RunId, *, reason: str) -> None:
        """Stop a run that still goes on; one that is over, or unknown, stays as it is.

        Args:
            run_id: of the run.
            reason: what its outcome says of why.
        """
        with suppress(RunNotFound):
            self._runner.cancel(run_id, principal=self._owner, reason=reason)

    def gauges(self) -> ProgramGauges:
        """What the programs of this process use at this moment, whoever runs them."""
        return self._runner.gauges()
