"""One task from its first request to its end: ask the planner, do what it asks for, ask again.

What follows from a reply is decided in `decisions`; here it is done. The history only grows: what
stands in it is never changed, but where a vendor's program is begun anew the end is taken off, and
where it no longer fits a new one begins.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from toolweft.agent.asking import Answered, Planners
from toolweft.agent.call_answers import Done
from toolweft.agent.calls import CallDesk
from toolweft.agent.decisions import (
    CUT_SHORT,
    GO_ON,
    SAY_SOMETHING,
    RepeatedFault,
    choose_step,
    refuse_calls,
    summarise,
    user_message,
)
from toolweft.agent.declaring import Declarations
from toolweft.agent.degradation import FindSaved, describe_unavailable
from toolweft.agent.economics import PromptMeter, PromptTokens
from toolweft.agent.endings import EndedError, context_failure, end_task, failure_of
from toolweft.agent.events import (
    Emit,
    Notice,
    TaskFinished,
    ToolsRevealed,
    TurnFinished,
    TurnStarted,
)
from toolweft.agent.remote import RemotePrograms
from toolweft.agent.results import AgentResult
from toolweft.agent.spending import Spending
from toolweft.core.agent_options import AgentOptions
from toolweft.core.calls import Failure
from toolweft.core.client import NOBODY, CallingClient
from toolweft.core.errors import (
    BudgetSpent,
    ContextFull,
    ProviderError,
    RemoteContainerGone,
    ToolweftError,
)
from toolweft.core.messages import (
    AssistantMessage,
    Message,
    ModelReply,
    ModelRequest,
    ResultsMessage,
    ToolsMessage,
)
from toolweft.core.models import TokenUsage
from toolweft.core.programs import CONTAINER_LOST, Container
from toolweft.core.providers import Provider
from toolweft.toolbox import Toolbox

__all__ = ("Conversation", "work")

log = logging.getLogger(__name__)

# Of what was done, in a conversation that begins anew.
_SUMMARY_CHARACTERS: Final = 8_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What a task is worked on with; `toolbox` asks its workers, and `spending` is theirs too."""

    toolbox: Toolbox
    # In the order in which they stand in for one another; open.
    planners: Sequence[Provider]
    declarations: Declarations
    options: AgentOptions
    spending: Spending
    system: str = ""
    find_saved: FindSaved | None = None
    # Who is asked what tools ask.
    client: CallingClient = NOBODY

    @property
    def words(self) -> str:
        """The system's, the same in every request."""
        said = (self.system, self.declarations.instructions)
        return "\n\n".join(part for part in said if part.strip())


async def work(
    conversation: Conversation,
    task: str,
    *,
    history: Sequence[Message] = (),
    container: Container | None = None,
    emit: Emit,
) -> None:
    """Work on a task to its end, which is told as `TaskFinished`, whatever it is.

    Args:
        conversation: what there is to work with.
        task: in the user's words.
        history: of a conversation to go on in.
        container: of that conversation, at the vendor.
        emit: hears of everything.
    """
    run = _Task(conversation, task, history=history, container=container, emit=emit)
    emit(TaskFinished(result=await run.finish()))


