"""What the agent does, as lines for people."""

from collections import Counter
from collections.abc import Iterable, Iterator

from toolweft.agent.events import (
    AgentEvent,
    Notice,
    ProgramFinished,
    ProgramPrinted,
    ProgramStarted,
    SearchFinished,
    ToolFinished,
    ToolsRevealed,
    TurnFinished,
    TurnStarted,
)
from toolweft.agent.results import AgentResult
from toolweft.core.models import TokenUsage

__all__ = ("EventLines", "render_total")

_MAX_NAMED = 5
_MAX_PRINTED_CHARACTERS = 500


class EventLines:
    """Lines for one event after another; what programs print comes in whole lines."""

    def __init__(self) -> None:
        # By call: what was printed after the last end of a line.
        self._begun: dict[str, str] = {}

    def add(self, event: AgentEvent) -> Iterator[str]:
        """The lines of one event; none where nothing is to be said."""
        if isinstance(event, ProgramPrinted):
            *whole, rest = (self._begun.pop(event.call_id, "") + event.text).split("\n")
            self._begun[event.call_id] = rest
            for line in whole:
                yield f"  | {line[:_MAX_PRINTED_CHARACTERS]}"
            return
        if isinstance(event, ProgramFinished) and (rest := self._begun.pop(event.call_id, "")):
            yield f"  | {rest[:_MAX_PRINTED_CHARACTERS]}"
        if line := _render(event):
            yield line


def _render(event: AgentEvent) -> str:
    match event:
        case TurnStarted():
            return f"turn {event.turn}: {event.model}"
        case SearchFinished():
            asked = ", ".join(f'"{query[:80]}"' for query in event.queries)
            return f"  search: {asked}: {_name(event.found) or 'nothing found'}"
        case ToolsRevealed():
            return f"  revealed: {_name(event.names)}"
        case ProgramStarted():
            lines = event.code.count("\n") + 1
            return f"  program: {lines} lines" if event.code else "  program: waited for"
        case ProgramFinished():
            return _render_program(event)
        case ToolFinished():
            return f"  call: {event.tool}: {event.status}, {event.duration_ms:,.0f} ms"
        case Notice():
            return f"  {event.kind}: {event.text}"
        case TurnFinished():
            spent = f"; ${event.spent_usd:.4f} so far" if event.spent_usd else ""
            return f"  tokens: {_render_usage(event.usage)}{spent}"
        case _:
            return ""


def render_total(result: AgentResult) -> str:
    """What the task took, in one line."""
    parts = [
        f"{result.status}: {result.turns} turns",
        f"{len(result.calls)} calls",
        _render_usage(result.usage),
    ]
    if result.cost_usd is not None:
        parts.append(f"${result.cost_usd:.4f}")
    held = result.prompt_tokens.total
    if result.direct_tokens > held:
        parts.append(f"about {1 - held / result.direct_tokens:.0%} below calling tools directly")
    return ", ".join(parts)


def _render_program(event: ProgramFinished) -> str:
    counts = Counter(record.tool for record in event.calls)
    called = ", ".join(
        tool if count == 1 else f"{count:,} x {tool}"
        for tool, count in counts.most_common(_MAX_NAMED)
    )
    rest = len(counts) - _MAX_NAMED
    named = f" ({called}{f', {rest} more' if rest > 0 else ''})" if called else ""
    text = f"  program {event.status}: {len(event.calls):,} calls{named}, {event.wall_s:.2f} s"
    return f"{text}; {event.error}" if event.error else text


def _render_usage(usage: TokenUsage) -> str:
    read = usage.cache_read_tokens
    total = usage.input_tokens + read + usage.cache_write_tokens
    cached = f" ({read:,} cached)" if read else ""
    return f"{total:,} tokens in{cached}, {usage.output_tokens:,} out"


def _name(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - _MAX_NAMED} more" if len(every) > _MAX_NAMED else ""
    return ", ".join(every[:_MAX_NAMED]) + more
