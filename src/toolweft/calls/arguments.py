"""Reads arguments, and checks that they are JSON within bounds, before anything else sees them.

Whether they fit the tool is the business of a policy.
"""

from toolweft.calls.measure import encode_json, find_misfit
from toolweft.calls.options import CallOptions
from toolweft.core.errors import InvalidArguments
from toolweft.core.json import Json, decode_json

__all__ = ("measure_arguments", "read_arguments")


def read_arguments(given: Json, options: CallOptions) -> Json:
    """The arguments themselves, where models send them as JSON text.

    Raises:
        InvalidArguments: a text that is too large, or not strict JSON.
    """
    if not isinstance(given, str):
        return given
    if len(given) > options.max_argument_bytes:
        raise _too_large(options)
    try:
        return decode_json(given) if given.strip() else {}
    except (ValueError, RecursionError) as exc:
        raise InvalidArguments(
            f"the arguments are a text that is not JSON: {str(exc)[:200]}",
            hint='send an object: {"name": "value"}',
        ) from exc


def measure_arguments(arguments: Json, options: CallOptions) -> int:
    """The size in bytes of the arguments as compact JSON.

    Args:
        arguments: whatever was sent in place of an object, too.
        options: the caps.

    Raises:
        InvalidArguments: not JSON, too large or too deeply nested.
    """
    limit = options.max_argument_bytes
    misfit = find_misfit(arguments, max_bytes=limit, max_depth=options.max_depth)
    if misfit is None:
        try:
            size = len(encode_json(arguments))
        except ValueError as exc:
            raise InvalidArguments(
                f"the arguments cannot be written as JSON: {exc}",
                hint="JSON has no NaN, no infinity and no half characters",
            ) from exc
        if size <= limit:
            return size
    elif misfit.kind == "not_json":
        raise InvalidArguments(
            f"the arguments hold {misfit.text}, which JSON does not have",
            hint="send plain objects, lists, text, numbers, true, false and null",
        )
    elif misfit.kind == "too_deep":
        raise InvalidArguments(
            f"the arguments nest deeper than {options.max_depth} lists and objects",
            hint="send them flatter, or raise calls.max_depth",
        )
    raise _too_large(options)


def _too_large(options: CallOptions) -> InvalidArguments:
    return InvalidArguments(
        f"the arguments have more than {options.max_argument_bytes:,} bytes",
        hint="send less at a time, or raise calls.max_argument_bytes",
    )
