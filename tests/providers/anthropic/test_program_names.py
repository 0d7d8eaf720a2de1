"""What tools are called at the vendor, where its programs are to call them."""

from keyword import iskeyword

from hypothesis import given
from hypothesis import strategies as st
from tests.providers.anthropic.support import (
    NATIVE,
    PLAIN,
    ask,
    build_tool,
    call,
    called,
    result,
    results,
    user,
)

from toolweft.core.messages import AssistantMessage, ModelReply, ToolsMessage
from toolweft.core.models import TokenUsage
from toolweft.providers.anthropic.encode import encode
from toolweft.providers.anthropic.program_names import name_for_programs, spell_back

BOTH = frozenset({"direct", "programmatic"})
FIND = build_tool("crm-find", "query", callers=BOTH, is_deferred=True)
DROP = build_tool("crm-drop")


def reply_of(*names: str) -> ModelReply:
    message = AssistantMessage(calls=tuple(call(f"c{n}", name) for n, name in enumerate(names)))
    return ModelReply(message=message, stop="tool_use", usage=TokenUsage(), model="m")


def test_tools_for_programs_have_names_that_python_takes() -> None:
    body = encode(ask(tools=(FIND, DROP)), NATIVE)

    assert [tool["name"] for tool in body["tools"]] == ["code_execution", "crm_find", "crm-drop"]
    assert name_for_programs(ask(tools=(FIND, DROP)), PLAIN) == {}


def test_what_is_said_of_them_has_these_names_and_calls_come_back_under_their_own() -> None:
    later = build_tool("crm-list", callers=BOTH)
    request = ask(
        user("Go."),
        called(call("c1", "crm-find", query="x")),
        results(result("c1", "1", name="crm-find", revealed=("crm-find",))),
        ToolsMessage(tools=(later,)),
        tools=(FIND, DROP),
    )
    text = str(encode(request, NATIVE)["messages"])
    names = name_for_programs(request, NATIVE)
    reply = spell_back(reply_of("crm_find", "crm-drop", "crm_list"), names)

    assert ("'crm-find'" in text, "'crm-list'" in text) == (False, False)
    assert text.count("'crm_find'") == 2
    assert [c.name for c in reply.message.calls] == ["crm-find", "crm-drop", "crm-list"]


def test_a_tool_that_joins_under_a_name_that_is_given_away_gets_another() -> None:
    later = build_tool("crm_find")
    names = name_for_programs(ask(ToolsMessage(tools=(later,)), tools=(FIND,)), NATIVE)

    assert names["crm-find"] == "crm_find"
    assert names["crm_find"].startswith("crm_find_")


names = st.text(alphabet="ab_-3", min_size=1, max_size=4) | st.sampled_from(["if", "a-b", "a_b"])


@given(st.lists(st.tuples(names, st.booleans()), max_size=8), st.integers(0, 8))
def test_no_two_tools_share_a_name_and_none_changes_when_tools_join(
    drawn: list[tuple[str, bool]], split: int
) -> None:
    unique = dict(drawn)
    tools = [
        build_tool(name, callers=BOTH if is_open else frozenset({"direct"}))
        for name, is_open in unique.items()
    ]
    start, joined = tuple(tools[:split]), tuple(tools[split:])
    before = name_for_programs(ask(tools=start), NATIVE)
    after = name_for_programs(ask(ToolsMessage(tools=joined), tools=start), NATIVE)
    wire = [after.get(name, name) for name in unique]

    assert len(set(wire)) == len(wire)
    assert {name: after.get(name) for name in before} == before
    for name, is_open in unique.items():
        spelled = after.get(name, name)
        assert not is_open or (spelled.isidentifier() and not iskeyword(spelled))
