"""`toolweft search --eval` through the real entry point."""

import json
from collections.abc import Callable

import pytest
from anyio import to_thread
from tests.cli.shell import FIXTURES, Shell
from tests.search.learning.happenings import START, used

from toolweft.cli.commands.search_eval import LEDGER
from toolweft.stores import LedgerOptions, SqlLedger
from toolweft.testing import FakeClock

GOOD = "sum up two figures, whole numbers\tdesk.add\nrepeat a text\techo\n"


@pytest.mark.promise("search.evaluation")
def test_without_a_file_every_tool_is_asked_for_in_its_own_words(shell: Shell) -> None:
    ended = shell("search", "--eval")

    assert ended.code == 0
    titles, *rows = [line.split() for line in ended.out.split("\n\n")[0].splitlines()]
    assert titles == ["queries", "asked", "R@1", "R@5", "R@10", "nDCG@10", "all@10"]
    assert [row[0] for row in rows] == ["name", "topic", "sentence", "all"]
    assert "5 of 5 tools" in ended.err
    # "Fail, always." says little, and no tool says what its parameters are.
    assert "desk.break_down" in ended.out
    assert "its description is shorter than 4 words" in ended.out
    assert "its parameters have no descriptions" in ended.out


def test_as_json_nothing_is_left_out(shell: Shell) -> None:
    shell.write("q.tsv", GOOD + "obliterate the lot\terase_everything,echo\n")

    found = shell("search", "--eval", "--queries", "q.tsv", "--json").json

    assert found["tools"] == 5
    assert found["overall"]["queries"] == 3
    assert set(found["overall"]) == set(found["kinds"]["given"])
    assert [row["query"] for row in found["answers"]][1] == "repeat a text"
    assert found["answers"][0]["ranks"] == {"desk.add": 1}
    assert found["answers"][2]["ranks"].keys() == {"desk.erase_everything", "desk.echo"}
    assert isinstance(found["duplicates"], list)
    assert all(set(row) >= {"tool", "missed", "advice"} for row in found["findings"])


def test_a_missed_request_is_shown_with_the_words_the_tool_lacks(shell: Shell) -> None:
    shell.write("q.tsv", "zzyzx\tdesk.echo\n")

    ended = shell("search", "--eval", "--queries", "q.tsv")

    assert "desk.echo  nDCG@10 0.0, not found at all" in ended.out
    assert "missed: 'zzyzx'" in ended.out
    assert "one request uses 'zzyzx'" in ended.out


@pytest.mark.parametrize(("least", "code"), [("40", 0), ("60", 1)])
def test_a_mean_below_what_is_wanted_ends_with_1(shell: Shell, least: str, code: int) -> None:
    shell.write("q.tsv", "add two whole numbers\tdesk.add\nzzyzx\tdesk.add\n")

    ended = shell("search", "--eval", "--queries", "q.tsv", "--min-ndcg", least)

    assert ended.code == code
    assert ("nDCG@10 is 50.00, below 60" in ended.err) == (code == 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("search", "--eval", "--queries", "gone.tsv"), "'gone.tsv' cannot be read"),
        (("search", "--eval", "--queries", "bad.tsv"), "bad.tsv:2: "),
        (("search", "--eval", "--queries", "bytes.tsv"), "'bytes.tsv' cannot be read"),
        (("search", "--eval", "add"), "'add'"),
        (("search", "add", "--min-ndcg", "50"), "--eval"),
        (("search", "add", "--queries", "bad.tsv"), "--eval"),
        (("search",), "there is no query"),
        (("search", "--eval", "--min-ndcg", "101"), "min-ndcg"),
        (("search", "--eval", "--namespace", "nothing"), "'nothing'"),
        (("search", "--eval", "--category", "nothing"), "'nothing'"),
        (("search", "--eval", "--queries", LEDGER), "no texts of searches"),
    ],
)
def test_what_cannot_be_measured_ends_with_2(
    shell: Shell, arguments: tuple[str, ...], said: str
) -> None:
    shell.write("bad.tsv", "fine\tdesk.add\nnot fine\tdesk.ad\n")
    (shell.folder / "bytes.tsv").write_bytes(b"\xff\xfe\tdesk.add")

    ended = shell(*arguments)

    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_an_unknown_tool_of_a_file_offers_the_nearest(shell: Shell) -> None:
    shell.write("bad.tsv", "not fine\tdesk.ad\n")

    assert "desk.add" in shell("search", "--eval", "--queries", "bad.tsv").err


def test_only_one_sources_tools_can_be_asked_for_and_the_others_compete(
    with_config: Callable[[str], Shell],
) -> None:
    target = json.dumps(str(FIXTURES / "desk.py"))
    shell = with_config(f"[python.twin]\ntarget = {target}\n")
    shell.write("q.tsv", GOOD.replace("\techo", "\tdesk.echo") + "twice the same\ttwin.echo\n")

    asked = ("search", "--eval", "--queries", "q.tsv", "--namespace", "desk", "--json")
    found = shell(*asked).json

    assert [row["query"] for row in found["answers"]] == [
        "sum up two figures, whole numbers",
        "repeat a text",
    ]
    assert found["tools"] == 10
    pairs = [(pair["first"], pair["second"]) for pair in found["duplicates"]]
    assert ("desk.add", "twin.add") in pairs


async def test_what_was_searched_for_and_called_can_be_asked_again(
    with_config: Callable[[str], Shell],
) -> None:
    shell = with_config('[ledger]\nurl = "sqlite:///ledger.db"\n')
    options = LedgerOptions(url=f"sqlite:///{shell.folder / 'ledger.db'}", keep_search_text=True)
    async with SqlLedger(options, clock=FakeClock(now=START)) as ledger:
        for event in [
            *used("whole numbers", "desk.add"),
            *used("send a fax", "office.fax", when=60),
        ]:
            ledger.record(event)

    ended = await to_thread.run_sync(
        lambda: shell("search", "--eval", "--queries", LEDGER, "--json")
    )

    assert [row["query"] for row in ended.json["answers"]] == ["whole numbers"]
    assert "whose tool is no longer there: 1" in ended.err


def test_an_evaluation_leaves_no_ledger_behind(with_config: Callable[[str], Shell]) -> None:
    shell = with_config('[ledger]\nurl = "sqlite:///ledger.db"\n')

    assert shell("search", "--eval").code == 0
    assert not (shell.folder / "ledger.db").exists()
