"""`toolweft search --explain`, `--expect` and `--category`."""

import pytest
from tests.cli.shell import Shell, render_config


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


def test_expect_as_json_has_rank_and_reasons(shell: Shell) -> None:
    placement = shell("search", "add numbers", "--expect", "add", "--json").json

    assert (placement["tool"], placement["rank"], placement["of"]) == ("desk.add", 1, 5)
    assert placement["reasons"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("x", "--expect", "desk.nope"), "no tool named 'desk.nope'"),
        (("--eval", "--expect", "desk.add"), "--expect goes with a query"),
        (("x", "--category", "nope"), "no tool is of the category 'nope'"),
    ],
)
def test_what_cannot_be_explained_or_narrowed_ends_with_an_error(
    shell: Shell, arguments: tuple[str, ...], said: str
) -> None:
    ended = shell("search", *arguments)

    assert ended.code in {1, 2}
    assert said in ended.err


@pytest.mark.process
def test_forget_erases_what_learning_kept_and_goes_alone(shell: Shell) -> None:
    shell.write("toolweft.toml", render_config() + "[search]\nlearn = true\n")
    code = "print(len(await tools.search(query='add the numbers')))"
    assert shell("run", "-q", "-c", code).code == 0

    refused = shell("search", "--forget", "add")
    assert (refused.code, "--forget goes alone" in refused.err) == (2, True)
    assert shell("search", "--forget").out == "erased the texts of 1 search\n"
    assert shell("search", "--forget", "--json").json == {"erased": 0}
