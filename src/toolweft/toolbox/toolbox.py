"""What one conversation works with: the four tools over catalog, search, calls and containers.

`search`, `describe`, `call` and `run` are for Python; `invoke` is for models: it takes whatever
arguments came over a wire and always answers with text. The gateway, the library and the agent
call it.
"""

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Self

import anyio

from toolweft.core.calls import DIRECT, Caller, Principal, ToolCall, ToolResult, Verbatim
from toolweft.core.client import NOBODY, CallingClient
from toolweft.core.clock import Clock, IdSource
from toolweft.core.countdown import Countdown
from toolweft.core.errors import InvalidArguments
from toolweft.core.handles import Handle, HandleKind, HandleStore
from toolweft.core.ids import CallId, ContainerId, RunId
from toolweft.core.json import JsonObject
from toolweft.core.ports import Ledger, SnapshotHolder
from toolweft.core.programs import ProgramLimits, ProgramOutcome
from toolweft.core.search import Placement, Searcher
from toolweft.core.snapshot import Snapshot
from toolweft.core.workers import Workers
from toolweft.programs.bridge import CallRoad
from toolweft.programs.runner import ProgramRunner
from toolweft.programs.runs import OnOutput
from toolweft.programs.stubs import Detail
from toolweft.toolbox.answers import DescribeAnswer, SearchAnswer, ToolboxReply
from toolweft.toolbox.containers import ToolboxContainers
from toolweft.toolbox.finding import (
    build_search_answer,
    check_asked,
    describe_tools,
    search_done,
)
from toolweft.toolbox.handles import ToolboxHandles
from toolweft.toolbox.invoking import Asker, ModelRequests
from toolweft.toolbox.options import ToolboxOptions
from toolweft.toolbox.requests import check_seconds
from toolweft.toolbox.saved import SavedParts, ToolboxSaved
from toolweft.toolbox.surface import Surface
from toolweft.toolbox.surfaces import Surfaces
from toolweft.toolbox.visible import VisibleTools

__all__ = ("Toolbox",)

# Where neither the caller nor the tool says how long a call may take.
_DEFAULT_TIMEOUT_S = 60.0
# A call without a time of its own outlasts its tool's, so that the tool's is what ends it.
_GRACE_S = 5.0


