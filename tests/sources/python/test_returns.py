"""What functions return: the schema it promises, and what arrives."""

import enum
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, NotRequired, TypedDict

import pytest
from pydantic import BaseModel, Field
from tests.sources.python.support import define, serve
from tests.sources.support import use

from toolweft.core.calls import Blob, RawResult
from toolweft.core.tools import ToolSpec

TENANT: ContextVar[str] = ContextVar("tenant", default="nobody")


class Team(BaseModel):
    name: str
    leader: str = Field("", alias="from")


class Row(TypedDict):
    id: int
    note: NotRequired[str]


@dataclass
class Order:
    price: Decimal


class Colour(enum.Enum):
    RED = "red"


def returning(annotation: Any, value: Any = None) -> ToolSpec:
    def give() -> Any:
        return value

    give.__annotations__["return"] = annotation
    return ToolSpec(name="give", handler=give)


@pytest.mark.parametrize(
    ("annotation", "value", "schema", "arrives"),
    [
        (int, 1, {"type": "integer"}, 1),
        (str | None, None, {"anyOf": [{"type": "string"}, {"type": "null"}]}, None),
        (datetime, datetime(2024, 5, 6), {"type": "string", "format": "date-time"}, "2024-05-06"),
        (list[int], [1], {"type": "array", "items": {"type": "integer"}}, [1]),
        (dict[str, float], {"a": 1.5}, {"additionalProperties": {"type": "number"}}, {"a": 1.5}),
        (Team, Team(name="a", **{"from": "b"}), {"required": ["name"]}, {"name": "a", "from": "b"}),
        (list[Team], [Team(name="a")], {"type": "array"}, [{"name": "a", "from": ""}]),
        (Row, {"id": 1}, {"required": ["id"]}, {"id": 1}),
        (Order, Order(Decimal("1.50")), {"required": ["price"]}, {"price": "1.50"}),
        (Colour, Colour.RED, {"enum": ["red"]}, "red"),
        (tuple[int, str], (1, "a"), {"type": "array", "maxItems": 2}, [1, "a"]),
        (Annotated[int, Field(description="of rows")], 1, {"description": "of rows"}, 1),
    ],
    ids=str,
)
async def test_a_return_type_is_a_schema_and_values_follow_it(
    annotation: Any, value: Any, schema: Any, arrives: Any
) -> None:
    spec = returning(annotation, value)
    promised = define(spec).output_schema
    result = await use(serve(spec), "give")

    assert promised is not None
    assert {key: promised.get(key) for key in schema} == schema
    given = result.structured
    assert (given[:10] if isinstance(value, datetime) else given) == arrives


@pytest.mark.parametrize(
    "annotation",
    [
        None,
        type(None),
        Any,
        bytes,
        bytes | None,
        list[bytes],
        tuple[str, bytes],
        Annotated[bytes, "a picture"],
        Blob,
        RawResult,
        Awaitable[int],
    ],
    ids=str,
)
def test_what_is_no_json_or_says_nothing_promises_nothing(annotation: Any) -> None:
    assert define(returning(annotation)).output_schema is None


@pytest.mark.parametrize(
    "wrap", [iter, lambda rows: (row for row in rows), lambda rows: map(str, rows)]
)
async def test_items_one_after_another_are_refused_and_not_read(wrap: Any) -> None:
    read: list[int] = []

    def rows() -> Iterator[int]:
        read.append(1)
        yield 1

    def give() -> Any:
        return wrap(rows())

    result = await use(serve(give), "give")

    assert result.is_error
    assert "one item after another: a tool returns them together" in result.content[0].text
    assert read == []


async def test_an_async_iterator_is_refused_too() -> None:
    async def rows() -> AsyncIterator[int]:
        yield 1

    async def give() -> Any:
        return rows()

    assert "as in list(...)" in (await use(serve(give), "give")).content[0].text


@pytest.mark.parametrize(
    ("value", "media_types"),
    [
        (b"\x89PNG\r\n\x1a\n\0", ["image/png"]),
        ([b"GIF89a\1\0", b"GIF89a"], ["image/gif", "application/octet-stream"]),
        (Blob(data=b"\xff\xd8\xff", media_type="image/x-own"), ["image/x-own"]),
    ],
)
async def test_bytes_of_an_image_arrive_as_one(value: Any, media_types: list[str]) -> None:
    result = await use(serve(returning(Any, value)), "give")

    assert [block.media_type for block in result.content] == media_types


async def test_functions_of_either_kind_see_the_context_of_their_caller() -> None:
    def sync() -> str:
        return TENANT.get()

    async def in_loop() -> str:
        return TENANT.get()

    source = serve(sync, in_loop)
    token = TENANT.set("acme")
    try:
        assert (await use(source, "sync")).structured == "acme"
        assert (await use(source, "in_loop")).structured == "acme"
    finally:
        TENANT.reset(token)
