"""A function's signature as a schema, and arguments bound to it. Built once per tool.

Each parameter becomes a field of one pydantic model, under a neutral field name with the
parameter's own as alias: any parameter name works, also `json`, `copy` or `_private`.
"""

import inspect
import json
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, TypeAdapter, create_model
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind
from pydantic_core import PydanticSerializationError, to_jsonable_python

from toolweft.core.errors import InvalidDefinition
from toolweft.core.json import JsonObject, JsonSchema
from toolweft.sources.python.annotations import adapt_annotation, gives_blobs

__all__ = ("BoundSignature", "build_output_schema", "build_signature")

log = logging.getLogger(__name__)

# Annotations that say nothing about the JSON that comes back.
_MUTE = (inspect.Signature.empty, Any, None, type(None), object)
_RECEIVERS = ("self", "cls")


class _Schema(GenerateJsonSchema):
    """JSON Schema without the titles pydantic makes up: they cost tokens and say nothing."""

    # A default that is no JSON is left out of the schema; the function still has it.
    ignored_warning_kinds: set[JsonSchemaWarningKind] = {"non-serializable-default"}  # noqa: RUF012 (as the base declares it)

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def encode_default(self, dft: Any) -> Any:
        try:
            encoded = to_jsonable_python(dft, bytes_mode="base64")
            json.dumps(encoded, allow_nan=False)
        except ValueError as exc:
            raise PydanticSerializationError(f"no JSON: {exc}") from exc
        return encoded


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
        # Of type object; properties in the function's order.
        self.input_schema: JsonSchema = model.model_json_schema(schema_generator=_Schema)
        self.input_schema.pop("title", None)
        # Said of the generated model, not by the user.
        self.input_schema.pop("description", None)

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
    function: Callable[..., Any],
    *,
    tool: str,
    documented: Mapping[str, str],
    takes_more: bool = False,
) -> BoundSignature:
    """Read a function's signature.

    Args:
        function: sync or async, a method, a partial, or a callable object.
        tool: its tool's name, for messages.
        documented: parameter -> description, used where the annotation has none.
        takes_more: whether `**more` is allowed: something else says what it takes.

    Raises:
        InvalidDefinition: a parameter cannot be given by name, or its type has no JSON form.
    """
    parameters, has_more = _read_parameters(function, tool=tool, takes_more=takes_more)
    config = ConfigDict(
        extra="allow" if has_more else "forbid", arbitrary_types_allowed=False, title=tool
    )

    def bound(chosen: Mapping[str, inspect.Parameter]) -> BoundSignature:
        fields: dict[str, Any] = {
            f"argument_{position}": _build_field(parameter, documented.get(name))
            for position, (name, parameter) in enumerate(chosen.items())
        }
        return BoundSignature(create_model("Arguments", __config__=config, **fields), chosen)

    try:
        return bound(parameters)
    except Exception as exc:
        # An annotation is any object, and what pydantic says of some is no error of its own.
        which = _find_unfit(parameters, bound)
        raise InvalidDefinition(
            f"tool {tool!r} has {which} without a JSON form: {_say(exc)}",
            hint="annotate it with plain types, a dataclass or a pydantic model",
        ) from exc


def build_output_schema(function: Callable[..., Any]) -> JsonSchema | None:
    """The schema of what a function returns, as JSON; None where its annotation says nothing."""
    try:
        annotation = inspect.signature(function, eval_str=True).return_annotation
        if any(annotation is mute for mute in _MUTE) or gives_blobs(annotation):
            return None
        adapter = TypeAdapter(adapt_annotation(annotation))
        schema = adapter.json_schema(mode="serialization", schema_generator=_Schema)
    except Exception:
        # Nothing depends on it; the tool is usable without.
        log.debug("tool.return_type_unread", exc_info=True)
        return None
    return schema or None


