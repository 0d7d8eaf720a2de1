"""Arguments of a call, which come as a text that a model wrote."""

from toolweft.core.json import Json, JsonObject, decode_json

__all__ = ("parse_arguments",)

_MAX_SHOWN_CHARACTERS = 80


def parse_arguments(text: Json) -> tuple[JsonObject | None, str]:
    """The object that a text is, or None and why it is none.

    An empty text counts as no arguments: some servers send it for tools that take none.
    """
    if isinstance(text, dict):
        return text, ""
    if not isinstance(text, str):
        return None, f"the arguments are no text but {type(text).__name__}"
    if not text.strip():
        return {}, ""
    try:
        value = decode_json(text)
    except RecursionError:
        return None, "the arguments nest too deeply"
    except ValueError as exc:
        return None, f"the arguments are not JSON: {exc}: {_shorten(text)}"
    if not isinstance(value, dict):
        return None, f"the arguments are no JSON object: {_shorten(text)}"
    return value, ""


def _shorten(text: str) -> str:
    if len(text) <= _MAX_SHOWN_CHARACTERS:
        return repr(text)
    return f"{text[:_MAX_SHOWN_CHARACTERS]!r}..."
