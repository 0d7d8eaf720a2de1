"""Goes on with a request that its server answered with questions, until there is a result.

Since 2026-07-28 a server asks by ending the request: it is sent again with the answers and with the
server's own state, byte for byte. The revision before has an error that wants addresses opened
first. Both are bounded.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

import anyio
import mcp_types as types
from mcp.shared.exceptions import MCPError

from toolweft.core.errors import AskRefused
from toolweft.core.json import Json, JsonObject
from toolweft.sources.mcp.asking import Asker
from toolweft.sources.mcp.asks import ASK_KINDS
from toolweft.sources.mcp.exchange import Exchange

__all__ = ("MAX_ROUNDS", "Send", "finish")

# A request that is given more parameters than at first, once more.
Send: TypeAlias = Callable[[JsonObject], Awaitable[JsonObject]]

# As the clients of every SDK have it.
MAX_ROUNDS: Final = 10
# Between rounds in which a server asks nothing, and only wants to be called again.
_PAUSE_S: Final = 0.05
_MAX_PAUSE_S: Final = 0.25
_MAX_ASKS: Final = 32


async def finish(send: Send, *, asker: Asker, exchange: Exchange) -> JsonObject:
    """Send a request as often as its server asks for something, and give its result.

    Raises:
        AskRefused: a question has no answer, or there are too many.
        MCPError: the server answered with an error.
    """
    more: JsonObject = {}
    opened: set[frozenset[str]] = set()
    pause_s = _PAUSE_S
    for _ in range(MAX_ROUNDS + 1):
        try:
            raw = await send(more)
        except MCPError as exc:
            if exc.code != types.URL_ELICITATION_REQUIRED or exchange.takes_url_errors:
                raise
            await _open_addresses(exc, opened, asker=asker, exchange=exchange)
            continue
        if raw.get("resultType") != "input_required":
            return raw
        requests = raw.get("inputRequests")
        more = {}
        if isinstance(requests, dict) and requests:
            more["inputResponses"] = await _answer_all(requests, asker=asker, exchange=exchange)
            pause_s = _PAUSE_S
        else:
            await anyio.sleep(pause_s)
            pause_s = min(2 * pause_s, _MAX_PAUSE_S)
        if "requestState" in raw:
            more["requestState"] = raw["requestState"]
    raise AskRefused(f"{asker.source!r} asked back more than {MAX_ROUNDS} times")


async def _answer_all(
    requests: Mapping[str, Json], *, asker: Asker, exchange: Exchange
) -> JsonObject:
    """The answers by the server's keys; all are asked for at once.

    Raises:
        AskRefused: one of them has none; the others are withdrawn.
    """
    if len(requests) > _MAX_ASKS:
        raise AskRefused(f"{asker.source!r} asks {len(requests)} questions at once")
    answers: JsonObject = {}
    refusals: list[AskRefused] = []

    async def answer(key: str, request: Json) -> None:
        try:
            answers[key] = await _answer(request, asker=asker, exchange=exchange)
        except AskRefused as exc:
            refusals.append(exc)
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for key, request in requests.items():
            tasks.start_soon(answer, key, request)
    if refusals:
        raise refusals[0]
    # In the server's order, whoever answered first.
    return {key: answers[key] for key in requests}


async def _answer(request: Json, *, asker: Asker, exchange: Exchange) -> JsonObject:
    method = request.get("method") if isinstance(request, dict) else None
    params = request.get("params") if isinstance(request, dict) else None
    kind = ASK_KINDS.get(method) if isinstance(method, str) else None
    if kind is None:
        raise AskRefused(f"{asker.source!r} asks for {method!r:.80}, which is no question")
    answer, _ = await asker.ask(kind, params if isinstance(params, dict) else {}, exchange=exchange)
    return answer


async def _open_addresses(
    error: MCPError, opened: set[frozenset[str]], *, asker: Asker, exchange: Exchange
) -> None:
    """Ask for the addresses of an error to be opened; each set of them once.

    Raises:
        AskRefused: one was not opened, or opening them did not help.
        MCPError: the error names no address.
    """
    data = error.data if isinstance(error.data, dict) else {}
    listed = data.get("elicitations")
    entries = listed if isinstance(listed, list) else []
    wanted = [entry for entry in entries if isinstance(entry, dict)]
    if not wanted:
        raise error
    addresses = frozenset(str(entry.get("url")) for entry in wanted)
    if addresses in opened:
        raise AskRefused(
            f"{asker.source!r} still wants an address to be opened: {error.message}",
            hint="finish what is asked for there, then call again",
        )
    opened.add(addresses)
    requests: dict[str, Json] = {
        str(position): {"method": "elicitation/create", "params": {**entry, "mode": "url"}}
        for position, entry in enumerate(wanted)
    }
    answers = await _answer_all(requests, asker=asker, exchange=exchange)
    if any(answer.get("action") != "accept" for answer in answers.values()):
        raise AskRefused(
            f"{asker.source!r} wants an address to be opened first, which was declined",
            hint="call again and agree to open it",
        )
