"""What a zygote may answer: checked, as packages that it imported run their code where it speaks.

Pure: text to data. Called by the host's handle on a zygote.
"""

import json
from typing import Final

from toolweft.core.json import Json, JsonObject

__all__ = ("parse_answer",)

# Process ids and exit statuses are C ints; memory is counted in 64 bits.
_MAX_INT: Final = 2**31 - 1
_MAX_BYTES: Final = 2**63 - 1


def parse_answer(message: bytes, *, asked: str, hello: str = "") -> JsonObject | None:
    """An answer of the right shape, or None for what no zygote sends.

    Args:
        message: as it came; its size is limited.
        asked: "ready" for the first message, else the request: "hello", "spawn" or "reap".
        hello: what "hello" has to bring back.
    """
    try:
        answer: Json = json.loads(message)
    # Brackets without end, few as they are, may be too deep.
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict):
        return None
    if set(answer) == {"error"}:
        return answer if isinstance(answer["error"], str) else None
    return answer if _is_answer(answer, asked, hello) else None


def _is_answer(answer: JsonObject, asked: str, hello: str) -> bool:
    match asked:
        case "ready":
            return answer == {"ready": True} and answer["ready"] is True
        case "hello":
            return answer == {"hello": hello}
        case "spawn":
            return set(answer) == {"pid"} and _is_int(answer["pid"], 1, _MAX_INT)
        case _:
            peak_bytes = answer.get("peak_bytes", 0)
            return (
                set(answer) <= {"status", "peak_bytes"}
                and _is_int(answer.get("status"), -_MAX_INT, _MAX_INT)
                and _is_int(peak_bytes, 0, _MAX_BYTES)
            )


def _is_int(value: Json, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
