"""What was counted, in either of OpenAI's APIs."""

from toolweft.core.json import Json
from toolweft.core.models import TokenUsage
from toolweft.providers.reading import read_count

__all__ = ("decode_usage",)


def decode_usage(usage: Json, *, read: str, written: str) -> TokenUsage:
    """The counts of an answer; what is none counts nothing.

    Args:
        usage: as it came.
        read: what the API calls the tokens that the model read: "input", "prompt".
        written: and those that it wrote.
    """
    if not isinstance(usage, dict):
        return TokenUsage()
    inputs = usage.get(f"{read}_tokens_details")
    cached = read_count(inputs, "cached_tokens")
    kept = read_count(inputs, "cache_write_tokens")
    return TokenUsage(
        # The server counts those of its cache among them.
        input_tokens=max(0, read_count(usage, f"{read}_tokens") - cached - kept),
        cache_read_tokens=cached,
        cache_write_tokens=kept,
        output_tokens=read_count(usage, f"{written}_tokens"),
        reasoning_tokens=read_count(usage.get(f"{written}_tokens_details"), "reasoning_tokens"),
    )
