"""A function's signature as a schema, and arguments bound to it. Built once per tool.

Each parameter becomes a field of one pydantic model, under a neutral field name with the
parameter's own as alias: any parameter name works, also `json`, `copy` or `_private`.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, TypeAdapter, create_model
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

from toolweft.core.errors import InvalidDefinition
from toolweft.core.json import JsonObject, JsonSchema

__all__ = ("BoundSignature", "build_output_schema", "build_signature")

# Annotations that say nothing about the JSON that comes back.
_MUTE = (inspect.Signature.empty, Any, None, object, bytes)
_EXTRA = "_extra"


class _Schema(GenerateJsonSchema):
    """JSON Schema without the titles pydantic makes up: they cost tokens and say nothing."""

    # A default that is no JSON is left out of the schema; the function still has it.
    ignored_warning_kinds: set[JsonSchemaWarningKind] = {"non-serializable-default"}  # noqa: RUF012 (as the base declares it)

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


class BoundSignature:
    """Turns JSON arguments into keyword arguments of the function's own types."""

    def __init__(self, model: type[BaseModel], parameters: Mapping[str, inspect.Parameter]) -> None:
        # Fields in order -> parameter names.
        self._names = dict(zip(model.model_fields, parameters, strict=True))
        # A default written as `Field(...)` is pydantic's to give; every other one is the
        # function's own, which may compare it by identity.
        self._always = frozenset(
            field
            for field, parameter in zip(model.model_fields, parameters.values(), strict=True)
            if isinstance(parameter.default, FieldInfo)
        )
        self._validate = model.__pydantic_validator__.validate_python
        self._model = model

    def input_schema(self) -> JsonSchema:
        """A schema of type object; properties in the function's order."""
        schema = self._model.model_json_schema(schema_generator=_Schema)
        schema.pop("title", None)
        # Said of the generated model, not by the user.
        schema.pop("description", None)
        return schema

    def bind(self, arguments: JsonObject) -> dict[str, Any]:
        """Keyword arguments, converted; those left out stay out, for the function's defaults.

        Raises:
            ValidationError: an argument does not fit.
        """
        bound = self._validate(arguments)
        given = bound.__pydantic_fields_set__ | self._always
        values = bound.__dict__
        keywords = {name: values[field] for field, name in self._names.items() if field in given}
        if bound.__pydantic_extra__:
            keywords |= bound.__pydantic_extra__
        return keywords


def build_signature(
    function: Callable[..., Any], *, tool: str, documented: Mapping[str, str]
) -> BoundSignature:
    """Read a function's signature.

    Args:
        function: sync or async, a method, a partial, or a callable object.
        tool: its tool's name, for messages.
        documented: parameter -> description, used where the annotation has none.

    Raises:
        InvalidDefinition: a parameter cannot be given by name, or its type has no JSON form.
    """
    parameters, takes_more = _read_parameters(function, tool=tool)
    fields: dict[str, Any] = {
        f"argument_{position}": _build_field(parameter, documented.get(name))
        for position, (name, parameter) in enumerate(parameters.items())
    }
    config = ConfigDict(
        extra="allow" if takes_more else "forbid", arbitrary_types_allowed=False, title=tool
    )
    try:
        return BoundSignature(create_model("Arguments", __config__=config, **fields), parameters)
    except (PydanticUserError, NameError, TypeError) as exc:
        raise InvalidDefinition(
            f"tool {tool!r} has a parameter without a JSON form: {_first_line(exc)}",
            hint="annotate it with plain types, a dataclass or a pydantic model",
        ) from exc


def build_output_schema(function: Callable[..., Any]) -> JsonSchema | None:
    """The schema of what a function returns, as JSON; None where its annotation says nothing."""
    try:
        annotation = inspect.signature(function, eval_str=True).return_annotation
    except (NameError, TypeError, ValueError):
        return None
    if any(annotation is mute for mute in _MUTE):
        return None
    try:
        schema = TypeAdapter(annotation).json_schema(mode="serialization", schema_generator=_Schema)
    except (PydanticUserError, NameError, TypeError):
        return None
    return schema or None


def _read_parameters(
    function: Callable[..., Any], *, tool: str
) -> tuple[dict[str, inspect.Parameter], bool]:
    try:
        signature = inspect.signature(function, eval_str=True)
    except (NameError, TypeError, ValueError) as exc:
        raise InvalidDefinition(
            f"the signature of tool {tool!r} cannot be read: {_first_line(exc)}",
            hint="its annotations must name types its module can see",
        ) from exc
    parameters: dict[str, inspect.Parameter] = {}
    takes_more = False
    for name, parameter in signature.parameters.items():
        match parameter.kind:
            case inspect.Parameter.VAR_KEYWORD:
                takes_more = True
            case inspect.Parameter.VAR_POSITIONAL | inspect.Parameter.POSITIONAL_ONLY:
                raise InvalidDefinition(
                    f"tool {tool!r} has the parameter {str(parameter)!r}, which has no name to "
                    "give it by",
                    hint="use parameters that can be given by keyword",
                )
            case _:
                parameters[name] = parameter
    return parameters, takes_more


def _build_field(parameter: inspect.Parameter, description: str | None) -> tuple[Any, Any]:
    annotation = parameter.annotation
    if annotation is inspect.Parameter.empty:
        annotation = Any
    default = ... if parameter.default is inspect.Parameter.empty else parameter.default
    told = [part for part in get_args(annotation)[1:] if isinstance(part, FieldInfo)]
    told += [default] if isinstance(default, FieldInfo) else []
    # What the user wrote in an annotation wins over the docstring.
    if description is not None and not any(info.description for info in told):
        annotation = Annotated[annotation, Field(description=description)]
    if not any(info.alias for info in told):
        annotation = Annotated[annotation, Field(alias=parameter.name)]
    return annotation, default


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
