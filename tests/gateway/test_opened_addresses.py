"""Whose opened address has done its work: its own session's, or nobody's."""

from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.asides import AskCompleted
from toolweft.core.ids import SourceName
from toolweft.core.principals import Principal
from toolweft.gateway.opened import OpenedAddresses

BANK, SHOP = SourceName("bank"), SourceName("shop")
ANNA, BEN = Principal("t", "anna"), Principal("t", "ben")


def done(source: SourceName, number: str, principal: Principal | None = None) -> AskCompleted:
    return AskCompleted(source=source, elicitation_id=number, principal=principal)


def test_the_session_that_waits_is_found_once() -> None:
    opened: OpenedAddresses[str] = OpenedAddresses()
    assert opened.follow("s", (BANK, "1"), principal=ANNA, told="anna") == "1"

    assert opened.take(done(SHOP, "1")) is None
    found = opened.take(done(BANK, "1"))
    assert found is not None
    assert (found.told, found.shown) == ("anna", "1")
    assert opened.take(done(BANK, "1")) is None


def test_an_id_of_another_server_is_shown_as_another() -> None:
    opened: OpenedAddresses[str] = OpenedAddresses()
    first = opened.follow("s", (BANK, "1"), principal=ANNA, told="anna")
    second = opened.follow("s", (SHOP, "1"), principal=ANNA, told="anna")

    assert first == "1" != second
    found = opened.take(done(SHOP, "1"))
    assert found is not None
    assert found.shown == second


def test_asked_again_it_keeps_its_id() -> None:
    opened: OpenedAddresses[str] = OpenedAddresses()
    opened.follow("s", (SHOP, "1"), principal=ANNA, told="anna")
    before = opened.follow("s", (BANK, "1"), principal=ANNA, told="anna")

    assert opened.follow("s", (BANK, "1"), principal=ANNA, told="later") == before
    found = opened.take(done(BANK, "1"))
    assert found is not None
    assert found.told == "later"


def test_of_two_users_the_one_whose_process_says_so_is_meant() -> None:
    opened: OpenedAddresses[str] = OpenedAddresses()
    opened.follow("a", (BANK, "1"), principal=ANNA, told="anna")
    opened.follow("b", (BANK, "1"), principal=BEN, told="ben")

    assert opened.take(done(BANK, "1")) is None
    found = opened.take(done(BANK, "1", BEN))
    assert found is not None
    assert found.told == "ben"


def test_a_session_holds_so_many_and_no_more() -> None:
    opened: OpenedAddresses[str] = OpenedAddresses()
    for number in range(1_000):
        opened.follow("s", (BANK, str(number)), principal=ANNA, told="anna")

    assert opened.take(done(BANK, "0")) is None
    assert opened.take(done(BANK, "999")) is not None
    assert sum(map(len, opened._followers.values())) < 300


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["follow", "forget", "close", "take"]),
        st.sampled_from(["s1", "s2", "s3"]),
        st.sampled_from([BANK, SHOP]),
        st.sampled_from(["1", "2"]),
    ),
    max_size=40,
)


@given(STEPS)
def test_nothing_is_left_of_sessions_that_are_over(steps: list[tuple[str, str, str, str]]) -> None:
    opened: OpenedAddresses[str] = OpenedAddresses()
    for step, session, source, number in steps:
        own = (SourceName(source), number)
        match step:
            case "follow":
                opened.follow(session, own, principal=ANNA, told=session)
            case "forget":
                opened.forget(session, own)
            case "close":
                opened.close(session)
            case _:
                opened.take(done(*own))
    for session in ("s1", "s2", "s3"):
        shown = opened._shown.get(session, {})
        assert len(set(shown.values())) == len(shown)
        opened.close(session)

    assert (opened._followers, opened._shown) == ({}, {})
