"""The arguments of the four tools, from whatever a model sent to typed requests.

Pure. Forgiving where the meaning is plain (one text for a list, a number as text, null for
nothing), strict everywhere else: every fault is listed, with its place and what would be right.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from toolweft.core.errors import InvalidArguments, InvalidValue
from toolweft.core.ids import ContainerId, RunId
from toolweft.core.json import Json, JsonObject, decode_json
from toolweft.programs.stubs import DETAILS, Detail
from toolweft.toolbox.options import ToolboxOptions

__all__ = (
    "CallRequest",
    "DescribeRequest",
    "RunRequest",
    "SearchRequest",
    "check_seconds",
    "parse_call",
    "parse_describe",
    "parse_run",
    "parse_search",
)

MAX_QUERIES = 10
MAX_NAMES = 20
# Longer waits outlast what clients and proxies keep a request open for.
MAX_WAIT_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """Arguments of search_tools."""

    queries: tuple[str, ...]
    limit: int
    detail: Detail
    namespace: str | None
    category: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeRequest:
    """Arguments of describe_tools."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRequest:
    """Arguments of call_tool."""

    name: str
    # An object or its JSON text, which the road reads.
    arguments: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """Arguments of run_code: a program to start, or a run to wait for."""

    code: str | None
    container_id: ContainerId | None
    run_id: RunId | None
    environment: str | None
    wait_s: float


def parse_search(arguments: JsonObject, options: ToolboxOptions) -> SearchRequest:
    """The request of search_tools.

    Raises:
        InvalidArguments: every fault is listed.
    """
    known = ("queries", "limit", "detail", "namespace", "category")
    reader = _Reader("search_tools", arguments, known)
    queries = reader.texts("queries", MAX_QUERIES)
    limit = reader.number("limit", 1, options.max_search_limit)
    detail = reader.choice("detail", DETAILS)
    namespace = reader.text("namespace")
    category = reader.text("category")
    reader.check()
    return SearchRequest(
        queries=queries,
        limit=options.search_limit if limit is None else int(limit),
        detail=next((known for known in DETAILS if known == detail), "typed"),
        namespace=namespace,
        category=category,
    )


def parse_describe(arguments: JsonObject) -> DescribeRequest:
    """The request of describe_tools; raises as `parse_search`."""
    reader = _Reader("describe_tools", arguments, ("names",))
    names = reader.texts("names", MAX_NAMES)
    reader.check()
    return DescribeRequest(names=names)


def parse_call(arguments: JsonObject) -> CallRequest:
    """The request of call_tool; raises as `parse_search`."""
    reader = _Reader("call_tool", arguments, ("name", "arguments"))
    name = reader.text("name", is_required=True)
    inner = reader.object_or_text("arguments")
    reader.check()
    return CallRequest(name=name or "", arguments=inner)


def parse_run(arguments: JsonObject, options: ToolboxOptions) -> RunRequest:
    """The request of run_code; raises as `parse_search`."""
    reader = _Reader(
        "run_code", arguments, ("code", "container_id", "run_id", "environment", "wait_s")
    )
    code = reader.text("code")
    container_id = reader.text("container_id")
    run_id = reader.text("run_id")
    environment = reader.text("environment")
    wait_s = reader.number("wait_s", 0, MAX_WAIT_S)
    if (code is None) == (run_id is None):
        reader.add_fault("$", "takes either code to run or the run_id of a run to wait for")
    reader.check()
    return RunRequest(
        code=code,
        container_id=None if container_id is None else ContainerId(container_id),
        run_id=None if run_id is None else RunId(run_id),
        environment=environment,
        wait_s=options.wait_s if wait_s is None else wait_s,
    )


def check_seconds(name: str, seconds: float | None) -> None:
    """Check that a time given in Python is one; None is.

    Raises:
        InvalidValue: it is no number, NaN, or beyond what a float holds.
    """
    if seconds is not None and not _is_time(seconds):
        raise InvalidValue(
            f"{name} is a number of seconds, not {_show(seconds)}", hint=f"{name}=30"
        )


def _is_time(seconds: object) -> bool:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return False
    try:
        return not math.isnan(seconds)
    except OverflowError:
        # Clocks count in floats, and integers have no end.
        return False


class _Reader:
    """Reads named arguments and collects what is wrong with them."""

    def __init__(self, tool: str, arguments: JsonObject, known: Sequence[str]) -> None:
        self._tool = tool
        self._known = known
        # Models send null for "nothing".
        self._arguments = {k: v for k, v in arguments.items() if v is not None}
        self._faults: list[str] = []
        for name in self._arguments:
            if name not in known:
                near = get_close_matches(name, known, 1)
                asked = f"; did you mean {near[0]!r}?" if near else ""
                self.add_fault(f"$.{name[:60]}", f"is not a parameter{asked}")

    def add_fault(self, place: str, fault: str) -> None:
        self._faults.append(f"{place} {fault}")

    def text(self, name: str, *, is_required: bool = False) -> str | None:
        value = self._arguments.get(name)
        if value is None:
            if is_required:
                self.add_fault(f"$.{name}", "is missing")
            return None
        if not isinstance(value, str) or not value.strip():
            self.add_fault(f"$.{name}", f"must be a text, not {_show(value)}")
            return None
        return value

    def texts(self, name: str, max_items: int) -> tuple[str, ...]:
        value = self._arguments.get(name)
        if isinstance(value, str):
            value = _parse_list(value) or [value]
        if value is None:
            self.add_fault(f"$.{name}", "is missing; give a list of texts")
            return ()
        if not isinstance(value, list) or not 1 <= len(value) <= max_items:
            shown = _show(value)
            self.add_fault(f"$.{name}", f"must be a list of 1 to {max_items} texts, not {shown}")
            return ()
        for position, item in enumerate(value):
            if not isinstance(item, str) or not item.strip():
                self.add_fault(f"$.{name}[{position}]", f"must be a text, not {_show(item)}")
        return tuple(item for item in value if isinstance(item, str))

    def number(self, name: str, low: float, high: float) -> float | None:
        value = self._arguments.get(name)
        if value is None:
            return None
        try:
            number = None if isinstance(value, bool | list | dict) else float(value)
        except (ValueError, OverflowError):
            number = None
        if number is None or not low <= number <= high:
            self.add_fault(f"$.{name}", f"must be from {low:g} to {high:g}, not {_show(value)}")
            return None
        return number

    def choice(self, name: str, choices: Sequence[str]) -> str | None:
        value = self._arguments.get(name)
        if value is None or value in choices:
            return value
        listed = ", ".join(map(repr, choices))
        self.add_fault(f"$.{name}", f"must be one of {listed}, not {_show(value)}")
        return None

    def object_or_text(self, name: str) -> Json:
        value = self._arguments.get(name, {})
        if not isinstance(value, dict | str):
            shown = _show(self._arguments[name])
            self.add_fault(f"$.{name}", f"must be an object, not {shown}")
            return {}
        return value

    def check(self) -> None:
        if self._faults:
            raise InvalidArguments(
                f"{self._tool}: {'; '.join(self._faults)}",
                hint=f"{self._tool} takes {', '.join(self._known)}",
            )


def _parse_list(text: str) -> list[Json] | None:
    if not text.lstrip().startswith("["):
        return None
    try:
        value = decode_json(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def _show(value: Json) -> str:
    try:
        text = repr(value)
    except ValueError:
        # Python writes no integers of thousands of digits.
        text = "a very long number"
    return text if len(text) <= 60 else f"{text[:57]}..."
