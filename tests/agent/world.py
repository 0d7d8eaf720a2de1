"""A task over fakes: a scripted planner, tools that are functions, programs in this process."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tests.programs.fakes import World, make_tool, open_world
from tests.toolbox.test_toolbox import make_toolbox

from toolweft.agent.declaring import Declarations
from toolweft.agent.degradation import FindSaved
from toolweft.agent.events import AgentEvent, TaskFinished
from toolweft.agent.loop import Conversation, work
from toolweft.agent.results import AgentResult
from toolweft.agent.spending import Spending
from toolweft.core.agent_options import AgentOptions
from toolweft.core.messages import (
    AssistantMessage,
    Message,
    ModelCall,
    ModelReply,
    ModelRequest,
    ReplyDone,
    ResultsMessage,
    StopReason,
)
from toolweft.core.models import TokenPrices, TokenUsage
from toolweft.core.programs import Container
from toolweft.core.providers import ModelCapabilities, Provider
from toolweft.core.snapshot import CatalogTool
from toolweft.providers.scripted import ScriptedProvider
from toolweft.toolbox import Toolbox

TEXT = {"type": "string"}
WEATHER = make_tool(
    "sky.rain", parameters={"city": TEXT}, required=["city"], description="Rain in a city"
)
DELETE = make_tool("disk.delete", description="Delete everything", severity="destructive")
PRICES = TokenPrices(input=10, output=50, cache_read=1, cache_write=12.5)


def say(text: str, stop: StopReason = "end_turn", **more: Any) -> ModelReply:
    return ModelReply(
        message=AssistantMessage(text=text), stop=stop, usage=TokenUsage(), model="m", **more
    )


def use(
    *calls: ModelCall, text: str = "", stop: StopReason = "tool_use", **more: Any
) -> ModelReply:
    message = AssistantMessage(text=text, calls=calls)
    more.setdefault("usage", TokenUsage(input_tokens=100, output_tokens=10))
    return ModelReply(message=message, stop=stop, model="m", **more)


def call(name: str, call_id: str = "c1", /, **arguments: Any) -> ModelCall:
    return ModelCall(id=call_id, name=name, arguments=arguments)


def program(code: str, call_id: str = "c1", **more: Any) -> ModelCall:
    return call("run_code", call_id, code=code, **more)


class Planner(ScriptedProvider):
    """A scripted model of which a step may also be an error, or events before an error."""

    def __init__(self, *steps: ModelReply | Exception, **more: Any) -> None:
        replies = [step for step in steps if isinstance(step, ModelReply)]
        super().__init__(replies, **more)
        self.steps = list(steps)
        # Written before an error is raised.
        self.begins_with = ""

    async def stream(self, request: ModelRequest) -> AsyncIterator[Any]:
        step = self.steps.pop(0) if self.steps else None
        if isinstance(step, Exception):
            if self.begins_with:
                from toolweft.core.messages import TextPrinted

                yield TextPrinted(self.begins_with)
            raise step
        async for event in super().stream(request):
            yield event


@dataclass
class Stage:
    """Where tasks are worked on."""

    world: World
    box: Toolbox
    planners: tuple[Provider, ...]
    options: AgentOptions = field(default_factory=AgentOptions)
    spending: Spending = field(default_factory=Spending)
    find_saved: FindSaved | None = None
    events: list[AgentEvent] = field(default_factory=list)
    # Hears of every event, to change the world in between.
    on_event: Callable[[AgentEvent], None] = lambda event: None

    async def run(
        self,
        task: str = "the task",
        *,
        history: Sequence[Message] = (),
        container: Container | None = None,
    ) -> AgentResult:
        conversation = Conversation(
            toolbox=self.box,
            planners=self.planners,
            declarations=Declarations(self.box.surface(for_agent=True), self.box.snapshot),
            options=self.options,
            spending=self.spending,
            find_saved=self.find_saved,
        )

        def emit(event: AgentEvent) -> None:
            self.events.append(event)
            self.on_event(event)

        await work(conversation, task, history=history, container=container, emit=emit)
        last = self.events[-1]
        assert isinstance(last, TaskFinished)
        return last.result

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@asynccontextmanager
async def open_stage(
    *planners: Provider, tools: Sequence[CatalogTool] = (WEATHER, DELETE), **options: Any
) -> AsyncIterator[Stage]:
    async with open_world(*tools) as world:
        world.road.answers["sky.rain"] = lambda city: len(city)
        world.road.answers["disk.delete"] = "deleted"
        yield Stage(
            world=world,
            box=make_toolbox(world),
            planners=planners,
            options=replace(AgentOptions(), **options),
        )


def results_of(request: ModelRequest) -> tuple[Any, ...]:
    """The results at the end of a request."""
    last = next(m for m in reversed(request.messages) if isinstance(m, ResultsMessage))
    return last.results


def texts_of(request: ModelRequest) -> list[str]:
    return ["\n".join(piece.text for piece in result.content) for result in results_of(request)]


NATIVE = ModelCapabilities(
    has_deferral=True, reveal="reference", addition="system_block", programs="python"
)

__all__ = (
    "DELETE",
    "NATIVE",
    "PRICES",
    "WEATHER",
    "Planner",
    "ReplyDone",
    "Stage",
    "call",
    "open_stage",
    "program",
    "results_of",
    "say",
    "texts_of",
    "use",
)