def _read_parameters(
    function: Callable[..., Any], *, tool: str, takes_more: bool
) -> tuple[dict[str, inspect.Parameter], bool]:
    """The parameters that a call may give, and whether it may give more."""
    try:
        signature = inspect.signature(function, eval_str=True)
    except Exception as exc:
        # Annotations that are texts are run here, and may raise whatever code raises.
        raise InvalidDefinition(
            f"the signature of tool {tool!r} cannot be read{_find_unread(function)}: {_say(exc)}",
            hint="its annotations must name types its module can see",
        ) from exc
    # What a partial has filled in is not a caller's to see or to change: it may be a secret.
    filled = function.keywords if isinstance(function, partial) else {}
    parameters: dict[str, inspect.Parameter] = {}
    has_more = False
    for name, parameter in signature.parameters.items():
        if name in filled:
            continue
        if not parameters and name in _RECEIVERS and parameter.annotation is parameter.empty:
            raise _unfit(tool, parameter, "which is the object of a method", _GIVE_OBJECT)
        match parameter.kind:
            case inspect.Parameter.VAR_KEYWORD if takes_more:
                has_more = True
            case inspect.Parameter.VAR_KEYWORD:
                raise _unfit(tool, parameter, "which says nothing of what it takes", _NAME_THEM)
            case inspect.Parameter.VAR_POSITIONAL:
                raise _unfit(tool, parameter, "which has no name to give it by", _NAME_THEM)
            case inspect.Parameter.POSITIONAL_ONLY:
                raise _unfit(tool, parameter, "which cannot be given by name", _BY_KEYWORD)
            case _:
                parameters[name] = parameter
    return parameters, has_more


_NAME_THEM = (
    "name each parameter; a decorator keeps those of its function with functools.wraps, and "
    "ToolSpec(parameters=...) says what **more may be"
)
_BY_KEYWORD = "use parameters that can be given by keyword: without '/' after them"
_GIVE_OBJECT = "give the method of an object, as in tools=[desk.count]"


def _unfit(tool: str, parameter: inspect.Parameter, why: str, hint: str) -> InvalidDefinition:
    return InvalidDefinition(
        f"tool {tool!r} has the parameter {str(parameter)!r}, {why}", hint=hint
    )


def _build_field(parameter: inspect.Parameter, description: str | None) -> tuple[Any, Any]:
    annotation = parameter.annotation
    annotation = Any if annotation is inspect.Parameter.empty else adapt_annotation(annotation)
    default = ... if parameter.default is inspect.Parameter.empty else parameter.default
    told = [part for part in get_args(annotation)[1:] if isinstance(part, FieldInfo)]
    told += [default] if isinstance(default, FieldInfo) else []
    # What the user wrote in an annotation wins over the docstring.
    if description is not None and not any(info.description for info in told):
        annotation = Annotated[annotation, Field(description=description)]
    if not any(info.alias for info in told):
        annotation = Annotated[annotation, Field(alias=parameter.name)]
    return annotation, default


def _find_unfit(
    parameters: Mapping[str, inspect.Parameter],
    bound: Callable[[Mapping[str, inspect.Parameter]], BoundSignature],
) -> str:
    """The first parameter that has no schema by itself."""
    for name, parameter in parameters.items():
        try:
            bound({name: parameter})
        except Exception:
            return f"the parameter {name!r}"
    return "a parameter"


def _find_unread(function: Callable[..., Any]) -> str:
    """Where the annotation stands that cannot be read; "" where that is not known."""
    plain: Any = function
    while isinstance(plain, partial):
        plain = plain.func
    plain = inspect.unwrap(plain)
    plain = plain if inspect.isroutine(plain) else type(plain).__call__
    names = getattr(plain, "__globals__", {})
    for name, annotation in getattr(plain, "__annotations__", {}).items():
        if not isinstance(annotation, str):
            continue
        try:
            # As `inspect.signature` just did.
            eval(annotation, names)  # noqa: S307  # nosec B307
        except Exception:
            return " at what it returns" if name == "return" else f" at its parameter {name!r}"
    return ""


def _say(error: Exception) -> str:
    line = str(error).strip().split("\n", 1)[0]
    if isinstance(error, PydanticUserError | NameError):
        return line
    return f"{type(error).__name__}: {line}" if line else type(error).__name__
