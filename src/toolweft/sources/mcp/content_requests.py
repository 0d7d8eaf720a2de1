"""A read, a prompt or a completion asked of a server, and what goes wrong with it as our errors.

Answers stay raw. An error of the server keeps its code and its data.
"""

from collections.abc import Callable

import mcp_types as types
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from toolweft.core.contents import ContentUse
from toolweft.core.errors import ResultTooLarge, SourceRefused, SourceUnavailable
from toolweft.core.json import Json, JsonObject
from toolweft.sources.mcp.exchange import exchange_of
from toolweft.sources.mcp.faults import find_fault_kind, render_exception
from toolweft.sources.mcp.owner import ServerOwner

__all__ = ("use_content",)


async def use_content(
    owner: ServerOwner,
    method: str,
    params: JsonObject,
    use: ContentUse,
    *,
    mask: Callable[[str], str],
) -> JsonObject:
    """The server's answer, after whatever it asks the client meanwhile.

    Raises:
        AskRefused: the server asked what nobody answered, in a way that leaves it no answer.
        SourceRefused: the server answered with an error, or with what is no answer.
        SourceUnavailable: it is down or broke off, or HTTP answered with an error status.
        ResultTooLarge: the answer is above the cap of a message.
    """
    about = str(params.get("uri") or params.get("name") or method)
    exchange = exchange_of(use, about=about)
    try:
        answer = await owner.request(method, params, exchange)
    except MCPError as exc:
        raise _as_error(exc, mask) from exc
    except ValidationError as exc:
        raise SourceRefused(mask(render_exception(exc)), wire_code=types.INTERNAL_ERROR) from exc
    kind = answer.get("resultType", "complete")
    if kind == "input_required" and exchange.takes_questions:
        return answer
    if kind != "complete":
        raise SourceRefused(
            f"it answered with {str(kind)[:40]!r}, which is no result",
            wire_code=types.INTERNAL_ERROR,
        )
    return answer


def _as_error(error: MCPError, mask: Callable[[str], str]) -> Exception:
    kind = find_fault_kind(error)
    if kind == "too_large":
        return ResultTooLarge(mask(error.message), hint="read a part, where the server offers one")
    if kind in {"refused", "unreachable"}:
        return SourceUnavailable(mask(error.message))
    # The mark of a fault of our own says nothing to clients.
    data = None if kind is not None else _mask_all(error.data, mask)
    return SourceRefused(mask(error.message), wire_code=error.code, data=data)


def _mask_all(value: Json, mask: Callable[[str], str]) -> Json:
    """The same value with every text in it masked; what nests too deeply is left out."""
    try:
        return _mask_each(value, mask)
    except RecursionError:
        return None


def _mask_each(value: Json, mask: Callable[[str], str]) -> Json:
    match value:
        case str():
            return mask(value)
        case list():
            return [_mask_each(item, mask) for item in value]
        case dict():
            return {mask(key): _mask_each(item, mask) for key, item in value.items()}
        case _:
            return value
