"""What came of the calls of one reply, as the model gets it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from toolweft.agent.decisions import Fault
from toolweft.agent.declaring import Found
from toolweft.core.calls import Blob, Content, LinkContent, TextContent
from toolweft.core.messages import ModelCall, ModelResult, ModelTool, ResultsMessage
from toolweft.toolbox import ToolboxReply

__all__ = ("CallAnswer", "Done", "gather_answers", "refuse_call")


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of the calls of one reply."""

    results: ResultsMessage
    # Tools that were not declared before, to be added behind the results.
    added: tuple[ModelTool, ...] = ()
    # Names of hidden tools that the results reveal.
    revealed: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    has_success: bool = False


@dataclass(slots=True)
class CallAnswer:
    """What came of one call."""

    reply: ToolboxReply
    found: Found = field(default_factory=Found)


def gather_answers(calls: Sequence[ModelCall], answers: Sequence[CallAnswer]) -> Done:
    """What came of all calls of a reply, in their order."""
    pairs = list(zip(calls, answers, strict=True))
    faults = [(call.name, a.reply.code, a.reply.reason) for call, a in pairs if a.reply.is_error]
    added = {tool.name: tool for _, answer in pairs for tool in answer.found.added}
    return Done(
        results=ResultsMessage(results=tuple(_as_result(call, answer) for call, answer in pairs)),
        added=tuple(added.values()),
        revealed=tuple(dict.fromkeys(name for _, a in pairs for name in a.found.revealed)),
        faults=tuple(faults),
        has_success=len(faults) < len(pairs),
    )


def _as_result(call: ModelCall, answer: CallAnswer) -> ModelResult:
    reply = answer.reply
    text = (TextContent(reply.text),) if reply.text else ()
    return ModelResult(
        call_id=call.id,
        name=call.name,
        content=(*text, *map(_as_content, reply.content)),
        is_error=reply.is_error,
        caller=call.caller,
        revealed=answer.found.revealed,
    )


def _as_content(block: Content) -> TextContent | Blob:
    if isinstance(block, LinkContent):
        return TextContent(f"[{block.name or 'resource'}: {block.uri}]")
    return block


def refuse_call(code: str, reason: str, hint: str = "") -> ToolboxReply:
    """An error that the model can act on."""
    text = f"{code}: {reason}\nhint: {hint}" if hint else f"{code}: {reason}"
    return ToolboxReply(text=text, is_error=True, code=code, reason=reason)
