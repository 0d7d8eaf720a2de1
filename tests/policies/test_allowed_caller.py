import pytest
from tests.policies.chains import PROGRAM, Chain, build_call, build_tool

from toolweft.core.calls import DIRECT, Caller
from toolweft.core.errors import CallDenied
from toolweft.policies import AllowedCaller

REASON = 'destructive; to allow it: [sources.desk.configs.use] allowed_callers = ["programmatic"]'


@pytest.mark.parametrize("caller", [DIRECT, PROGRAM], ids=["direct", "programmatic"])
async def test_a_caller_the_tool_admits_goes_on(caller: Caller) -> None:
    chain = Chain(AllowedCaller())
    call = build_call(caller=caller)

    await chain.send(call, build_tool(callers=frozenset({caller.type})))

    assert chain.passed == [call]


@pytest.mark.parametrize(
    ("caller", "words"),
    [(DIRECT, "directly"), (PROGRAM, "from a program")],
    ids=["direct", "program"],
)
async def test_another_caller_is_refused_with_the_reason_of_the_catalog(
    caller: Caller, words: str
) -> None:
    chain = Chain(AllowedCaller())
    others = frozenset({"direct", "programmatic"}) - {caller.type}

    with pytest.raises(CallDenied, match=f"desk.use may not be called {words}") as caught:
        await chain.send(
            build_call(caller=caller), build_tool(callers=others, callers_reason=REASON)
        )

    assert caught.value.hint == REASON
    assert chain.passed == []


async def test_a_tool_that_admits_nobody_refuses_everybody() -> None:
    with pytest.raises(CallDenied):
        await Chain(AllowedCaller()).send(build_call(), build_tool(callers=frozenset()))
