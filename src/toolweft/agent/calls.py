"""Answers the calls of one reply: concurrently, each once, results in the order of the calls."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import anyio

from toolweft.agent.call_answers import CallAnswer, Done, gather_answers, refuse_call
from toolweft.agent.declaring import Declarations
from toolweft.agent.degradation import SavedMatch, list_tools
from toolweft.agent.economics import PromptMeter
from toolweft.agent.events import (
    Emit,
    Notice,
    ProgramFinished,
    ProgramPrinted,
    ProgramStarted,
    SearchFinished,
    ToolFinished,
)
from toolweft.agent.results import CallMade
from toolweft.core.calls import CallerType
from toolweft.core.client import NOBODY, CallingClient
from toolweft.core.clock import Clock
from toolweft.core.errors import CallTimeout, ContainerExpired, ContainerNotFound, InvalidArguments
from toolweft.core.ids import RunId
from toolweft.core.json import JsonObject
from toolweft.core.messages import Message, ModelCall
from toolweft.core.programs import GOING, ProgramOutcome
from toolweft.core.providers import ModelCapabilities
from toolweft.toolbox import TOOL_NAMES, Toolbox, ToolboxReply

__all__ = ("CallDesk",)

log = logging.getLogger(__name__)

_GONE: Final = frozenset({ContainerExpired.code, ContainerNotFound.code})
# Of the four, those that change nothing.
_READING: Final = frozenset({"search_tools", "describe_tools"})
_SLOW_HINT: Final = "it may have taken effect; call it directly, or in a program of run_code"
_FRESH: Final = "[container {old} is gone, and its variables with it: this ran in a fresh one]\n"


class CallDesk:
    """Answers the calls of one task.

    Args:
        toolbox: does what is asked for.
        declarations: what the models were told.
        meter: hears what programs kept to themselves.
        clock: for durations.
        emit: hears of everything.
        listed_tokens: of the tools that are listed where a search fails altogether.
        client: who is asked what tools ask.
    """

    def __init__(  # noqa: PLR0913 -- everything it uses is handed in; nothing is looked up
        self,
        toolbox: Toolbox,
        *,
        declarations: Declarations,
        meter: PromptMeter,
        clock: Clock,
        emit: Emit,
        listed_tokens: int,
        client: CallingClient = NOBODY,
    ) -> None:
        self.made: list[CallMade] = []
        self._toolbox = toolbox
        self._use = partial(toolbox.invoke, client=client)
        self._declarations = declarations
        self._meter = meter
        self._clock = clock
        self._emit = emit
        self._listed_tokens = listed_tokens
        # Containers whose programs were ours from the first on, and did nothing but what may be
        # done twice.
        self._harmless: set[str] = set()
        self._was_renewed = False
        # Programs that go on after what was waited for them.
        self._running: set[RunId] = set()

    async def answer(
        self,
        calls: Sequence[ModelCall],
        *,
        capabilities: ModelCapabilities,
        history: Sequence[Message],
    ) -> Done:
        """Make every call once; what fails is an error result that the model can act on.

        Args:
            calls: of one reply.
            capabilities: of the model that made them.
            history: what it was told before.
        """
        answers: list[CallAnswer | None] = [None] * len(calls)
        locks: dict[str, anyio.Lock] = {}

        async def answer_one(position: int, call: ModelCall) -> None:
            # Programs of one container follow one another, in their order.
            container_id = _container_of(call)
            if container_id is None:
                answers[position] = await self._answer(call, capabilities, history)
                return
            async with locks.setdefault(container_id, anyio.Lock()):
                answers[position] = await self._answer(call, capabilities, history)

        async with anyio.create_task_group() as tasks:
            for position, call in enumerate(calls):
                tasks.start_soon(answer_one, position, call)
        return gather_answers(calls, [answer for answer in answers if answer is not None])

    async def call_saved(self, match: SavedMatch) -> ToolboxReply:
        """What a saved program answers that no model called."""
        started_s = self._clock.monotonic_s()
        reply = await self._use("call_tool", {"name": match.tool, "arguments": match.arguments})
        self._note_call(reply, call_id="", tool=match.tool, caller="direct", started_s=started_s)
        return reply

    def leave(self) -> None:
        """Stop the programs that still run: nobody will ask for what they find."""
        for run_id in self._running:
            self._toolbox.containers.cancel_run(run_id, reason="the task that started it is over")
        self._running.clear()

    def may_repeat(self, calls: Iterable[ModelCall]) -> bool:
        """Whether all of these calls change nothing, or nothing more if they are made again."""
        return all(call.name in _READING or self._is_harmless(_called_tool(call)) for call in calls)

    # ---------------------------------------------------------------------------------- one call

    async def _answer(
        self, call: ModelCall, capabilities: ModelCapabilities, history: Sequence[Message]
    ) -> CallAnswer:
        started_s = self._clock.monotonic_s()
        try:
            answer = await self._invoke_in_time(call, capabilities, history)
        except Exception as exc:
            # A fault of ours must not end a conversation in which calls were made.
            log.exception("agent.call_failed", extra={"tool": call.name})
            reason = f"toolweft failed: {type(exc).__name__}"
            answer = CallAnswer(refuse_call("internal_error", reason))
        if call.name != "run_code":
            self._note_call(
                answer.reply,
                call_id=call.id,
                tool=_called_tool(call),
                caller=call.caller.type,
                started_s=started_s,
                is_told=call.name != "search_tools" or answer.reply.is_error,
            )
        return answer

    def _note_call(
        self,
        reply: ToolboxReply,
        *,
        call_id: str,
        tool: str,
        caller: CallerType,
        started_s: float,
        is_told: bool = True,
    ) -> None:
        status = reply.code or ("tool_error" if reply.is_error else "ok")
        elapsed_ms = (self._clock.monotonic_s() - started_s) * 1_000
        self.made.append(CallMade(tool=tool, caller=caller, status=status, duration_ms=elapsed_ms))
        if is_told:
            self._emit(
                ToolFinished(
                    call_id=call_id,
                    tool=tool,
                    status=status,
                    duration_ms=elapsed_ms,
                    is_programmatic=caller == "programmatic",
                )
            )

    async def _invoke_in_time(
        self, call: ModelCall, capabilities: ModelCapabilities, history: Sequence[Message]
    ) -> CallAnswer:
        """What a call answers before a program at the vendor gives up waiting for it."""
        wait_s = capabilities.program_wait_s if call.caller.type == "programmatic" else None
        with anyio.move_on_after(wait_s):
            return await self._invoke(call, capabilities, history)
        reason = f"{call.name} was stopped after {wait_s:g} s: no program there waits longer"
        return CallAnswer(refuse_call(CallTimeout.code, reason, _SLOW_HINT))

    async def _invoke(
        self, call: ModelCall, capabilities: ModelCapabilities, history: Sequence[Message]
    ) -> CallAnswer:
        if call.arguments is None:
            reason = f"{call.name} was not called: {call.fault}"
            hint = "call it again, with one JSON object as its arguments"
            return CallAnswer(refuse_call(InvalidArguments.code, reason, hint))
        if call.caller.type == "programmatic" and call.name in TOOL_NAMES:
            reason = f"{call.name} may not be called from a program"
            return CallAnswer(refuse_call("denied", reason, "call the tools themselves"))
        if call.name == "run_code":
            return CallAnswer(await self._run(call, call.arguments))
        if call.name == "search_tools":
            return await self._search(call, call.arguments, capabilities, history)
        declared = self._declarations.resolve(
            call.name,
            capabilities=capabilities,
            snapshot=self._toolbox.snapshot,
            history=history,
        )
        if declared is None:
            reply = await self._use(call.name, call.arguments, caller=call.caller)
        else:
            arguments = {"name": declared, "arguments": call.arguments}
            reply = await self._use("call_tool", arguments, caller=call.caller)
        return CallAnswer(reply)

    # ------------------------------------------------------------------------------------- search

    async def _search(
        self,
        call: ModelCall,
        arguments: JsonObject,
        capabilities: ModelCapabilities,
        history: Sequence[Message],
    ) -> CallAnswer:
        try:
            reply = await self._use("search_tools", arguments)
        except Exception:
            log.exception("agent.search_failed")
            reply = refuse_call("search_failed", "tools cannot be searched now")
        if reply.is_error:
            if reply.code == InvalidArguments.code:
                return CallAnswer(reply)
            return CallAnswer(self._list_instead(reply))
        queries = arguments.get("queries")
        asked = [queries] if isinstance(queries, str) else queries or []
        self._emit(
            SearchFinished(
                call_id=call.id, queries=tuple(map(str, asked)), found=tuple(reply.found)
            )
        )
        found = self._declarations.reveal(
            reply.found,
            capabilities=capabilities,
            snapshot=self._toolbox.snapshot,
            history=history,
        )
        return CallAnswer(reply, found)

    def _list_instead(self, reply: ToolboxReply) -> ToolboxReply:
        listed = list_tools(self._toolbox.snapshot, budget_tokens=self._listed_tokens)
        self._emit(Notice(kind="degraded", text=f"{reply.reason}; tools are listed instead"))
        text = f"[degraded: {reply.reason}; these are the tools that fit]\n{listed}"
        return ToolboxReply(text=text)

    # ----------------------------------------------------------------------------------- programs

    async def _run(self, call: ModelCall, arguments: JsonObject) -> ToolboxReply:
        code = arguments.get("code")
        self._emit(ProgramStarted(call_id=call.id, code=code if isinstance(code, str) else ""))
        reply = await self._run_once(call, arguments)
        container_id = arguments.get("container_id")
        if reply.code in _GONE and isinstance(container_id, str):
            reply = await self._renew(call, arguments, container_id, reply)
        outcome = reply.outcome
        if outcome is None:
            self.made.append(
                CallMade(
                    tool="run_code", caller="direct", status=reply.code or "error", duration_ms=0.0
                )
            )
            self._emit(
                ProgramFinished(
                    call_id=call.id,
                    run_id="",
                    status=reply.code or "error",
                    error=reply.reason,
                    calls=(),
                    container_id=None,
                    wall_s=0.0,
                )
            )
            return reply
        self._note_outcome(call, arguments, outcome, reply.reason)
        return reply

    async def _run_once(self, call: ModelCall, arguments: JsonObject) -> ToolboxReply:
        return await self._use(
            "run_code",
            arguments,
            on_output=lambda text: self._emit(ProgramPrinted(call_id=call.id, text=text)),
        )

    async def _renew(
        self, call: ModelCall, arguments: JsonObject, container_id: str, reply: ToolboxReply
    ) -> ToolboxReply:
        """The program in a fresh container: it did not begin in the one that is gone.

        Once in a task, and only where nothing was done in the old one that must not be done twice:
        a program that finds its variables gone may begin from the start.
        """
        if self._was_renewed or container_id not in self._harmless:
            return reply
        self._was_renewed = True
        text = f"container {container_id} is gone; its program runs in a fresh one"
        self._emit(Notice(kind="container", text=text))
        fresh = {key: value for key, value in arguments.items() if key != "container_id"}
        renewed = await self._run_once(call, fresh)
        return replace(renewed, text=_FRESH.format(old=container_id) + renewed.text)

    def _note_outcome(
        self, call: ModelCall, arguments: JsonObject, outcome: ProgramOutcome, reason: str
    ) -> None:
        container_id = None if outcome.container is None else str(outcome.container.id)
        wall_s = outcome.stats.wall_s
        if outcome.status in GOING:
            self._running.add(outcome.run_id)
        else:
            self._running.discard(outcome.run_id)
            self._meter.withhold(outcome.stats.tokens_withheld)
            self.made.extend(
                CallMade(
                    tool=record.tool,
                    caller="programmatic",
                    status=record.status,
                    duration_ms=record.duration_ms,
                    run_id=record.execution_id,
                )
                for record in outcome.calls
            )
        status = outcome.status
        self.made.append(
            CallMade(
                tool="run_code",
                caller="direct",
                status=status,
                duration_ms=wall_s * 1_000,
                run_id=outcome.run_id,
            )
        )
        if container_id is not None:
            # One that was waited for may have begun where others ran before.
            is_first = arguments.get("container_id") is None and arguments.get("run_id") is None
            self._judge(container_id, outcome, is_first=is_first)
        self._emit(
            ProgramFinished(
                call_id=call.id,
                run_id=outcome.run_id,
                status=status,
                error=reason,
                calls=outcome.calls,
                container_id=container_id,
                wall_s=wall_s,
            )
        )

    def _judge(self, container_id: str, outcome: ProgramOutcome, *, is_first: bool) -> None:
        """Remember whether all that was done in a container may be done twice."""
        is_harmless = outcome.status not in GOING and all(
            self._is_harmless(record.tool) for record in outcome.calls
        )
        if is_harmless and is_first:
            self._harmless.add(container_id)
        elif not is_harmless:
            self._harmless.discard(container_id)

    def _is_harmless(self, name: str) -> bool:
        if name == "worker":
            return True
        tool = self._toolbox.snapshot.find(name)
        if tool is None:
            # It was refused, or is gone since, and nobody knows what it did.
            return False
        return tool.severity == "read_only" or bool(tool.definition.hints.idempotent)


def _container_of(call: ModelCall) -> str | None:
    if call.name != "run_code" or call.arguments is None:
        return None
    container_id = call.arguments.get("container_id")
    return container_id if isinstance(container_id, str) else None


def _called_tool(call: ModelCall) -> str:
    """What a call is about: of call_tool the tool that it calls."""
    name = (call.arguments or {}).get("name")
    return name if call.name == "call_tool" and isinstance(name, str) else call.name
