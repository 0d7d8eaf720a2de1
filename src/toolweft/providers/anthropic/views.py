"""Callers, containers and calls in the vendor's own shape, for users who know it.

Thin: what they say of themselves is said by `Caller` and `Container` of the core, to which and from
which they lead. Nothing in the project decides by them.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from toolweft.core.calls import DIRECT, Caller
from toolweft.core.calls import CallerType as CoreCallerType
from toolweft.core.clock import Clock, SystemClock
from toolweft.core.errors import InvalidValue
from toolweft.core.ids import ContainerId, RunId
from toolweft.core.json import Json, JsonObject
from toolweft.core.programs import Container
from toolweft.providers.anthropic.target import API

__all__ = ("CallerInfo", "CallerType", "ContainerInfo", "ToolCall")

_CODE_EXECUTION: Final = "code_execution"
# As replies report a program, whichever version of the tool runs it.
_REPORTED: Final = "code_execution_20260120"


class CallerType(StrEnum):
    """Who makes a call; every version of the vendor's `code_execution_...` is PROGRAMMATIC."""

    DIRECT = "direct"
    PROGRAMMATIC = "programmatic"
    CODE_EXECUTION = "programmatic"

    @classmethod
    def _missing_(cls, value: object) -> "CallerType | None":
        is_vendors = isinstance(value, str) and value.startswith(_CODE_EXECUTION)
        return cls.PROGRAMMATIC if is_vendors else None

    def to_caller_type(self) -> CoreCallerType:
        """The project's own word."""
        return "direct" if self is CallerType.DIRECT else "programmatic"

    def to_wire(self) -> str:
        """The vendor's spelling: "direct" or "code_execution_20260120"."""
        return _REPORTED if self is CallerType.PROGRAMMATIC else self.value


@dataclass(frozen=True, slots=True)
class CallerInfo:
    """Who made a call: the model, or the program `tool_id` that runs at the vendor.

    Raises:
        InvalidValue: a program without its id, or an id where the model itself calls.
    """

    type: CallerType = CallerType.DIRECT
    tool_id: str | None = None
    # How the vendor wrote a program's type.
    spelling: str = field(default=_REPORTED, repr=False, compare=False, kw_only=True)

    def __post_init__(self) -> None:
        given = self.type
        object.__setattr__(self, "type", _parse_caller_type(given))
        if str(given).startswith(f"{_CODE_EXECUTION}_"):
            object.__setattr__(self, "spelling", str(given))
        if self.is_programmatic and not self.tool_id:
            raise InvalidValue(
                f"caller.tool_id is {self.tool_id!r}",
                hint="a programmatic caller names its program, the id of the server_tool_use",
            )
        if not self.is_programmatic and self.tool_id is not None:
            raise InvalidValue(
                f"caller.tool_id is {self.tool_id!r} for a direct call",
                hint="leave it out, or make the type programmatic",
            )

    @property
    def is_programmatic(self) -> bool:
        """Whether a program made the call."""
        return self.type is CallerType.PROGRAMMATIC

    @classmethod
    def from_dict(cls, caller: Json) -> Self:
        """The `caller` of a block; direct where there is none, as in old responses.

        Raises:
            InvalidValue: a type nobody knows, or a program without its id.
        """
        if caller is None:
            return cls()
        if not isinstance(caller, dict):
            raise InvalidValue(
                f"caller is {caller!r:.80}", hint='an object with a type: {"type": "direct"}'
            )
        return cls(caller.get("type") or CallerType.DIRECT, caller.get("tool_id"))

    def to_dict(self) -> dict[str, Json]:
        """The caller as the vendor's wire prints it."""
        if not self.is_programmatic:
            return {"type": "direct"}
        return {"type": self.spelling, "tool_id": self.tool_id}

    @classmethod
    def from_caller(cls, caller: Caller, *, spelling: str = _REPORTED) -> Self:
        """The view of a `Caller`, which the vendor may have written differently."""
        return cls(CallerType(caller.type), caller.program_id, spelling=spelling)

    def to_caller(self, *, call_index: int | None = None) -> Caller:
        """The `Caller` it is a view of; the vendor does not tell the index."""
        if self.tool_id is None:
            return DIRECT
        program_id = RunId(self.tool_id)
        return Caller(type="programmatic", program_id=program_id, call_index=call_index)


