"""Recorded runs and saved programs, for Python and the command line; models only call them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from toolweft.core.clock import Clock
from toolweft.core.errors import CallDenied, ConfigError
from toolweft.core.ids import RunId
from toolweft.core.journal import Journal, JournalRun
from toolweft.core.ports import SnapshotHolder
from toolweft.core.principals import LOCAL, Principal
from toolweft.core.saved import SavedProgram, SavedStore
from toolweft.programs.replay import Replayer, ReplayReport
from toolweft.programs.saved import SaveRequest, build_saved, check_saved_name

__all__ = ("SavedParts", "ToolboxSaved")

# Stands for the id of the newest run.
_LAST = "last"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedParts:
    """What all toolboxes share for this."""

    # None: nothing is recorded.
    journal: Journal | None
    store: SavedStore
    replayer: Replayer
    holder: SnapshotHolder
    clock: Clock
    # Makes what was saved or removed known as tools.
    refresh: Callable[[], Awaitable[None]]


class ToolboxSaved:
    """Replays the runs of one principal, and keeps them as tools.

    Saved programs are tools for everybody who uses this toolweft, as its configured sources are:
    whoever runs it saves and removes them, whoever calls one does so on their own behalf.

    Args:
        parts: shared; None in a toolbox that keeps nothing.
        owner: whose runs they are.
    """

    def __init__(self, parts: SavedParts | None, *, owner: Principal) -> None:
        self._given = parts
        self._owner = owner

    async def replay(self, run_id: RunId) -> ReplayReport:
        """Run a recorded program again with its recorded answers; no tool is called.

        Args:
            run_id: of a run in a container of its own; "last" for the newest.

        Raises:
            ConfigError: the journal is off.
            RunNotFound: it has no such run of this principal, or not any more.
            RunNotReplayable: it has not all of it.
        """
        return await self._parts.replayer.replay(await self._find(run_id), principal=self._owner)

    async def save(
        self,
        run_id: RunId,
        name: str,
        *,
        description: str | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> SavedProgram:
        """Keep the program of a run as the tool `saved.NAME`, as the next version of its name.

        Args:
            run_id: of a run that ended as ok, in a container of its own; "last" for the newest.
            name: in lower case.
            description: for whoever looks for a tool; None for the program's docstring.
            parameters: name -> constant of the program; None for all constants in capitals.

        Raises:
            ConfigError: the journal is off.
            RunNotFound: it has no such run of this principal, or not any more.
            RunNotReplayable: it has not all of it, or the run did not end as ok.
            InvalidArguments: name, description or parameters cannot be as asked.
            CallDenied: another principal than the local one asks.
            StorageFull: it cannot be written.
        """
        self._check_local()
        check_saved_name(name)
        run = await self._find(run_id)
        request = SaveRequest(name=name, description=description, parameters=parameters)
        parts = self._parts
        program = build_saved(run, request, snapshot=parts.holder.snapshot, now=parts.clock.now())
        stored = await parts.store.add(program, run)
        await parts.refresh()
        return stored

    async def latest(self) -> Sequence[SavedProgram]:
        """The newest version of each, by name."""
        return await self._parts.store.latest()

    async def find(self, name: str, *, version: int | None = None) -> SavedProgram:
        """One version; None for the newest.

        Raises:
            ToolNotFound: there is none.
        """
        return await self._parts.store.find(name, version=version)

    async def test(self, name: str, *, version: int | None = None) -> ReplayReport:
        """Replay the run that a version came from, and compare.

        Raises:
            CallDenied: another principal than the local one asks, whose run it is not.
            ToolNotFound: there is none.
            RunNotReplayable: the store has not all of its run.
        """
        self._check_local()
        program = await self.find(name, version=version)
        run = await self._parts.store.load_run(program)
        return await self._parts.replayer.replay(run, principal=self._owner)

    async def remove(self, name: str, *, version: int | None = None) -> None:
        """Forget one version, or all.

        Raises:
            ToolNotFound: there is none.
            CallDenied: another principal than the local one asks.
        """
        self._check_local()
        await self._parts.store.remove(name, version=version)
        await self._parts.refresh()

    @property
    def _parts(self) -> SavedParts:
        assert self._given is not None, "this toolbox was built to keep nothing"
        return self._given

    async def _find(self, run_id: RunId) -> JournalRun:
        if self._parts.journal is None:
            raise ConfigError(
                f"the journal is off, so nothing is known of what run {run_id!r:.60} asked and got",
                hint="set journal.enabled = true and run the program again",
            )
        if run_id == _LAST:
            run_id = await self._parts.journal.latest(owner=self._owner)
        return await self._parts.journal.find(run_id, owner=self._owner)

    def _check_local(self) -> None:
        if self._owner != LOCAL:
            raise CallDenied(
                "only whoever runs this toolweft may save, test and remove programs",
                hint="they are tools for everybody, from its own runs: ask for it to be done",
            )
