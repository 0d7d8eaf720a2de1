"""Every error toolweft raises, each with a stable code and a hint.

    ToolweftError
    ├── ConfigError            a file, key, value or secret of the configuration
    ├── InvalidValue           an argument that a function of the library cannot use
    ├── CatalogError
    │   ├── ToolNotFound       no tool of that name
    │   │   └── ToolGone       there was one, and its source does not offer it any more
    │   ├── AmbiguousTool      a bare name that several sources have
    │   ├── InvalidDefinition  a tool definition or schema that cannot be used
    │   ├── ContentNotFound    no resource of that address, or no prompt of that name
    │   └── ToolSuspended      a definition that is not the accepted one
    ├── CallError              a call that did not give a result
    │   ├── InvalidArguments   arguments against the schema, every fault listed
    │   ├── CallDenied         the caller may not make this call
    │   ├── CallTimeout        the deadline passed
    │   ├── AskRefused         a question that a tool asked was not put to anybody
    │   │   └── AskUnanswered  it was, and nobody answered in time
    │   ├── ResultTooLarge     the result is above the cap
    │   ├── ToolFailed         the tool itself answered with an error
    │   ├── SourceRefused      the source answered with an error of its protocol
    │   └── SourceUnavailable  the source is down or broke off
    ├── LedgerUnavailable      a record could not be written
    ├── HandleError            a stored result
    │   ├── HandleNotFound     never existed, expired, or belongs to someone else
    │   └── StorageFull        a cap or the disk leaves no room for it
    ├── EmbedderUnavailable    a text could not be turned into a vector
    ├── ProviderError          a model that could not be asked or did not answer
    │   ├── BudgetSpent        asking once more could cost more than was allowed
    │   ├── ContextFull        the history is longer than the model takes
    │   ├── NoWorker           a program asks a worker, and there is none
    │   ├── WorkerFailed       no worker gave an answer that can be used
    │   ├── ProviderUnavailable  too many requests failed, so this one was not made
    │   └── RemoteContainerGone  the container at the vendor is over
    ├── SandboxError
    │   ├── SandboxUnavailable no isolation tier holds on this machine
    │   ├── ContainerNotFound  never existed, or belongs to someone else
    │   ├── ContainerExpired   idle too long or too old
    │   ├── ContainerBusy      a run is already in it
    │   ├── RunNotFound        no run of that id to wait for
    │   └── RunNotReplayable   a run of which the journal has not everything
    └── Overloaded             too many containers or runs; try again later

A class exists where a caller may do something different, not for each message.
"""

from typing import Any, ClassVar

from toolweft.core.json import Json

__all__ = (
    "AmbiguousTool",
    "AskRefused",
    "AskUnanswered",
    "BudgetSpent",
    "CallDenied",
    "CallError",
    "CallTimeout",
    "CatalogError",
    "ConfigError",
    "ContainerBusy",
    "ContainerExpired",
    "ContainerNotFound",
    "ContentNotFound",
    "ContextFull",
    "EmbedderUnavailable",
    "HandleError",
    "HandleNotFound",
    "InvalidArguments",
    "InvalidDefinition",
    "InvalidValue",
    "LedgerUnavailable",
    "NoWorker",
    "Overloaded",
    "ProviderError",
    "ProviderUnavailable",
    "RemoteContainerGone",
    "ResultTooDeep",
    "ResultTooLarge",
    "RunNotFound",
    "RunNotReplayable",
    "SandboxError",
    "SandboxUnavailable",
    "SourceRefused",
    "SourceUnavailable",
    "StorageFull",
    "ToolFailed",
    "ToolGone",
    "ToolNotFound",
    "ToolSuspended",
    "ToolweftError",
    "WorkerFailed",
)


class ToolweftError(Exception):
    """The base of every error raised by toolweft.

    Attributes:
        code: stable, lower-case, for programs to compare.
        message: what happened, with the offending value.
        hint: what to do next; None where nothing can be said.
        retryable: the same request may succeed later without a change.
    """

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class ConfigError(ToolweftError):
    """The configuration cannot be used; the message names file, place and value."""

    code = "config_error"


class InvalidValue(ToolweftError, ValueError):
    """An argument cannot be used; the message names its place and the value."""

    code = "invalid_value"


class CatalogError(ToolweftError):
    """The catalog cannot answer for a tool."""

    code = "catalog_error"


class ToolNotFound(CatalogError):
    """No tool of that name is in the catalog."""

    code = "tool_not_found"


class ToolGone(ToolNotFound):
    """A tool of that name was in the catalog; the message says whose, and since when it is not."""

    code = "tool_gone"


class AmbiguousTool(CatalogError):
    """A bare name belongs to several sources; the message lists the full names."""

    code = "ambiguous_tool"


class InvalidDefinition(CatalogError):
    """A tool definition or its schema cannot be used; the message gives the reason."""

    code = "invalid_definition"


