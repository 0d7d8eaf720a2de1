"""Who stands behind a call: can be asked, hears of progress, reads log lines.

A question that a source or a policy raises reaches only the client whose call caused it. Fronts
implement `CallingClient`; sources use the one of the call they answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias

from toolweft.core.errors import AskRefused
from toolweft.core.ids import SourceName
from toolweft.core.json import Json, JsonObject

__all__ = ("NOBODY", "Ask", "AskKind", "CallingClient", "Nobody", "Progress", "session_of")

AskKind: TypeAlias = Literal["elicitation", "sampling", "roots", "approval"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question during a call, in the words of MCP."""

    kind: AskKind
    # Who asks.
    source: SourceName
    # The tool, prompt or resource that was used; "" where that is not known.
    about: str = ""
    # As of `elicitation/create`, `sampling/createMessage` or `roots/list`; of an approval, those of
    # a form.
    params: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a call is."""

    progress: float
    total: float | None = None
    message: str | None = None


class CallingClient(Protocol):
    """The client of one call, or of all calls of one program."""

    @property
    def capabilities(self) -> JsonObject:
        """MCP's ClientCapabilities: `{"elicitation": {"form": {}}, "roots": {}}`; {} for none."""
        ...

    @property
    def log_level(self) -> str | None:
        """The least level of log lines that it wants, "info"; None for none."""
        ...

    @property
    def meta(self) -> Mapping[str, Json]:
        """What stood in the `_meta` of its request and is none of ours: the trace context."""
        ...

    @property
    def wants_progress(self) -> bool:
        """Whether it asked to hear of progress."""
        ...

    async def ask(self, ask: Ask) -> JsonObject:
        """Put a question to it; cancelling the await withdraws it.

        Whoever asks holds the call's countdown meanwhile: people are not hurried.

        Returns:
            The result of that method in MCP: `{"action": "accept", "content": {…}}`.

        Raises:
            AskRefused: it cannot be asked this, or did not answer in time.
        """
        ...

    def report(self, progress: Progress) -> None:
        """Pass on how far the call is; never waits, and may be dropped."""
        ...

    def log(self, level: str, data: Json, *, logger: str | None = None) -> None:
        """Pass on a log line of the source; never waits, and may be dropped."""
        ...


def session_of(client: object) -> object | None:
    """What is the same object for all calls of one client; None for clients that do not say.

    Those that last for one call only, as the gateway's, say it in an attribute `session`.
    """
    return getattr(client, "session", None)


class Nobody:
    """No client: refuses every question and hears nothing."""

    capabilities: JsonObject = {}  # noqa: RUF012 -- never written
    log_level = None
    meta: Mapping[str, Json] = {}
    wants_progress = False

    async def ask(self, ask: Ask) -> JsonObject:
        """Refuse.

        Raises:
            AskRefused: always.
        """
        raise AskRefused(
            f"{ask.source!r} asks for {ask.kind}, and nobody is there to answer",
            hint="call the tool from a client that can be asked",
        )

    def report(self, progress: Progress) -> None:
        """Drop it."""

    def log(self, level: str, data: Json, *, logger: str | None = None) -> None:
        """Drop it."""


NOBODY: Final = Nobody()
