"""Checks that arguments are JSON within bounds before anything else reads them.

Whether they fit the tool is the business of a policy.
"""

from toolweft.calls.measure import encode_json, find_misfit
from toolweft.calls.options import CallOptions
from toolweft.core.errors import InvalidArguments
from toolweft.core.json import Json

__all__ = ("measure_arguments",)


def measure_arguments(arguments: Json, options: CallOptions) -> int:
    """The size in bytes of the arguments as compact JSON.

    Args:
        arguments: an object, or its JSON text.
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
    raise InvalidArguments(
        f"the arguments have more than {limit:,} bytes",
        hint="send less at a time, or raise calls.max_argument_bytes",
    )
