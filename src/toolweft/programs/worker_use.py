"""How programs ask workers: `worker(prompt)` and `worker_map(items, prompt)`.

Pure. What a program may write is checked before it runs, and what comes from it when it asks. The
functions themselves stand in `sandbox.guest.workers`.
"""

import ast
import inspect
from collections.abc import Mapping
from inspect import Signature
from typing import Any

from toolweft.calls.measure import repair
from toolweft.core.calls import Principal
from toolweft.core.countdown import Countdown
from toolweft.core.errors import InvalidArguments
from toolweft.core.ids import RunId
from toolweft.core.json import JsonObject
from toolweft.core.workers import WorkerRequest

__all__ = (
    "NO_WORKER",
    "NO_WORKER_HINT",
    "WORKER_NAMES",
    "find_argument_fault",
    "parse_question",
    "render_worker_stub",
)

NO_WORKER = "no model answers worker() here"
NO_WORKER_HINT = (
    "do without it; whoever runs toolweft gives one: Agent(worker=…), or `workers` under [models]"
)


async def _worker(prompt: str, schema: dict[str, Any] | None = None) -> Any: ...


async def _worker_map(
    items: Any,
    prompt: str,
    schema: dict[str, Any] | None = None,
    parallel: int = 16,
    on_error: str = "raise",
) -> Any: ...


_SIGNATURES: Mapping[str, Signature] = {
    "worker": inspect.signature(_worker),
    "worker_map": inspect.signature(_worker_map),
}
WORKER_NAMES = frozenset(_SIGNATURES)


def render_worker_stub(name: str) -> str:
    """The signature as a program calls it."""
    return f"async def {name}{_SIGNATURES[name]}"


def find_argument_fault(call: ast.Call, name: str) -> str | None:
    """What is wrong with the arguments as far as the text shows; None where nothing is."""
    unpacks = any(isinstance(argument, ast.Starred) for argument in call.args)
    spelled = [keyword.arg for keyword in call.keywords if keyword.arg is not None]
    signature = _SIGNATURES[name]
    if unpacks or len(spelled) < len(call.keywords):
        unknown = [argument for argument in spelled if argument not in signature.parameters]
        return f"{name}() has no parameter {unknown[0]!r}" if unknown else None
    try:
        signature.bind(*call.args, **dict.fromkeys(spelled))
    except TypeError as exc:
        return f"{name}(): {exc}"
    return None


def parse_question(
    arguments: JsonObject, *, run_id: RunId, principal: Principal, countdown: Countdown
) -> WorkerRequest:
    """What a program asks.

    Raises:
        InvalidArguments: no prompt, or a schema that is none.
    """
    prompt, schema = arguments.get("prompt"), arguments.get("schema")
    if not isinstance(prompt, str) or not prompt.strip():
        raise InvalidArguments(
            f"worker() needs a prompt, a text with something in it, not {prompt!r:.60}",
            hint='await worker("Name the city: …")',
        )
    if schema is not None and not isinstance(schema, dict):
        raise InvalidArguments(
            f"the schema of worker() is a {type(schema).__name__}, not a JSON Schema",
            hint='schema={"enum": ["yes", "no"]}',
        )
    if unknown := arguments.keys() - {"prompt", "schema"}:
        raise InvalidArguments(
            f"worker() has no parameter {min(unknown)!r:.60}", hint="it takes prompt and schema"
        )
    return WorkerRequest(
        # Nobody could send a lone surrogate on.
        prompt=repair(prompt),
        schema=repair(schema),
        run_id=run_id,
        principal=principal,
        countdown=countdown,
    )
