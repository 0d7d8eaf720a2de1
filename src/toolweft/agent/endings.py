"""How tasks end, and what their errors say."""

from toolweft.agent.results import AgentStatus
from toolweft.core.calls import Failure
from toolweft.core.errors import ContextFull, ToolweftError
from toolweft.core.messages import ModelReply

__all__ = ("EndedError", "context_failure", "end_task", "failure_of")


class EndedError(Exception):
    """A task is over; never leaves the loop."""

    def __init__(
        self, status: AgentStatus, *, text: str = "", error: Failure | None = None
    ) -> None:
        super().__init__(status)
        self.status = status
        self.text = text
        self.error = error


def end_task(
    status: AgentStatus, message: str, hint: str, *, text: str = "", code: str | None = None
) -> EndedError:
    """The end of a task that is not done; its code is the status unless another is given."""
    failure = Failure(code=code or status, message=message, hint=hint)
    return EndedError(status, text=text, error=failure)


def failure_of(error: ToolweftError) -> Failure:
    """An error as data."""
    return Failure(
        code=error.code, message=error.message, hint=error.hint, retryable=error.retryable
    )


def context_failure(reply: ModelReply) -> Failure:
    """The error of a reply that says that the history is too long."""
    return Failure(
        code=ContextFull.code,
        message=f"the history does not fit into what {reply.model} takes",
        hint="ask for less, or begin a new conversation",
    )
