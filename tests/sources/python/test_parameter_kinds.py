"""Every kind of parameter: what its schema says, and what the function gets."""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NotRequired,
    Optional,
    Required,
    TypedDict,
    Union,
)
from uuid import UUID

import pytest
from pydantic import BaseModel, Field
from tests.sources.python.support import define, serve
from tests.sources.support import use

from toolweft.core.errors import InvalidArguments, InvalidDefinition
from toolweft.core.tools import ToolSpec

# Postponed annotations throughout: every type is named before it is there.


def look(value: Later) -> Later:
    return value


class Later(BaseModel):
    name: str
    parts: list[Later] = []


class Colour(enum.Enum):
    RED = "red"


class Size(enum.IntEnum):
    SMALL = 1


class Point(NamedTuple):
    x: int
    y: int = 0


class Row(TypedDict, total=False):
    """A row of the table."""

    id: Required[int]
    note: str
    picture: bytes
    below: list[Row]


class Head(TypedDict):
    id: int
    note: NotRequired[str]


@dataclass
class Order:
    count: int
    tags: list[str] = field(default_factory=list)


# What is annotated, what is given, and what of it arrives.
KINDS: list[tuple[Any, Any, Any]] = [
    (Optional[int], None, None),  # noqa: UP045 -- as users write it
    (int | None, 3, 3),
    (Union[int, list[int]], [3], [3]),  # noqa: UP007 -- as users write it
    (Literal["a", 1], 1, 1),
    (Colour, "red", Colour.RED),
    (Size, 1, Size.SMALL),
    (datetime, "2024-05-06T07:08:09", datetime(2024, 5, 6, 7, 8, 9)),
    (date, "2024-05-06", date(2024, 5, 6)),
    (timedelta, "PT1H", timedelta(hours=1)),
    (Decimal, "1.50", Decimal("1.50")),
    (UUID, "12345678123456781234567812345678", UUID("12345678123456781234567812345678")),
    (bytes, "aGk=", b"hi"),
    (bytes, "_-8", b"\xff\xef"),
    (bytes | None, None, None),
    (list[bytes], ["aGk="], [b"hi"]),
    (dict[str, Annotated[bytes, Field(max_length=2)]], {"a": "aGk="}, {"a": b"hi"}),
    (tuple[int, ...], [1, 2], (1, 2)),
    (set[int], [1], {1}),
    (Point, [1], Point(1)),
    (Order, {"count": 1}, Order(1)),
    (Head, {"id": 1}, {"id": 1}),
    (list[Row], [{"id": 1, "below": [{"id": 2}]}], [{"id": 1, "below": [{"id": 2}]}]),
    (Row | None, {"id": 1, "picture": "aGk="}, {"id": 1, "picture": b"hi"}),
    (Any, {"a": [1]}, {"a": [1]}),
]


def taking(annotation: Any) -> tuple[ToolSpec, list[Any]]:
    """A tool with one parameter of a type, and what it was given."""
    seen: list[Any] = []

    def take(value: Any) -> None:
        seen.append(value)

    take.__annotations__["value"] = annotation
    return ToolSpec(name="take", handler=take), seen


@pytest.mark.promise("sources.python-kinds")
@pytest.mark.parametrize(("annotation", "given", "arrives"), KINDS, ids=lambda kind: str(kind)[:40])
async def test_an_argument_arrives_as_the_type_of_its_parameter(
    annotation: Any, given: Any, arrives: Any
) -> None:
    spec, seen = taking(annotation)

    result = await use(serve(spec), "take", value=given)

    assert not result.is_error, result
    assert seen == [arrives]
    assert type(seen[0]) is type(arrives)


@pytest.mark.parametrize(
    ("annotation", "given"),
    [
        (Literal["a", 1], "b"),
        (Colour, "blue"),
        (bytes, "é"),
        (bytes, "a"),
        (Annotated[bytes, Field(max_length=1)], "aGk="),
        (Row, {"note": "no id"}),
        (Head, {"note": "no id"}),
        (Annotated[int, Field(ge=1, le=5)], 6),
        (Annotated[str, Field(pattern="^a")], "b"),
        (Annotated[list[int], Field(max_length=1)], [1, 2]),
    ],
    ids=str,
)
async def test_what_does_not_fit_is_refused_with_its_place(annotation: Any, given: Any) -> None:
    spec, seen = taking(annotation)

    with pytest.raises(InvalidArguments, match=r"^the arguments of take do not fit: \$\.value"):
        await use(serve(spec), "take", value=given)

    assert seen == []


def schema_of(annotation: Any) -> Any:
    spec, _ = taking(annotation)
    schema = define(spec).input_schema
    return schema["properties"]["value"], schema.get("$defs", {})


