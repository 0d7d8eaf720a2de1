"""Questions as their client sees them, and who may be asked them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.client import Ask
from toolweft.core.errors import AskRefused
from toolweft.core.ids import SourceName
from toolweft.sources.mcp.asks import build_ask, check_answer, clean_meta

BANK = SourceName("bank")


def elicitation(**params: Any) -> Ask:
    return build_ask("elicitation", params, source=BANK, about="pay", is_labelled=True)


@pytest.mark.promise("ask.shown")
@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://pay.example/x", "pay.example"),
        ("http://localhost:8080/x", "localhost"),
        ("https://good.example@evil.example/x", "evil.example"),
        # A Cyrillic letter in place of a Latin one.
        ("https://p\u0430y.example/", "xn--py-7kc.example"),
        ("https://GOOD.example", "good.example"),
    ],
)
def test_the_host_of_an_address_is_shown_as_it_is(url: str, host: str) -> None:
    ask = elicitation(mode="url", url=url, message="Sign in")
    assert ask.params["message"] == f"bank asks to open {host}: Sign in"
    assert ask.params["url"] == url


@pytest.mark.promise("ask.shown")
@pytest.mark.parametrize("url", ["", "pay", "javascript:alert(1)", "ftp://a/b", "https://[", 7])
def test_an_address_that_is_none_is_refused(url: object) -> None:
    with pytest.raises(AskRefused):
        elicitation(mode="url", url=url, message="Sign in")


@pytest.mark.promise("ask.shown")
@given(st.text())
def test_no_text_hides_whose_question_it_is(message: str) -> None:
    shown = elicitation(message=message).params["message"]
    assert shown.startswith("bank asks: ")
    hidden = {"\r", "\b", "\x1b", "\u202e", "\u2066", "\u200b", "\x00"}
    assert not hidden & set(shown)


def test_what_belongs_to_one_hop_stays_there() -> None:
    meta = {"progressToken": 1, "io.modelcontextprotocol/x": 1, "vendor/y": 2}
    ask = elicitation(message="Who?", task={"ttl": 1}, _meta=meta)
    assert set(ask.params) == {"message", "_meta"}
    assert ask.params["_meta"] == {"vendor/y": 2}
    assert clean_meta(None) == clean_meta("x") == {}


@pytest.mark.promise("ask.checked")
@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("sampling", {"role": "assistant", "content": {"type": "text"}, "model": "m"}),
        ("sampling", {}),
        ("roots", {"roots": [{"uri": "https://example.org"}]}),
        ("roots", {"roots": None}),
        ("elicitation", {}),
        ("elicitation", {"action": "accept", "content": []}),
    ],
)
def test_what_is_no_answer_is_refused(kind: Any, answer: dict[str, Any]) -> None:
    ask = Ask(kind=kind, source=BANK, params={"requestedSchema": {"properties": {}}})
    with pytest.raises(AskRefused, match="the answer to 'bank'"):
        check_answer(ask, answer)
