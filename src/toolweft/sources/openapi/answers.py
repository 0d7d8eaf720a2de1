"""What an operation answers, as one output schema. Pure."""

from collections.abc import Iterator

from toolweft.core.json import Json, JsonObject, JsonSchema
from toolweft.sources.openapi.bodies import is_json
from toolweft.sources.openapi.references import References
from toolweft.sources.openapi.schemas import Schemas

__all__ = ("read_output",)


def read_output(raw: Json, *, references: References, schemas: Schemas) -> JsonSchema | None:
    """The schema of a successful answer; None where one may be no JSON, or nothing is said.

    Args:
        raw: the `responses` of an operation.
        references: of the description.
        schemas: of the description.

    Raises:
        InvalidDefinition: a reference leads nowhere.
    """
    if not isinstance(raw, dict):
        return None
    found: list[JsonSchema] = []
    for response in _successes(raw):
        described = references.follow(response, what="a response")
        content = described.get("content")
        if not isinstance(content, dict) or not content:
            found.append({"type": "null"})
            continue
        medias = {str(kind): media for kind, media in content.items()}
        if not all(is_json(kind) for kind in medias):
            return None
        for media in medias.values():
            if not isinstance(media, dict) or "schema" not in media:
                return None
            found.append(schemas.build(media["schema"], side="output"))
    distinct = [schema for i, schema in enumerate(found) if schema not in found[:i]]
    if not distinct or distinct == [{"type": "null"}] or {} in distinct:
        return None
    return distinct[0] if len(distinct) == 1 else _any_of(distinct)


def _successes(responses: JsonObject) -> Iterator[Json]:
    listed = [
        response for status, response in responses.items() if str(status).upper().startswith("2")
    ]
    # "default" stands for errors where any success is described.
    yield from listed or [responses[key] for key in ("default",) if key in responses]


def _any_of(schemas: list[JsonSchema]) -> JsonSchema:
    definitions: JsonSchema = {}
    variants: list[JsonSchema] = []
    for schema in schemas:
        # One name stands for one place of the description, but may be cut differently.
        definitions = {**schema.get("$defs", {}), **definitions}
        variants.append({key: value for key, value in schema.items() if key != "$defs"})
    made: JsonSchema = {"anyOf": variants}
    return {**made, "$defs": definitions} if definitions else made