class _Task:
    def __init__(
        self,
        conversation: Conversation,
        task: str,
        *,
        history: Sequence[Message],
        container: Container | None,
        emit: Emit,
    ) -> None:
        self._with = conversation
        self._task = task
        self._emit = emit
        box = conversation.toolbox
        self._system = conversation.words
        self._planners = Planners(
            conversation.planners,
            spending=conversation.spending,
            ledger=box.ledger,
            clock=box.clock,
            principal=box.principal,
            emit=emit,
        )
        self._meter = PromptMeter(
            system=self._system,
            tools=conversation.declarations.surface,
            definitions=conversation.declarations.definition_tokens,
        )
        self._desk = CallDesk(
            box,
            declarations=conversation.declarations,
            meter=self._meter,
            clock=box.clock,
            emit=emit,
            listed_tokens=conversation.options.listed_tokens,
            client=conversation.client,
        )
        self._history: list[Message] = []
        for message in (*history, user_message(task)):
            self._append(message)
        self._faults = RepeatedFault()
        self._prompts: list[PromptTokens] = []
        self._direct_tokens = 0
        self._turns = 0
        # Pieces of an answer that was cut off.
        self._pieces: list[str] = []
        self._was_nudged = False
        self._began_anew = False
        self._remote = RemotePrograms(container, history)

    async def finish(self) -> AgentResult:
        """The result; no error of a model leaves this, and no program goes on after it."""
        try:
            return await self._work()
        finally:
            self._desk.leave()

    async def _work(self) -> AgentResult:
        try:
            while True:
                await self._take_turn()
        except EndedError as end:
            return self._result(end)
        except ContextFull as exc:
            return self._result(EndedError("context_full", error=failure_of(exc)))
        except BudgetSpent as exc:
            return self._result(EndedError("budget", error=failure_of(exc)))
        except ProviderError as exc:
            return await self._degrade(exc)
        except ToolweftError as exc:
            # The ledger cannot be written.
            return self._result(EndedError("failed", error=failure_of(exc)))

    # --------------------------------------------------------------------------------- one turn

    async def _take_turn(self) -> None:
        options = self._with.options
        if self._turns >= options.max_turns:
            message = f"the task is not done after {self._turns} replies of the planner"
            raise end_task("max_turns", message, "raise max_turns, or ask for less")
        self._turns += 1
        answered = await self._ask()
        reply = answered.reply
        self._remote.add(reply)
        done: Done | None = None
        try:
            done = await self._follow(reply)
        finally:
            self._emit(
                TurnFinished(
                    turn=self._turns,
                    model=answered.model,
                    stop=reply.stop,
                    usage=reply.usage,
                    prompt=self._prompts[-1],
                    cost_usd=answered.cost_usd,
                    spent_usd=self._with.spending.cost_usd,
                )
            )
        if done is not None:
            self._check_progress(done)

    async def _ask(self) -> Answered:
        if self._remote.leave_expired(self._with.toolbox.clock.now()):
            self._tell_lost("the vendor's container is over: a fresh one")
        self._emit(TurnStarted(turn=self._turns, model=self._planners.current.name))
        try:
            return await self._send()
        except ContextFull as exc:
            self._begin_anew(failure_of(exc))
        except RemoteContainerGone as exc:
            self._leave_container(exc)
        return await self._send()

    async def _send(self) -> Answered:
        answered = await self._planners.ask(
            self._build,
            estimated_tokens=self._meter.parts.total,
            may_repeat=self._remote.start is None,
        )
        self._prompts.append(self._meter.parts)
        self._direct_tokens += self._meter.direct
        return answered

    def _build(self, provider: Provider) -> ModelRequest:
        return ModelRequest(
            system=self._system,
            tools=self._with.declarations.tools(provider.capabilities),
            messages=tuple(self._history),
            max_tokens=self._with.options.max_tokens,
            container_id=self._remote.container_id,
        )

    # ------------------------------------------------------------------------- what follows from it

    async def _follow(self, reply: ModelReply) -> Done | None:
        message = reply.message
        match choose_step(reply):
            case "refused":
                reason = f"the model refused: {reply.detail or 'it gave no reason'}"
                raise end_task(
                    "refused", reason, "ask otherwise, or another model", text=message.text
                )
            case "context_full":
                self._begin_anew(context_failure(reply))
            case "call":
                return await self._call(message)
            case "refuse_calls":
                self._append(message)
                reason = CUT_SHORT.format(max_tokens=self._with.options.max_tokens)
                results = refuse_calls(message.calls, reason)
                self._append(results)
                self._emit(Notice(kind="repair", text="a call was cut off and not executed"))
                faults = tuple((call.name, reply.stop, "cut off") for call in message.calls)
                return Done(results=results, faults=faults)
            case "resend":
                self._append(message)
            case "go_on":
                self._go_on(message)
            case "nothing_said":
                self._nudge(message)
            case "cut_off":
                reason = f"the reply ended early: {reply.stop}: {reply.detail or 'no reason given'}"
                raise end_task("failed", reason, "ask again", text=message.text, code="cut_off")
            case "answer":
                self._append(message)
                raise EndedError("done", text="".join((*self._pieces, message.text)))
        return None

    async def _call(self, message: AssistantMessage) -> Done:
        self._pieces.clear()
        self._remote.note_calls(
            message.calls, position=len(self._history), may_repeat=self._desk.may_repeat
        )
        capabilities = self._planners.current.capabilities
        before = tuple(self._history)
        self._append(message)
        done = await self._desk.answer(message.calls, capabilities=capabilities, history=before)
        self._append(done.results)
        names = (*done.revealed, *(tool.name for tool in done.added))
        if done.revealed:
            tools = self._with.declarations.tools(capabilities)
            self._meter.reveal(tool for tool in tools if tool.name in done.revealed)
        if done.added:
            self._append(ToolsMessage(tools=done.added))
        if names:
            self._emit(ToolsRevealed(names=names))
        return done

    def _go_on(self, message: AssistantMessage) -> None:
        max_tokens = self._with.options.max_tokens
        if self._pieces:
            text = "".join((*self._pieces, message.text))
            reason = f"the answer is longer than two replies of {max_tokens} tokens"
            raise end_task("max_tokens", reason, "raise max_tokens, or ask for less", text=text)
        self._pieces.append(message.text)
        self._append(message)
        self._append(user_message(GO_ON))
        self._emit(Notice(kind="repair", text=f"the answer was cut off at {max_tokens} tokens"))

    def _nudge(self, message: AssistantMessage) -> None:
        if self._was_nudged:
            reason = "the model said nothing, twice"
            raise end_task("failed", reason, "ask otherwise, or another model", code="empty_reply")
        self._was_nudged = True
        self._append(message)
        self._append(user_message(SAY_SOMETHING))
        self._emit(Notice(kind="repair", text="the model said nothing"))

    def _check_progress(self, done: Done) -> None:
        repeated = self._faults.add(done.faults, has_success=done.has_success)
        if repeated is not None:
            name, code, reason = repeated
            message = f"{name} failed twice in a row with the same error: {code}: {reason}"
            raise end_task("repeated_error", message, "mend what it names, or ask otherwise")

    # ---------------------------------------------------------------------- what no longer goes on

    def _begin_anew(self, failure: Failure) -> None:
        """A new history, of the task and what was done; once in a task."""
        if self._began_anew or not any(isinstance(m, ResultsMessage) for m in self._history):
            raise EndedError("context_full", error=failure)
        self._began_anew = True
        text = summarise(self._task, self._history, max_characters=_SUMMARY_CHARACTERS)
        self._history.clear()
        self._meter.restart()
        self._append(user_message(text))
        self._remote.forget()
        text = "the history was full: it begins anew with a summary"
        self._emit(Notice(kind="context", text=text))

    def _leave_container(self, error: RemoteContainerGone) -> None:
        called = [made.tool for made in self._desk.made if made.caller == "programmatic"]
        start = self._remote.restart(error, called=called)
        if start is not None:
            del self._history[start:]
            self._meter.restart()
            for message in self._history:
                self._meter.add(message)
        self._tell_lost("the vendor's container is gone: once more")

    def _tell_lost(self, text: str) -> None:
        # A turn that the vendor paused goes on: nothing is said in between.
        if not isinstance(self._history[-1], AssistantMessage):
            self._append(user_message(CONTAINER_LOST))
        self._emit(Notice(kind="container", text=text))

    # ------------------------------------------------------------------------------------ the end

    async def _degrade(self, error: ProviderError) -> AgentResult:
        """What is left where no planner answers."""
        options = self._with.options
        failure = describe_unavailable(error, retry_after_s=options.retry_after_s)
        # A program that fits the task does all of it: only where nothing was done yet.
        find = self._with.find_saved if self._turns <= 1 else None
        match = None if find is None else await find(self._task)
        if match is None:
            return self._result(EndedError("unavailable", error=failure))
        self._emit(Notice(kind="degraded", text=f"{failure.message}; {match.tool} stands in"))
        reply = await self._desk.call_saved(match)
        if reply.is_error:
            return self._result(EndedError("unavailable", error=failure))
        text = match.render(reply.text)
        return self._result(EndedError("saved_program", text=text, error=failure))

    def _result(self, end: EndedError) -> AgentResult:
        bills = self._with.spending.bills
        is_priced = all(bill.cost_usd is not None for bill in bills)
        return AgentResult(
            status=end.status,
            text=end.text,
            error=end.error,
            turns=self._turns,
            calls=tuple(self._desk.made),
            bills=bills,
            cost_usd=self._with.spending.cost_usd if is_priced else None,
            usage=sum((bill.usage for bill in bills), TokenUsage()),
            prompts=tuple(self._prompts),
            direct_tokens=self._direct_tokens,
            history=tuple(self._history),
            container=self._remote.container,
        )

    def _append(self, message: Message) -> None:
        self._history.append(message)
        self._meter.add(message)