def test_bytes_are_said_to_be_base64_and_have_no_limits_of_a_text() -> None:
    shown, _ = schema_of(Annotated[bytes, Field(max_length=2, description="a picture")])
    assert shown == {"type": "string", "contentEncoding": "base64", "description": "a picture"}


def test_a_typed_dictionary_says_which_keys_must_be_there() -> None:
    _, row = schema_of(Row | None)
    _, head = schema_of(list[Head])
    assert row["Row"]["required"] == ["id"]
    assert row["Row"]["description"] == "A row of the table."
    assert row["Row"]["properties"]["below"]["items"] == {"$ref": "#/$defs/Row"}
    assert head["Head"]["required"] == ["id"]


def test_a_text_beside_a_type_describes_it_unless_a_field_does() -> None:
    alone, _ = schema_of(Annotated[int, "how many"])
    beside, _ = schema_of(Annotated[int, "a note", Field(description="how many", ge=1)])
    assert alone == {"type": "integer", "description": "how many"}
    assert beside == {"type": "integer", "description": "how many", "minimum": 1}


async def test_names_that_come_later_are_found() -> None:
    given = {"name": "a", "parts": [{"name": "b", "parts": []}]}
    assert (await use(serve(look), "look", value=given)).structured == given
    assert define(look).output_schema is not None


async def test_defaults_of_every_kind_are_shown_and_are_the_functions_own() -> None:
    order = Order(2)

    def check(
        number: int = 1,
        absent: str | None = None,
        many: list[int] = [1],  # noqa: B006 -- as users write it
        colour: Colour = Colour.RED,
        day: date = date(2024, 5, 6),
        price: Decimal = Decimal("1.5"),
        raw: bytes = b"\xff",
        nested: Order = order,
        made: list[str] = Field(default_factory=lambda: ["made"]),  # noqa: B008 -- pydantic's
    ) -> list[Any]:
        assert nested is order
        return [number, absent, many, colour is Colour.RED, day, price, raw == b"\xff", made]

    properties = define(ToolSpec(name="check", handler=check)).input_schema["properties"]
    shown = {name: told["default"] for name, told in properties.items() if "default" in told}
    result = await use(serve(check), "check")

    assert shown == {
        "number": 1,
        "absent": None,
        "many": [1],
        "colour": "red",
        "day": "2024-05-06",
        "price": "1.5",
        "raw": "_w==",
        "nested": {"count": 2, "tags": []},
    }
    assert result.structured == [1, None, [1], True, "2024-05-06", "1.5", True, ["made"]]


async def test_keyword_only_parameters_are_like_others() -> None:
    def add(*, a: int, b: int = 2) -> int:
        return a + b

    assert define(add).input_schema["required"] == ["a"]
    assert (await use(serve(add), "add", a=1)).structured == 3


def many(*numbers: int) -> None: ...
def more(a: int, **options: int) -> None: ...
def first(a: int, /, b: int) -> None: ...
def method(self, number: int) -> None: ...  # type: ignore[no-untyped-def] # as in a class
def callback(then: Callable[[int], int]) -> None: ...
def late(value: Nowhere) -> None: ...  # type: ignore[name-defined] # noqa: F821 -- the fault


def undecorated(function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(*arguments: Any, **named: Any) -> Any:
        return function(*arguments, **named)

    return wrapper


def numbers(count: int) -> Iterator[int]:
    yield from range(count)


async def counted(count: int) -> Any:
    yield count


class Counter:
    def __call__(self, count: int) -> Iterator[int]:
        yield count


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (many, r"'\*numbers: \S+', which has no name to give it by \(name each parameter"),
        (more, r"'\*\*options: \S+', which says nothing of what it takes \(name each parameter"),
        (first, r"'a: \S+', which cannot be given by name \(use parameters .* without '/'"),
        (method, r"'self', which is the object of a method \(give the method of an object"),
        (undecorated(look), r"'\*arguments: .* functools.wraps"),
        (callback, "'callback' has the parameter 'then' without a JSON form"),
        (late, "'late' cannot be read at its parameter 'value': name 'Nowhere' is not defined"),
        (numbers, r"'numbers' is a generator, .* \(return its items together: a list\)"),
        (counted, "'counted' is a generator"),
        (functools.partial(numbers, 1), "'numbers' is a generator"),
        (Counter(), "'Counter' is a generator"),
        (Order, r"'Order' is the class 'Order', not a function \(give an object"),
        (len, "'len' has the parameter 'obj', which cannot be given by name"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_with_the_reason(function: Any, said: str) -> None:
    with pytest.raises(InvalidDefinition, match=said):
        define(function)
