"""Local references inside a JSON Schema."""

from toolweft.core.json import Json, JsonSchema

__all__ = ("follow_reference",)


def follow_reference(reference: Json, root: JsonSchema) -> Json:
    """What a local reference points at, or None where it points nowhere."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    found: Json = root
    for step in reference[1:].split("/")[1:]:
        if not isinstance(found, dict):
            return None
        found = found.get(step.replace("~1", "/").replace("~0", "~"))
    return found
