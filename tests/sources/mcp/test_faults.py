import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError
from pydantic import TypeAdapter, ValidationError

from toolweft.sources.mcp.faults import (
    build_fault,
    find_fault_kind,
    is_closed,
    render_exception,
    unwrap_exception,
)


def test_the_first_leaf_of_nested_groups_is_what_happened() -> None:
    leaf = ConnectionError("refused")
    group = ExceptionGroup("one", [ExceptionGroup("two", [leaf]), ValueError("other")])
    assert unwrap_exception(group) is leaf
    assert render_exception(group) == "ConnectionError: refused"


def test_a_fault_of_ours_is_recognised_and_shown_without_a_code() -> None:
    fault = MCPError.from_error_data(build_fault("too_large", "above the cap"))
    assert find_fault_kind(fault) == "too_large"
    assert render_exception(fault) == "above the cap"


def test_an_error_of_the_server_keeps_its_code() -> None:
    error = MCPError(code=-32000, message="locked", data="x")
    assert find_fault_kind(error) is None
    assert not is_closed(error)
    assert render_exception(error) == "locked (-32000)"


def test_a_closed_connection_is_told_from_a_servers_error_of_the_same_code() -> None:
    assert is_closed(MCPError(code=types.CONNECTION_CLOSED, message="Connection closed"))
    assert not is_closed(ValueError("Connection closed"))


def test_an_answer_that_does_not_fit_is_told_with_its_place() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(list[dict[str, int]]).validate_python([{"a": "b"}])
    assert render_exception(caught.value).endswith("at $[0].a")


def test_an_error_without_text_is_its_type() -> None:
    assert render_exception(TimeoutError()) == "TimeoutError"
