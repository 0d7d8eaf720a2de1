"""Compiles schemas that strangers wrote: nothing is fetched, and no pattern keeps the host busy."""

from toolweft.core.errors import InvalidDefinition
from toolweft.core.json import Json, JsonSchema
from toolweft.core.schema_faults import MASK, SchemaValidator

__all__ = ("build_validator",)

# Backtracking steps of one pattern: a pattern from a server must not keep the host busy.
_MAX_BACKTRACKING = 100_000


def build_validator(schema: JsonSchema, *, place: str, hint: str | None = None) -> SchemaValidator:
    """The validator of a schema, for `list_faults`.

    Args:
        schema: a stranger's; its bounds are checked elsewhere.
        place: what it is called in messages.
        hint: what to do where it cannot be used.

    Raises:
        InvalidDefinition: it is no schema, or refers to something outside.
    """
    # Imported with the first call.
    import jsonschema_rs

    try:
        return jsonschema_rs.validator_for(
            schema,
            retriever=_refuse,
            validate_formats=False,
            mask=MASK,
            pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=_MAX_BACKTRACKING),
        )
    except (ValueError, jsonschema_rs.ReferencingError) as exc:
        reason = getattr(exc, "message", str(exc))
        raise InvalidDefinition(f"{place} cannot be used: {reason}", hint=hint) from exc


def _refuse(uri: str) -> Json:
    """Fetch nothing: a schema's reference could otherwise read files and reach servers."""
    raise ValueError(f"references outside the schema are not followed: {uri!r}")
