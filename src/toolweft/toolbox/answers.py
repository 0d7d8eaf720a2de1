"""What the toolbox answers, as data; `toolweft.toolbox.render` makes text of it."""

from dataclasses import dataclass

from toolweft.core.calls import Content
from toolweft.core.ids import QualifiedName, SourceName
from toolweft.core.json import Json, JsonObject
from toolweft.core.programs import ProgramOutcome
from toolweft.core.search import SearchHit
from toolweft.core.snapshot import ToolStatus
from toolweft.core.tools import Severity

__all__ = (
    "DescribeAnswer",
    "DescribedSource",
    "FoundTool",
    "QueryAnswer",
    "SearchAnswer",
    "ToolboxReply",
    "UnknownTool",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTool:
    """One tool as it is shown."""

    qualified: QualifiedName
    # The callable signature, in the detail asked for; parses as Python.
    stub: str
    severity: Severity
    status: ToolStatus
    # Higher is better, comparable within one query; None where nothing was ranked.
    score: float | None = None
    # Why it was found; None unless that was asked for.
    hit: SearchHit | None = None

    def to_dict(self) -> dict[str, Json]:
        """The tool as wires print it; with why it was found where that was asked for."""
        found: dict[str, Json] = {
            "name": self.qualified,
            "signature": self.stub,
            "severity": self.severity,
            "status": self.status,
            "score": self.score,
        }
        return found if self.hit is None else found | self.hit.to_dict()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryAnswer:
    """What one query found, best first."""

    query: str
    hits: tuple[FoundTool, ...]
    # Whether even the best hit fits badly, or nothing does.
    is_weak: bool = False
    # Set where the answer is weak: so much in words, and what to do instead.
    note: str = ""
    # Words to ask with instead, where the answer is weak.
    suggestions: tuple[str, ...] = ()
    # What could not be used for this answer; "" where everything was.
    degraded: str = ""
    # Why, for whoever runs toolweft: it may hold addresses, paths and text of others, so it is not
    # rendered, nor part of `to_dict`, which may be on its way to a model.
    degraded_reason: str = ""

    def to_dict(self) -> dict[str, Json]:
        """The answer as plain JSON."""
        return {
            "query": self.query,
            "hits": [hit.to_dict() for hit in self.hits],
            "is_weak": self.is_weak,
            "note": self.note,
            "suggestions": list(self.suggestions),
            "degraded": self.degraded,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchAnswer:
    """What each query found, in the order asked."""

    queries: tuple[QueryAnswer, ...]
    snapshot_version: int
    # The connected sources with their numbers of tools, where an answer is weak; else "".
    sources: str = ""

    def to_dict(self) -> dict[str, Json]:
        """The answer as plain JSON."""
        return {
            "queries": [answer.to_dict() for answer in self.queries],
            "sources": self.sources,
            "snapshot_version": self.snapshot_version,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownTool:
    """A name that means no tool, or more than one."""

    name: str
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedSource:
    """A source that was asked for by its name, in its own words."""

    name: SourceName
    tool_count: int
    # "" where it says nothing, or where what it says is held back.
    instructions: str = ""
    # Why that is held back.
    withheld: str = ""

    def to_dict(self) -> dict[str, Json]:
        """The source as wires print it."""
        return {
            "name": self.name,
            "tools": self.tool_count,
            "instructions": self.instructions,
            "withheld": self.withheld,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeAnswer:
    """The tools asked for, in the order asked, and the names that are none."""

    tools: tuple[FoundTool, ...]
    unknown: tuple[UnknownTool, ...] = ()
    sources: tuple[DescribedSource, ...] = ()

    def to_dict(self) -> dict[str, Json]:
        """The answer as plain JSON; `sources` only where one was asked for."""
        described: dict[str, Json] = {
            "tools": [tool.to_dict() for tool in self.tools],
            "unknown": [
                {"name": u.name, "message": u.message, "hint": u.hint} for u in self.unknown
            ],
        }
        if self.sources:
            described["sources"] = [source.to_dict() for source in self.sources]
        return described


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolboxReply:
    """The answer to one model-facing request."""

    # What the model reads first; empty where `content` says it all.
    text: str
    # Blocks after the text: images, links, and text that stands among them.
    content: tuple[Content, ...] = ()
    # None wherever it would only repeat the text.
    structured: JsonObject | None = None
    is_error: bool = False
    # For whoever goes on from here in Python: the failure's code and its reason alone, the tools
    # that are shown, best first, and how a program ended.
    code: str = ""
    reason: str = ""
    found: tuple[QualifiedName, ...] = ()
    outcome: ProgramOutcome | None = None
    # The answer of an MCP source as it came; see `core.calls.RawResult`.
    sent: JsonObject | None = None
