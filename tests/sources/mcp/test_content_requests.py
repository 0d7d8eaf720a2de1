"""What goes wrong with reads and prompts, as our errors."""

from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from toolweft.core.clock import SystemClock
from toolweft.core.contents import ContentUse
from toolweft.core.countdown import Countdown
from toolweft.core.errors import SourceRefused
from toolweft.core.principals import LOCAL
from toolweft.sources.mcp.content_requests import use_content
from toolweft.sources.mcp.faults import build_fault

READING = ContentUse(principal=LOCAL, countdown=Countdown(1.0, clock=SystemClock()))


class Refusing:
    """A server's owner whose every request fails."""

    def __init__(self, error: MCPError) -> None:
        self._error = error

    async def request(self, *_arguments: Any) -> Any:
        raise self._error


async def refusal(error: MCPError) -> SourceRefused:
    with pytest.raises(SourceRefused) as caught:
        await use_content(
            Refusing(error), "resources/read", {"uri": "a:b"}, READING, mask=lambda text: text
        )
    return caught.value


async def test_a_fault_of_our_own_shows_nobody_how_it_is_marked() -> None:
    error = await refusal(MCPError.from_error_data(build_fault("malformed", "it is no answer")))

    assert (error.message, error.wire_code, error.data) == ("it is no answer", -32603, None)


async def test_an_error_of_the_server_keeps_its_code_and_data() -> None:
    error = await refusal(MCPError(-32002, "there is none", {"uri": "a:b"}))

    assert (error.message, error.wire_code, error.data) == ("there is none", -32002, {"uri": "a:b"})
