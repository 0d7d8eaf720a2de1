"""The surfaces of the newest snapshot, each built once: a large catalog takes a millisecond."""

from toolweft.core.ports import SandboxCapabilities
from toolweft.core.snapshot import Snapshot
from toolweft.programs.per_snapshot import PerSnapshot
from toolweft.programs.runner import ProgramRunner
from toolweft.toolbox.options import ToolboxOptions
from toolweft.toolbox.plain_surface import build_agent_surface
from toolweft.toolbox.surface import Surface, build_surface

__all__ = ("Surfaces",)


class Surfaces:
    """What models see, whoever asks.

    Args:
        runner: runs their programs; its limits and its backend are described.
        options: how many sources are named, and default values.
    """

    def __init__(self, runner: ProgramRunner, *, options: ToolboxOptions) -> None:
        self._runner = runner
        self._options = options
        # (for an agent, with workers) -> the surface, and the capabilities that it describes: they
        # are known better once a backend has started.
        self._known: PerSnapshot[dict[tuple[bool, bool], tuple[SandboxCapabilities, Surface]]]
        self._known = PerSnapshot(lambda _: {})

    def of(self, snapshot: Snapshot, *, for_agent: bool, has_workers: bool) -> Surface:
        """The surface over one snapshot; shared, so not to be changed.

        Args:
            snapshot: the catalog at the start of the conversation.
            for_agent: whether it may be the plain one, where all is listed.
            has_workers: whether programs may ask a cheap model.
        """
        capabilities = self._runner.capabilities
        known = self._known.of(snapshot)
        kind = (for_agent, has_workers)
        if kind not in known or known[kind][0] != capabilities:
            build = build_agent_surface if for_agent else build_surface
            surface = build(
                snapshot,
                capabilities=capabilities,
                limits=self._runner.options.limits,
                idle_s=self._runner.options.containers.idle_s,
                options=self._options,
                has_workers=has_workers,
            )
            known[kind] = (capabilities, surface)
        return known[kind][1]
