"""The library's agent: which models, which toolbox, and for how long they are open."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from sys import float_info
from types import NoneType, TracebackType, UnionType
from typing import Final, Self, TypeAlias

from toolweft.agent.declaring import Declarations
from toolweft.agent.degradation import saved_in
from toolweft.agent.events import AgentEvent, Emit, TaskFinished
from toolweft.agent.loop import Conversation, work
from toolweft.agent.results import AgentResult
from toolweft.agent.spending import Spending
from toolweft.agent.streaming import stream_events
from toolweft.agent.warming import warm_cache
from toolweft.agent.workers import Fallback, WorkerOptions, WorkerPool
from toolweft.bootstrap.app import PythonTool, open_app
from toolweft.bootstrap.models import ClosedModel, open_model
from toolweft.config import Settings, load_settings, read_environment, read_home
from toolweft.core.agent_options import AgentOptions
from toolweft.core.calls import LOCAL, Principal
from toolweft.core.client import NOBODY, CallingClient
from toolweft.core.errors import ConfigError
from toolweft.core.given import check_given, check_number, check_sequence
from toolweft.core.messages import Message
from toolweft.core.models import TokenUsage
from toolweft.core.providers import Provider
from toolweft.toolbox import Toolbox

__all__ = ("Agent", "Model")

# By its name, or as it is; one that is given as it is has to be open already.
Model: TypeAlias = str | Provider

_PROVIDER_PARTS: Final = ("name", "capabilities", "prices", "complete", "stream")
_MODEL_HINT: Final = (
    'give "vendor:model", such as "anthropic:claude-opus-5-5", a provider that is open, or a list'
)
_FALLBACK_HINT: Final = "give a function that takes a prompt and a schema, or leave it out"
_KINDS: Final[Mapping[str, tuple[type | UnionType, str]]] = {
    "config": (str | Path | Settings | None, 'give the path of a file: "toolweft.toml"'),
    "toolbox": (Toolbox | None, "give what toolweft.open_toolbox() opened, or leave it out"),
    "system": (str, "give instructions as one text"),
    "principal": (Principal, "give a toolweft.Principal, or leave it out"),
}


class Agent:
    """A planner that writes programs over a toolbox, and cheap models that answer inside them.

        agent = Agent("anthropic:claude-opus-5-5", "openai:gpt-5.6-luna", config="mcp.json")
        result = await agent.run("Which expenses were above the limit?")

    Entered, it keeps servers, containers and connections open between tasks; else each task opens
    and closes its own.

    Args:
        planner: one model, or several of which the others stand in for the first; None for those of
            the configuration.
        worker: what programs ask with `worker(…)`, one or several in their order; None for those of
            the configuration.
        config: a `toolweft.toml` or `mcp.json`, or settings that were read already.
        tools: Python functions and `ToolSpec`s.
        toolbox: in place of one over `config` and `tools`; whoever opened it closes it.
        max_turns: replies of the planner for one task.
        max_cost: US dollars for one task, workers included.
        max_tokens: of one reply.
        fallback: answers `worker(…)` where no model does.
        system: words of your own, before those about the tools.
        principal: on whose behalf.
        client: who is asked what tools ask.

    Raises:
        ConfigError: no planner, a model that cannot be had, a cap on the cost of a model whose
            prices are not known, or an argument of a wrong type.
    """

    def __init__(  # noqa: PLR0913 -- all that an agent may differ in, most of it seldom given
        self,
        planner: Model | Sequence[Model] | None = None,
        worker: Model | Sequence[Model] | None = None,
        *,
        config: str | Path | Settings | None = None,
        tools: Sequence[PythonTool] = (),
        toolbox: Toolbox | None = None,
        max_turns: int | None = None,
        max_cost: float | None = None,
        max_tokens: int | None = None,
        fallback: Fallback | None = None,
        system: str = "",
        principal: Principal = LOCAL,
        client: CallingClient = NOBODY,
    ) -> None:
        _check_arguments(
            {
                "config": config,
                "tools": tools,
                "toolbox": toolbox,
                "fallback": fallback,
                "system": system,
                "principal": principal,
            }
        )
        settings = config if isinstance(config, Settings) else _load(config)
        self._settings = settings
        self._options = _choose_options(
            settings.agent, max_turns=max_turns, max_cost=max_cost, max_tokens=max_tokens
        )
        planners = _listed(planner, settings.agent.planners, name="planner")
        if not planners:
            raise ConfigError(
                "the agent has no planner",
                hint='planner = "anthropic:claude-opus-5-5" under [models], or name one here',
            )
        workers = _listed(worker, settings.agent.workers, name="worker")
        found = _find((*planners, *workers), settings)
        self._planners, self._workers = found[: len(planners)], found[len(planners) :]
        _check_prices((*self._planners, *self._workers), self._options.max_cost_usd)
        self._toolbox = toolbox
        self._tools = tools
        self._fallback = fallback
        self._system = system
        self._principal = principal
        self._client = client
        self._stack: AsyncExitStack | None = None
        self._open: _Open | None = None

    async def __aenter__(self) -> Self:
        """Open models, servers and the sandbox.

        Raises:
            ConfigError: a model's SDK is not installed, the configuration cannot be used, or the
                agent is open already.
        """
        if self._stack is not None:
            raise ConfigError(
                "the agent is open already", hint="use it as it is, or make another one"
            )
        self._stack = AsyncExitStack()
        try:
            self._open = await self._stack.enter_async_context(self._opened())
        except BaseException:
            self._stack = None
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close them."""
        stack, self._stack, self._open = self._stack, None, None
        assert stack is not None, "it was entered"
        await stack.__aexit__(kind, error, traceback)

    async def stream(
        self, task: str, *, history: AgentResult | Sequence[Message] = ()
    ) -> AsyncIterator[AgentEvent]:
        """What happens, as it happens; the last event is `TaskFinished`.

        Leaving early ends the task: its programs are cancelled.

        Args:
            task: in the user's words.
            history: of a conversation to go on in, also of one with another model.

        Raises:
            InvalidValue: the task is no text, or the history holds something else than messages.
            ConfigError: as of entering, where the agent is not entered.
        """
        check_given(task, str, name="task", hint="give what is to be done as one text")
        if isinstance(history, AgentResult):
            messages, container = history.history, history.container
        else:
            messages, container = _read_history(history), None

        async def run(emit: Emit) -> None:
            if self._open is not None:
                conversation = self._converse(self._open, emit)
                await work(conversation, task, history=messages, container=container, emit=emit)
                return
            async with self._opened() as parts:
                conversation = self._converse(parts, emit)
                await work(conversation, task, history=messages, container=container, emit=emit)

        async with aclosing(stream_events(run)) as events:  # type: ignore[type-var]  # a generator
            async for event in events:
                yield event

    async def run(self, task: str, *, history: AgentResult | Sequence[Message] = ()) -> AgentResult:
        """The result of a task; arguments and errors as of `stream`."""
        result: AgentResult | None = None
        async for event in self.stream(task, history=history):
            if isinstance(event, TaskFinished):
                result = event.result
        assert result is not None, "a task ends with its result"
        return result

    async def warm(self) -> TokenUsage:
        """Fill the planner's cache with what every task begins with; it costs one short request.

        Returns:
            What the vendor counted: `cache_write_tokens`, or `cache_read_tokens` where it knew all.

        Raises:
            ProviderError: the planner did not answer.
            ConfigError: as of entering, where the agent is not entered.
        """
        if self._open is not None:
            return await warm_cache(self._converse(self._open))
        async with self._opened() as parts:
            return await warm_cache(self._converse(parts))

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator["_Open"]:
        async with AsyncExitStack() as stack:
            for model in {id(model): model for model in (*self._planners, *self._workers)}.values():
                if isinstance(model, _OwnModel):
                    await stack.enter_async_context(model.model)
            toolbox = self._toolbox
            if toolbox is None:
                app = await stack.enter_async_context(open_app(self._settings, tools=self._tools))
                await app.settle()
                toolbox = app.toolbox_for(self._principal)
            yield _Open(toolbox=toolbox)

    def _converse(self, parts: "_Open", emit: Emit | None = None) -> Conversation:
        spending = Spending(max_cost_usd=self._options.max_cost_usd)
        planners = tuple(map(_provider, self._planners))
        toolbox = parts.toolbox
        if self._workers or self._fallback is not None:
            pool = WorkerPool(
                tuple(map(_provider, self._workers)),
                planner=planners[0],
                fallback=self._fallback,
                spending=spending,
                ledger=toolbox.ledger,
                clock=toolbox.clock,
                options=WorkerOptions(max_tokens=self._options.max_tokens),
                emit=emit,
            )
            toolbox = toolbox.with_workers(pool)
        if parts.declarations is None:
            # Told once: what a cache begins with stays the same for all tasks.
            parts.declarations = Declarations(toolbox.surface(for_agent=True), toolbox.snapshot)
        return Conversation(
            toolbox=toolbox,
            planners=planners,
            declarations=parts.declarations,
            options=self._options,
            spending=spending,
            system=self._system,
            find_saved=saved_in(toolbox),
            client=self._client,
        )


