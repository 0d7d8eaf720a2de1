"""What the model learns of a Python function."""

import math
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from tests.sources.support import WaitingListener

from toolweft.core.errors import ConfigError, InvalidDefinition
from toolweft.core.ids import SourceName
from toolweft.core.tools import ToolDefinition, ToolExample, ToolSpec
from toolweft.sources import BoundTool, PythonSource, tool


class Team(BaseModel):
    name: str


@dataclass
class Expense:
    amount: float
    when: date


def define(candidate: Any) -> ToolDefinition:
    """The definition that a source makes of one tool."""
    source = PythonSource(SourceName("local"), [candidate], listener=WaitingListener())
    (built,) = source._tools.values()
    return built.definition


def test_a_plain_function_is_a_tool() -> None:
    def total(category: str, limit: int = 10) -> float:
        """Sum the expenses of a category.

        Slow on large tables.

        Args:
            category: as in the
                budget plan.
            limit: at most so many rows.

        Returns:
            Euros.
        """

    definition = define(total)
    assert (definition.namespace, definition.name) == ("local", "total")
    assert definition.description == "Sum the expenses of a category."
    assert definition.severity == "write"
    assert definition.output_schema == {"type": "number"}
    assert definition.input_schema == {
        "type": "object",
        "additionalProperties": False,
        "required": ["category"],
        "properties": {
            "category": {"type": "string", "description": "as in the budget plan."},
            "limit": {"type": "integer", "default": 10, "description": "at most so many rows."},
        },
    }


def test_a_marked_function_stays_callable_and_keeps_what_it_was_told() -> None:
    example = ToolExample(scenario="one", input={"report": 1})

    @tool(
        name="delete-report",
        description="Deletes.",
        category="reports",
        severity="destructive",
        timeout_s=5,
        examples=[example],
    )
    def delete_report(report: int) -> None:
        """Something else."""

    @tool
    def plain(number: int) -> int:
        return number

    assert plain(3) == 3
    assert define(plain).name == "plain"
    definition = define(delete_report)
    assert definition.name == "delete-report"
    assert definition.description == "Deletes."
    assert definition.category == "reports"
    assert definition.severity == "destructive"
    assert definition.timeout_s == 5
    assert definition.input_examples == (example,)
    assert definition.output_schema is None


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="severty"):
        tool(severty="write")  # type: ignore[call-overload] (the fault under test)


def test_models_dataclasses_and_annotations_shape_the_schema() -> None:
    async def book(
        team: Team,
        expenses: list[Expense],
        kind: Literal["travel", "food"] = "food",
        rate: Annotated[float, Field(gt=0, description="per day")] = 1.0,
        note: str = Field("", description="free text"),
        source: Annotated[str, Field(alias="from")] = "",
    ) -> list[Expense]:
        """Book.

        Args:
            rate: not this.
            note: nor this.
        """

    definition = define(book)
    properties = definition.input_schema["properties"]
    assert list(properties) == ["team", "expenses", "kind", "rate", "note", "from"]
    assert properties["team"] == {"$ref": "#/$defs/Team"}
    assert properties["kind"] == {
        "type": "string",
        "enum": ["travel", "food"],
        "default": "food",
    }
    assert properties["rate"]["exclusiveMinimum"] == 0
    assert properties["rate"]["description"] == "per day"
    assert properties["note"]["description"] == "free text"
    assert definition.input_schema["required"] == ["team", "expenses"]
    assert definition.output_schema is not None
    assert definition.output_schema["type"] == "array"


def test_names_that_pydantic_uses_itself_are_parameters_like_any_other() -> None:
    def odd(json: int, copy: int, model_config: int, _private: int, schema: int) -> Any: ...

    definition = define(odd)
    names = ["json", "copy", "model_config", "_private", "schema"]
    assert list(definition.input_schema["properties"]) == names
    assert definition.output_schema is None


def test_a_default_without_a_json_form_is_left_out() -> None:
    def anything(marker: Any = object(), most: float = math.inf) -> object: ...  # noqa: B008 (a default that is no JSON)

    schema = define(anything).input_schema
    assert schema["properties"] == {"marker": {}, "most": {"type": "number"}}


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: x, "has no name of its own"),
        (eval("lambda *xs: xs"), "has no name of its own"),
    ],
)
def test_a_function_without_a_name_is_refused(function: Any, said: str) -> None:
    with pytest.raises(InvalidDefinition, match=said):
        define(function)


def test_types_without_a_json_form_are_refused() -> None:
    class Socket: ...

    def connect(socket: Socket) -> Socket: ...

    with pytest.raises(InvalidDefinition, match="'connect' has the parameter 'socket' without a J"):
        define(connect)


class Hostile:
    """An annotation whose every use raises."""

    def __eq__(self, other: object) -> bool:
        raise LookupError("not comparable")

    __hash__ = None  # type: ignore[assignment] # as dictionaries have none

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> Any:
        raise OSError("no schema today")