class Toolbox:
    """The four tools, for one principal.

    Args:
        principal: on whose behalf everything happens.
        holder: knows the newest snapshot.
        searcher: finds tools.
        visible: which tools a search may find; one for all toolboxes.
        surfaces: what models see; one for all toolboxes.
        road: makes calls.
        runner: runs programs; already entered.
        ledger: records searches.
        clock: for deadlines.
        ids: names calls.
        handles: keeps results that are too large to show.
        saved: what saved programs are kept with; None where none are.
        options: defaults of the four tools.
        workers: answer the `worker` calls of programs; None where nobody does.
    """

    def __init__(  # noqa: PLR0913 -- everything it uses is handed in; nothing is looked up
        self,
        *,
        principal: Principal,
        holder: SnapshotHolder,
        searcher: Searcher,
        visible: VisibleTools,
        surfaces: Surfaces,
        road: CallRoad,
        runner: ProgramRunner,
        ledger: Ledger,
        clock: Clock,
        ids: IdSource,
        handles: HandleStore,
        options: ToolboxOptions,
        saved: SavedParts | None = None,
        workers: Workers | None = None,
    ) -> None:
        self._principal = principal
        self._holder = holder
        self._searcher = searcher
        self._road = road
        self._runner = runner
        self._ledger = ledger
        self._clock = clock
        self._ids = ids
        self._options = options
        self._handles = ToolboxHandles(handles, owner=principal, runner=runner, options=options)
        self._containers = ToolboxContainers(runner, owner=principal)
        self._visible = visible
        self._surfaces = surfaces
        # Recorded runs and saved programs.
        self.saved = ToolboxSaved(saved, owner=principal)
        self.save = self.saved.save
        self._workers = workers
        self._requests = ModelRequests(self, handles=self._handles, options=options)

    def with_workers(self, workers: Workers) -> Self:
        """The same toolbox, whose programs may ask these workers."""
        box = copy(self)
        box._workers = workers  # noqa: SLF001 -- of a copy of this one
        box._requests = ModelRequests(box, handles=self._handles, options=self._options)  # noqa: SLF001
        return box

    @property
    def principal(self) -> Principal:
        """On whose behalf everything happens."""
        return self._principal

    @property
    def ledger(self) -> Ledger:
        """Where everything is recorded."""
        return self._ledger

    @property
    def clock(self) -> Clock:
        """Of all its deadlines."""
        return self._clock

    @property
    def snapshot(self) -> Snapshot:
        """The catalog as it is now."""
        return self._holder.snapshot

    @property
    def handles(self) -> ToolboxHandles:
        """The stored results of this principal."""
        return self._handles

    @property
    def containers(self) -> ToolboxContainers:
        """The containers of this principal: close, reset, and what all of them use."""
        return self._containers

    async def put(
        self,
        name: str,
        source: str | Path | bytes,
        *,
        kind: HandleKind | None = None,
        media_type: str | None = None,
    ) -> Handle:
        """Keep a file or bytes, for programs to `load` by name; see `ToolboxHandles.put`."""
        return await self._handles.put(name, source, kind=kind, media_type=media_type)

    def surface(self, *, for_agent: bool = False) -> Surface:
        """What a model sees, an agent's no search where all is listed; ask once and keep it."""
        return self._surfaces.of(
            self._holder.snapshot, for_agent=for_agent, has_workers=self._workers is not None
        )

    # ----------------------------------------------------------------------------------- search

    async def search(
        self,
        queries: str | Sequence[str],
        *,
        limit: int | None = None,
        detail: Detail = "typed",
        namespace: str | None = None,
        category: str | None = None,
        explain: bool = False,
    ) -> SearchAnswer:
        """The tools that fit each query, best first, as callable signatures.

        Args:
            queries: one need in words, or several.
            limit: hits per query; None for the configured number.
            detail: how much of each signature.
            namespace: only this source, by its Python or original name.
            category: only tools of this category, in any case.
            explain: whether each hit says why it was found.

        Raises:
            InvalidArguments: no source of that name, no tool of that category, an unknown detail,
                a query without any text, or a limit below 1.
        """
        asked = (queries,) if isinstance(queries, str) else tuple(queries)
        check_asked(asked, detail=detail, limit=limit)
        started_s = self._clock.monotonic_s()
        snapshot = self._holder.snapshot
        results = await self._searcher.search(
            asked,
            snapshot=snapshot,
            limit=self._options.search_limit if limit is None else limit,
            visible=self._visible.of(snapshot, namespace=namespace, category=category),
            tenant=self._principal.tenant,
        )
        answer = build_search_answer(
            asked, results, snapshot=snapshot, detail=detail, explain=explain
        )
        self._ledger.record(
            search_done(
                answer,
                principal=self._principal,
                at=self._clock.now(),
                duration_ms=(self._clock.monotonic_s() - started_s) * 1_000,
            )
        )
        return answer

    async def explain_rank(
        self, query: str, tool: str, *, namespace: str | None = None, category: str | None = None
    ) -> Placement:
        """Why a tool stands where it does among what a search finds, and what would raise it.

        Args:
            query: one need in words.
            tool: qualified, bare, original or wire name.
            namespace: only among the tools of this source; as of `search`.
            category: only among the tools of this category.

        Raises:
            InvalidArguments: the query has no text, there is no such source or category, or the
                tool is of another.
            ToolNotFound: no such tool.
            AmbiguousTool: several sources have it.
        """
        check_asked((query,))
        snapshot = self._holder.snapshot
        name = snapshot.resolve(tool).qualified
        self._visible.check_among(name, snapshot, namespace=namespace, category=category)
        return await self._searcher.explain_rank(
            query,
            tool=name,
            snapshot=snapshot,
            visible=self._visible.of(snapshot, namespace=namespace, category=category),
            tenant=self._principal.tenant,
        )

    async def describe(self, names: str | Sequence[str]) -> DescribeAnswer:
        """Everything known of the named tools, and which names are none."""
        asked = (names,) if isinstance(names, str) else tuple(names)
        return describe_tools(asked, self._holder.snapshot)

    # ------------------------------------------------------------------------------------- call

    async def call(
        self,
        name: str,
        arguments: JsonObject | None = None,
        *,
        timeout_s: float | None = None,
        caller: Caller = DIRECT,
        client: CallingClient = NOBODY,
        verbatim: Verbatim | None = None,
    ) -> ToolResult:
        """Use one tool; whatever goes wrong is in the result's `failure`.

        Args:
            name: qualified, bare, original or wire name.
            arguments: under Python or original parameter names.
            timeout_s: at most this long; None for the tool's own time.
            caller: who is said to call; what that one may call is decided on the road.
            client: who is asked what the tool asks.
            verbatim: how the answer of an MCP source is wanted as it was sent.
        """
        if timeout_s is None:
            tool = self._holder.snapshot.find(name)
            timeout_s = (_DEFAULT_TIMEOUT_S if tool is None else tool.timeout_s) + _GRACE_S
        else:
            check_seconds("timeout_s", timeout_s)
        return await self._road.call(
            ToolCall(
                id=CallId(self._ids.new("call")),
                tool=name,
                arguments={} if arguments is None else arguments,
                caller=caller,
                principal=self._principal,
                countdown=Countdown(timeout_s, clock=self._clock),
                client=client,
                verbatim=verbatim,
            )
        )

    # -------------------------------------------------------------------------------------- run

    async def run(
        self,
        code: str,
        *,
        container_id: ContainerId | None = None,
        environment: str | None = None,
        on_output: OnOutput | None = None,
        limits: ProgramLimits | None = None,
        client: CallingClient = NOBODY,
    ) -> ProgramOutcome:
        """Run a program to its end; arguments and errors as of `ProgramRunner.run`."""
        return await self._runner.run(
            code,
            principal=self._principal,
            container_id=container_id,
            environment=environment,
            limits=limits,
            on_output=on_output,
            workers=self._workers,
            client=client,
        )

    async def run_code(  # noqa: PLR0913 -- all that one run may differ in
        self,
        code: str | None = None,
        *,
        container_id: ContainerId | None = None,
        run_id: RunId | None = None,
        environment: str | None = None,
        wait_s: float | None = None,
        on_output: OnOutput | None = None,
        client: CallingClient = NOBODY,
    ) -> ProgramOutcome:
        """Start a program, or go on waiting for one, for at most `wait_s`.

        Cancelling the await cancels the run that it started, never one that it only waits for.

        Args:
            code: the program; None to wait for `run_id`.
            container_id: a container to go on in.
            run_id: of a run that was still going.
            environment: packages the program may import, by name.
            wait_s: then the status is "running" or "awaiting_input"; None for the configured time.
            on_output: gets what is printed meanwhile.
            client: who is asked meanwhile what the program's calls ask.

        Raises:
            InvalidArguments: both or neither of `code` and `run_id`.
            InvalidValue: `wait_s` is no time.
            RunNotFound: no such run of this principal.
            ToolweftError: the run never began; as `ProgramRunner.run`.
        """
        if (code is None) == (run_id is None):
            raise InvalidArguments(
                "run_code takes either code or run_id", hint="pass code to start a program"
            )
        check_seconds("wait_s", wait_s)
        if code is not None:
            run_id = await self._runner.start(
                code,
                principal=self._principal,
                container_id=container_id,
                environment=environment,
                workers=self._workers,
                client=client,
            )
        assert run_id is not None
        try:
            return await self._runner.wait(
                run_id,
                principal=self._principal,
                wait_s=self._options.wait_s if wait_s is None else wait_s,
                on_output=on_output,
                client=client,
            )
        except anyio.get_cancelled_exc_class():
            if code is not None:
                # Whoever asked has gone away; nobody else knows the run's id.
                reason = "the request that started it was cancelled"
                self._runner.cancel(run_id, principal=self._principal, reason=reason)
            raise

    async def invoke(
        self,
        name: str,
        arguments: JsonObject,
        *,
        caller: Caller = DIRECT,
        on_output: OnOutput | None = None,
        client: CallingClient = NOBODY,
    ) -> ToolboxReply:
        """Answer one request of a model, by the name it saw.

        Args:
            name: one of the four tools, or the wire name of a listed one.
            arguments: as they came; nothing about them is known.
            caller: the model itself, or a program of it that runs at its vendor.
            on_output: gets what a program prints meanwhile.
            client: who is asked what tools ask.

        Returns:
            Text for the model; `is_error` where it did not get what it asked for.
        """
        asker = Asker(caller=caller, on_output=on_output, client=client)
        return await self._requests.answer(name, arguments, asker=asker)