@dataclass(slots=True)
class _Open:
    """What is open, and what was told of it."""

    toolbox: Toolbox
    declarations: Declarations | None = None


@dataclass(frozen=True, slots=True)
class _OwnModel:
    """A model that the agent opens and closes."""

    model: ClosedModel


def _read_history(given: Sequence[Message]) -> tuple[Message, ...]:
    hint = "give the result of the task before, or its history"
    check_sequence(given, name="history", hint=hint)
    for number, message in enumerate(given):
        check_given(message, Message, name=f"history[{number}]", hint=hint)
    return tuple(given)


def _provider(model: _OwnModel | Provider) -> Provider:
    return model.model if isinstance(model, _OwnModel) else model


def _find(models: Iterable[Model], settings: Settings) -> tuple[_OwnModel | Provider, ...]:
    """Each by its name or as it is; one that is named twice is opened once."""
    own: dict[str, _OwnModel] = {}
    found: list[_OwnModel | Provider] = []
    for model in models:
        if not isinstance(model, str):
            found.append(model)
            continue
        if model not in own:
            own[model] = _OwnModel(open_model(model, settings))
        found.append(own[model])
    return tuple(found)


def _listed(
    given: Model | Sequence[Model] | None, configured: Sequence[str], *, name: str
) -> Sequence[Model]:
    """Those that were given, one or several, or those of the configuration."""
    if given is None:
        return configured
    several = given if isinstance(given, list | tuple) else (given,)
    for number, model in enumerate(several):
        place = name if several is not given else f"{name}[{number}]"
        if not isinstance(model, str):
            # What a protocol cannot say at run time without being asked for each.
            is_provider = all(hasattr(model, part) for part in _PROVIDER_PARTS)
            kind = object if is_provider else str
            check_given(model, kind, name=place, hint=_MODEL_HINT, error=ConfigError)
    return several