class ContentNotFound(CatalogError):
    """No source has such a resource or prompt, or several have it."""

    code = "content_not_found"


class ToolSuspended(CatalogError):
    """A tool is not as it was accepted, so it may not be called until it is accepted again."""

    code = "tool_suspended"


class CallError(ToolweftError):
    """A call gave no result."""

    code = "call_error"


class InvalidArguments(CallError):
    """The arguments do not fit the tool's schema; every fault is listed with its path."""

    code = "invalid_arguments"


class CallDenied(CallError):
    """The caller may not make this call; the hint names the line that would allow it."""

    code = "denied"


class CallTimeout(CallError):
    """The deadline of the call or of its run passed."""

    code = "timeout"
    retryable = True


class AskRefused(CallError):
    """A question that came up during the call was not put to anybody, or not answered."""

    code = "ask_refused"


class AskUnanswered(AskRefused):
    """A question that came up during the call was put to somebody who did not answer in time."""

    code = "ask_unanswered"


class ResultTooLarge(CallError):
    """The result is above the size cap."""

    code = "result_too_large"


class ResultTooDeep(ResultTooLarge):
    """The result nests too deeply; storing it would not help."""


class ToolFailed(CallError):
    """The tool answered that it failed; the message is the tool's own text.

    Attributes:
        sent: the answer as it came, as of `RawResult`.
    """

    code = "tool_error"

    def __init__(
        self, message: str, *, hint: str | None = None, sent: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.sent = sent


class SourceRefused(CallError):
    """The source refused a read or a prompt; `wire_code` (of JSON-RPC) and `data` are its own."""

    code = "source_refused"

    def __init__(self, message: str, *, wire_code: int, data: Json = None) -> None:
        super().__init__(message)
        self.wire_code = wire_code
        self.data = data


class SourceUnavailable(CallError):
    """The source did not start, died or broke the protocol; the message says which."""

    code = "source_unavailable"
    retryable = True


class LedgerUnavailable(ToolweftError):
    """A record could not be written, so the call was not made."""

    code = "ledger_unavailable"
    retryable = True
    # The writer was only too slow: the record may be written after all.
    may_be_written = False


class HandleError(ToolweftError):
    """A stored result cannot be used."""

    code = "handle_error"


class HandleNotFound(HandleError):
    """No stored result of that id or name belongs to the caller."""

    code = "handle_not_found"


class StorageFull(HandleError):
    """A result cannot be stored: above a cap, or the disk refuses; the message says which."""

    code = "storage"


class EmbedderUnavailable(ToolweftError):
    """A text could not be turned into a vector; searches go on without."""

    code = "embedder_unavailable"
    retryable = True


class ProviderError(ToolweftError):
    """A model could not be asked, refused the request, or broke off.

    Attributes:
        is_retryable: of this one error; asking again later may help.
        retry_after_s: how long the vendor asked to wait; None where it did not say.
        status: the HTTP status; None where there was no answer.
        has_begun: the answer had begun, so that the vendor may charge for it.
    """

    code = "provider_error"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        retryable: bool = False,
        retry_after_s: float | None = None,
        status: int | None = None,
        has_begun: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.is_retryable = retryable
        self.retry_after_s = retry_after_s
        self.status = status
        self.has_begun = has_begun


class BudgetSpent(ProviderError):
    """Asking a model once more could cost more than was allowed."""

    code = "budget_spent"


class ContextFull(ProviderError):
    """The history does not fit into what the model takes."""

    code = "context_full"


class NoWorker(ProviderError):
    """A program asks a worker, and no model was given that could answer."""

    code = "no_worker"


class WorkerFailed(ProviderError):
    """No model gave an answer that can be used; the message has the reason of each."""

    code = "worker_failed"


class ProviderUnavailable(ProviderError):
    """Too many requests to the model failed, so it is not asked before `retry_after_s`."""

    code = "provider_unavailable"


class RemoteContainerGone(ProviderError):
    """The container at the vendor that a request named is over; its state is gone."""

    code = "remote_container_gone"


class SandboxError(ToolweftError):
    """A program could not be run."""

    code = "sandbox_error"


class SandboxUnavailable(SandboxError):
    """No isolation tier holds on this machine; the message gives the reason for each."""

    code = "sandbox_unavailable"


class ContainerNotFound(SandboxError):
    """No container of that id belongs to the caller."""

    code = "container_not_found"


class ContainerExpired(SandboxError):
    """The container was idle too long or reached its maximum age; its state is gone."""

    code = "container_expired"


class ContainerBusy(SandboxError):
    """A run is already in this container."""

    code = "container_busy"
    retryable = True


class RunNotFound(SandboxError):
    """No run of that id belongs to the caller."""

    code = "run_not_found"


class RunNotReplayable(SandboxError):
    """The journal has the run but not all that went into it; the message says what is missing."""

    code = "run_not_replayable"


class Overloaded(ToolweftError):
    """Every slot is taken; try again later."""

    code = "overloaded"
    retryable = True