@pytest.mark.parametrize("annotation", [object(), 3, Hostile, Hostile(), {}, [1], "1 / 0", "a b"])
def test_whatever_an_annotation_is_the_function_and_the_parameter_are_named(
    annotation: object,
) -> None:
    def fine(y: int, x: Any) -> Any: ...

    def returns() -> Any: ...

    fine.__annotations__["x"] = annotation
    returns.__annotations__["return"] = annotation

    with pytest.raises(InvalidDefinition, match=r"tool 'fine' .*parameter 'x'"):
        define(fine)
    if not isinstance(annotation, str):
        assert define(returns).output_schema is None


def test_annotations_that_name_nothing_are_refused() -> None:
    def lost(value: "Nowhere") -> None: ...  # type: ignore[name-defined] # noqa: F821 (the fault under test)

    with pytest.raises(
        InvalidDefinition,
        match="'lost' cannot be read at its parameter 'value'",
    ):
        define(lost)


def test_a_return_type_without_a_json_form_is_not_declared() -> None:
    class Socket: ...

    def connect() -> Socket: ...

    assert define(connect).output_schema is None


def test_methods_partials_and_callable_objects_are_tools() -> None:
    class Desk:
        @tool(severity="read_only")
        def count(self, kind: str) -> int:
            return 1

        def __call__(self, number: int) -> int:
            return number

    assert define(Desk().count).severity == "read_only"
    assert list(define(Desk().count).input_schema["properties"]) == ["kind"]
    assert define(Desk()).name == "Desk"

    def add(a: int, b: int) -> int: ...

    assert define(partial(add, 1)).name == "add"


def test_a_spec_says_what_it_wants_and_leaves_the_rest_to_its_handler() -> None:
    def handler(number: int) -> int:
        """Double it."""

    schema = {"type": "object", "properties": {"number": {"type": "integer", "minimum": 1}}}
    bare = define(ToolSpec(name="double", handler=handler))
    full = define(
        ToolSpec(
            name="double",
            description="Doubles.",
            category="math",
            severity="read_only",
            parameters=schema,
            version="2",
            timeout_s=3,
            allowed_callers=frozenset({"direct"}),
            defer_loading=True,
            handler=handler,
        )
    )
    assert (bare.allowed_callers, bare.defer_loading) == (None, None)
    assert (full.allowed_callers, full.defer_loading) == (frozenset({"direct"}), True)
    assert bare.description == "Double it."
    assert list(bare.input_schema["properties"]) == ["number"]
    assert (bare.severity, full.severity) == ("write", "read_only")
    assert (full.description, full.category, full.version) == ("Doubles.", "math", "2")
    assert full.input_schema == schema
    assert full.timeout_s == 3


def test_a_spec_may_name_its_handler_by_path() -> None:
    definition = define(ToolSpec(name="join", handler_path="posixpath:basename"))
    assert list(definition.input_schema["properties"]) == ["p"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("posixpath", "is not 'package.module:function'"),
        ("nonesuch.module:f", "'nonesuch.module' cannot be imported: ModuleNotFoundError"),
        ("posixpath:nonesuch", "'posixpath' has no function 'nonesuch'"),
        ("posixpath:sep", "'posixpath' has no function 'sep'"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(path: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        define(ToolSpec(name="t", handler_path=path))


def test_a_spec_has_examples() -> None:
    used = ToolExample(scenario="the end of a path", input={"p": "/a/b"}, output="b")
    spec = ToolSpec(name="join", handler_path="posixpath:basename", input_examples=(used,))

    assert define(spec).input_examples == (used,)
    assert spec.to_dict()["input_examples"] == [
        {"scenario": "the end of a path", "input": {"p": "/a/b"}, "output": "b", "notes": None}
    ]


def test_an_example_of_another_kind_is_refused_where_it_stands() -> None:
    odd: Any = {"city": "Oslo"}
    with pytest.raises(TypeError, match=r"examples\[0\] is .*'Oslo'.*write toolweft.ToolExample"):
        tool(examples=[odd])


@pytest.mark.parametrize("more", [{}, {"handler": print, "handler_path": "a:b"}])
def test_a_spec_needs_exactly_one_handler(more: dict[str, Any]) -> None:
    with pytest.raises(InvalidDefinition, match="needs exactly one of handler and handler_path"):
        define(ToolSpec(name="t", **more))


def test_a_bound_tool_takes_the_name_of_its_source() -> None:
    definition = ToolDefinition(name="t", namespace="elsewhere", description="d")
    assert define(BoundTool(definition=definition, handler=print)).namespace == "local"


def test_what_is_no_tool_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match="3 is no tool"):
        define(3)


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidDefinition, match="two tools named 'double'"):
        PythonSource(
            SourceName("local"),
            [ToolSpec(name="double", handler_path="posixpath:basename")] * 2,
            listener=WaitingListener(),
        )