def _check_arguments(given: Mapping[str, object]) -> None:
    """Hold those of `Agent` that nothing else checks against their types."""
    check_sequence(given["tools"], name="tools", hint="give a list of functions", error=ConfigError)
    for name, (kind, hint) in _KINDS.items():
        check_given(given[name], kind, name=name, hint=hint, error=ConfigError)
    fallback = given["fallback"]
    if fallback is not None and not callable(fallback):
        check_given(fallback, NoneType, name="fallback", hint=_FALLBACK_HINT, error=ConfigError)


def _choose_options(
    options: AgentOptions,
    *,
    max_turns: int | None,
    max_cost: float | None,
    max_tokens: int | None,
) -> AgentOptions:
    for name, value, is_whole in (
        ("max_turns", max_turns, True),
        ("max_cost", max_cost, False),
        ("max_tokens", max_tokens, True),
    ):
        if value is not None:
            hint = f"give a {'whole ' if is_whole else ''}number above 0, or leave it out"
            # The smallest that is above 0.
            least = 1 if is_whole else float_info.min
            check_number(
                value, name=name, hint=hint, is_whole=is_whole, least=least, error=ConfigError
            )
    return replace(
        options,
        max_turns=options.max_turns if max_turns is None else max_turns,
        max_cost_usd=options.max_cost_usd if max_cost is None else max_cost,
        max_tokens=options.max_tokens if max_tokens is None else max_tokens,
    )


def _check_prices(models: Iterable[_OwnModel | Provider], max_cost_usd: float | None) -> None:
    if max_cost_usd is None:
        return
    for model in map(_provider, models):
        if model.prices is None:
            raise ConfigError(
                f"{model.name} has no known prices, so max_cost = {max_cost_usd:g} cannot be kept",
                hint=f'[models."{model.name}"] prices = {{input = …, output = …}}, or no max_cost',
            )


def _load(config: str | Path | None) -> Settings:
    return load_settings(
        config=None if config is None else Path(config),
        look_up=False,
        environ=read_environment(),
        cwd=Path.cwd(),
        home=read_home(),
    )
