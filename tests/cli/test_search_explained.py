"""`toolweft search --explain`, `--expect` and `--category`."""

import json
from collections.abc import Callable

import pytest
from tests.cli.shell import FIXTURES, Shell, render_config


def test_explain_puts_a_line_before_each_tool(shell: Shell) -> None:
    ended = shell("search", "add", "numbers", "--explain")

    assert ended.code == 0
    first = ended.out.splitlines()[0]
    assert first.startswith("# ")
    assert "matched name" in first
    assert "confidence" in first


def test_explained_json_has_the_parts_of_a_score(shell: Shell) -> None:
    hit = shell("search", "add numbers", "--explain", "--json").json["queries"][0]["hits"][0]

    assert sum(hit["parts"].values()) == pytest.approx(hit["score"], abs=5e-4)
    assert hit["matched"][0] == "name"


def test_expect_says_where_a_tool_stands(shell: Shell) -> None:
    ended = shell("search", "add numbers", "--expect", "desk.echo")

    assert ended.code == 0
    assert ended.out.startswith("desk.echo ")
    assert "first is desk.add" in ended.out
    assert "to stand higher: " in ended.out


def test_expect_counts_only_the_tools_of_the_named_source(
    with_config: Callable[[str], Shell],
) -> None:
    target = json.dumps(str(FIXTURES / "desk.py"))
    shell = with_config(f"[python.twin]\ntarget = {target}\n")
    asked = ("search", "add numbers", "--expect", "twin.add", "--json")

    assert shell(*asked).json["of"] == 10
    placement = shell(*asked, "--namespace", "twin").json
    assert (placement["rank"], placement["of"]) == (1, 5)
    other = shell(*asked, "--namespace", "desk")
    assert other.code != 0
    assert "'twin.add' is not of the source 'desk'" in other.err


def test_expect_as_json_has_rank_and_reasons(shell: Shell) -> None:
    placement = shell("search", "add numbers", "--expect", "add", "--json").json

    assert (placement["tool"], placement["rank"], placement["of"]) == ("desk.add", 1, 5)
    assert placement["reasons"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("x", "--expect", "desk.nope"), "no tool named 'desk.nope'"),
        (("--eval", "--expect", "desk.add"), "--expect goes with a query"),
        (("x", "--expect", "desk.add", "--limit", "5"), "--limit does not go with --expect"),
        (("x", "--expect", "add", "--detail", "typed"), "--detail does not go with --expect"),
        (("x", "--expect", "add", "--namespace", "no"), "there is no source named 'no'"),
        (("x", "--expect", "add", "--category", "no"), "no tool is of the category 'no'"),
        (("--eval", "--limit", "3"), "--limit does not go with --eval"),
        (("--eval", "--detail", "brief"), "--detail does not go with --eval"),
        (("--eval", "--explain"), "--explain does not go with --eval"),
        (("--forget", "--limit", "3"), "--forget goes alone"),
        (("--forget", "--namespace", "desk"), "--forget goes alone"),
        (("x", "--category", "nope"), "no tool is of the category 'nope'"),
    ],
)
def test_what_cannot_be_explained_or_narrowed_ends_with_an_error(
    shell: Shell, arguments: tuple[str, ...], said: str
) -> None:
    ended = shell("search", *arguments)

    assert ended.code in {1, 2}
    assert said in ended.err


@pytest.mark.promise("search.embedder-silent")
def test_why_an_embedder_is_missing_is_said_beside_the_answer_and_not_in_it(shell: Shell) -> None:
    shell.write("toolweft.toml", render_config() + '[search.embedder]\npath = "nowhere"\n')

    ended = shell("search", "add", "numbers")
    quiet = shell("search", "add", "numbers", "-q")

    assert ended.code == quiet.code == 0
    assert "[degraded: the embedder does not answer; " in ended.out
    assert "nowhere" not in ended.out
    (said,) = [line for line in ended.err.splitlines() if "nowhere" in line]
    assert said.startswith("note: ")
    assert "is not there" in said
    assert "nowhere" not in quiet.err


@pytest.mark.process
def test_forget_erases_what_learning_kept_and_goes_alone(shell: Shell) -> None:
    shell.write("toolweft.toml", render_config() + "[search]\nlearn = true\n")
    code = "print(len(await tools.search(query='add the numbers')))"
    assert shell("run", "-q", "-c", code).code == 0

    refused = shell("search", "--forget", "add")
    assert (refused.code, "--forget goes alone" in refused.err) == (2, True)
    assert shell("search", "--forget").out == "erased the texts of 1 search\n"
    assert shell("search", "--forget", "--json").json == {"erased": 0}
