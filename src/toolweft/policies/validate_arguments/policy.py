"""Checks arguments against the tool's schema, and sends them on under their original names.

Every fault is listed with its place, so that one answer is enough to mend them all.
"""

from collections import OrderedDict
from dataclasses import replace

from toolweft.core.calls import ToolCall, ToolResult
from toolweft.core.errors import InvalidArguments
from toolweft.core.json import Json, JsonObject
from toolweft.core.ports import Proceed
from toolweft.core.schema_faults import SchemaValidator, list_faults
from toolweft.core.snapshot import CatalogTool
from toolweft.policies.validate_arguments.validators import build_validator

__all__ = ("ValidateArguments",)


class ValidateArguments:
    """Lets a call through once its arguments fit.

    Args:
        max_faults: faults listed in one refusal.
        max_validators: compiled schemas kept, by definition hash; the least used go first.
    """

    def __init__(self, *, max_faults: int = 8, max_validators: int = 10_000) -> None:
        self._max_faults = max_faults
        self._max_validators = max_validators
        self._validators: OrderedDict[str, SchemaValidator] = OrderedDict()

    async def __call__(self, call: ToolCall, tool: CatalogTool, proceed: Proceed) -> ToolResult:
        """Proceed with an object under the schema's own names.

        Raises:
            InvalidArguments: every fault by its path.
            InvalidDefinition: the tool's own schema cannot be used.
        """
        given: Json = call.arguments
        arguments = _restore_names(_read_object(given, tool), tool)
        validator = self._validator(tool)
        try:
            if not validator.is_valid(arguments):
                raise self._describe(validator, arguments, tool)
        except ValueError as exc:
            # Numbers or text no validator can read, and nesting beyond its own limit.
            raise InvalidArguments(
                f"the arguments of {tool.qualified} cannot be checked: {exc}"
            ) from exc
        if arguments is not given:
            call = replace(call, arguments=arguments)
        return await proceed(call, tool)

    def _describe(
        self, validator: SchemaValidator, arguments: JsonObject, tool: CatalogTool
    ) -> InvalidArguments:
        faults = list_faults(
            validator,
            arguments,
            schema=tool.definition.input_schema,
            limit=self._max_faults,
        )
        return InvalidArguments(
            f"the arguments of {tool.qualified} do not fit: {'; '.join(faults)}",
            hint="correct them and call again; nothing was sent",
        )

    def _validator(self, tool: CatalogTool) -> SchemaValidator:
        key = tool.definition.definition_hash
        kept = self._validators.get(key)
        if kept is not None:
            self._validators.move_to_end(key)
            return kept
        validator = build_validator(
            tool.definition.input_schema,
            place=f"the schema of {tool.qualified}",
            hint="its source must mend the definition",
        )
        if key:
            self._validators[key] = validator
            if len(self._validators) > self._max_validators:
                self._validators.popitem(last=False)
        return validator


def _read_object(given: Json, tool: CatalogTool) -> JsonObject:
    if isinstance(given, dict):
        return given
    raise InvalidArguments(
        f"the arguments of {tool.qualified} are a {type(given).__name__}, not an object",
        hint='send an object: {"name": "value"}',
    )


def _restore_names(arguments: JsonObject, tool: CatalogTool) -> JsonObject:
    """The same arguments under original names."""
    originals = tool.parameters
    if not originals or originals.keys().isdisjoint(arguments):
        return arguments
    restored: JsonObject = {}
    for name, value in arguments.items():
        original = originals.get(name, name)
        if original != name and original in arguments:
            raise InvalidArguments(
                f"the arguments of {tool.qualified} give {original!r} twice, once as {name!r}",
                hint=f"send {name!r} alone",
            )
        restored[original] = value
    return restored