@dataclass(frozen=True, slots=True)
class ContainerInfo:
    """The container at the vendor that a program ran in.

    Args:
        id: pass it as `container_id` to go on in it.
        expires_at: a time with a zone, or its text: "2026-11-20T22:10:00Z".
        clock: what time it is.

    Raises:
        InvalidValue: the time cannot be read or has no zone.
    """

    id: str
    expires_at: datetime
    clock: Clock = field(default_factory=SystemClock, repr=False, compare=False, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not self.id:
            raise InvalidValue(f"container.id is {self.id!r:.80}", hint="a text that is not empty")
        object.__setattr__(self, "expires_at", _parse_time(self.expires_at))

    @property
    def is_expired(self) -> bool:
        """Whether it is over; so at `expires_at` itself too."""
        return self.to_container().is_expired(self.clock.now())

    @property
    def time_remaining_seconds(self) -> float:
        """Seconds until it expires, never below 0."""
        return self.to_container().time_remaining_s(self.clock.now())

    @classmethod
    def from_dict(cls, container: Json, *, clock: Clock | None = None) -> Self:
        """The `container` of a response.

        Raises:
            InvalidValue: it has no id, or a time that cannot be read.
        """
        if not isinstance(container, dict):
            raise InvalidValue(
                f"container is {container!r:.80}", hint="an object with id and expires_at"
            )
        return cls(container.get("id", ""), container.get("expires_at", ""), clock=_or_real(clock))

    def to_dict(self) -> dict[str, Json]:
        """The container as the vendor's wire prints it."""
        return {"id": self.id, "expires_at": self.expires_at.isoformat().replace("+00:00", "Z")}

    @classmethod
    def from_container(cls, container: Container, *, clock: Clock | None = None) -> Self:
        """The view of a `Container`."""
        return cls(container.id, container.expires_at, clock=_or_real(clock))

    def to_container(self) -> Container:
        """The `Container` it is a view of, as far as the vendor tells."""
        now = self.clock.now()
        container = Container(
            id=ContainerId(self.id),
            expires_at=self.expires_at,
            last_active_at=now,
            status="idle",
            backend=API,
        )
        return replace(container, status="expired") if container.is_expired(now) else container


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call that waits for its result."""

    id: str
    name: str
    arguments: JsonObject
    caller: CallerInfo = field(default_factory=CallerInfo)
    # Why it must not be made: broken arguments, an unknown tool, a caller that is not allowed.
    # Empty where nothing speaks against it.
    fault: str = ""

    @classmethod
    def from_dict(cls, block: JsonObject) -> Self:
        """A `tool_use` block of a response, also an old one without `caller`.

        Raises:
            InvalidValue: it has no id or name, or its caller cannot be read.
        """
        call_id, name = block.get("id"), block.get("name")
        if not isinstance(call_id, str) or not isinstance(name, str):
            raise InvalidValue(
                f"tool_use has the id {call_id!r:.80} and the name {name!r:.80}",
                hint="both are texts",
            )
        given = block.get("input", {})
        return cls(
            id=call_id,
            name=name,
            arguments=given if isinstance(given, dict) else {},
            caller=CallerInfo.from_dict(block.get("caller")),
            fault="" if isinstance(given, dict) else f"the arguments are {given!r:.80}, no object",
        )

    def to_dict(self) -> dict[str, Json]:
        """The call as plain JSON."""
        told: dict[str, Json] = {
            "id": self.id,
            "name": self.name,
            "arguments": self.arguments,
            "caller": self.caller.to_dict(),
        }
        return {**told, "fault": self.fault} if self.fault else told


def _parse_caller_type(value: Json) -> CallerType:
    try:
        return CallerType(value)
    except ValueError:
        raise InvalidValue(
            f"caller.type is {value!r:.80}", hint='"direct" or "code_execution_20260120"'
        ) from None


def _parse_time(value: datetime | str) -> datetime:
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise InvalidValue(
            f"container.expires_at is {value!r:.80}", hint='a time: "2026-11-20T22:10:00Z"'
        ) from None
    if time.tzinfo is None:
        raise InvalidValue(
            f"container.expires_at is {value!s:.80}, a time without a zone",
            hint='end it with "Z" or an offset, or pass tzinfo=UTC',
        )
    return time


def _or_real(clock: Clock | None) -> Clock:
    return SystemClock() if clock is None else clock
