"""What a server says of tokens is money: only what can be a count is one."""

import pytest

from toolweft.core.json import Json
from toolweft.core.models import TokenUsage
from toolweft.providers.openai_wire import decode_usage
from toolweft.providers.reading import read_count


@pytest.mark.parametrize("told", [-1, 10**30, True, 1.5, "7", None, [7]])
def test_what_is_no_count_counts_nothing(told: Json) -> None:
    assert read_count({"tokens": told}, "tokens") == 0
    usage: Json = {"prompt_tokens": told, "completion_tokens": told}
    assert decode_usage(usage, read="prompt", written="completion") == TokenUsage()


@pytest.mark.parametrize("counts", [None, [], "tokens"])
def test_counts_that_are_no_object_count_nothing(counts: Json) -> None:
    assert read_count(counts, "tokens") == 0


def test_a_count_is_taken() -> None:
    assert read_count({"tokens": 7}, "tokens") == 7
