"""Examples of tools in toolweft.toml and in client files."""

import json

import pytest
from tests.config.desk import Desk

from toolweft.config import explain
from toolweft.core.errors import ConfigError
from toolweft.core.tools import ToolExample


def test_examples_are_a_decision_like_any_other(desk: Desk) -> None:
    desk.write(
        "mcp.json",
        {
            "mcpServers": {
                "git": {
                    "command": "git",
                    "configs": {
                        "git_log": {
                            "input_examples": [{"scenario": "s", "input": {"a": None, "idle": 5}}]
                        }
                    },
                }
            }
        },
    )
    desk.write(
        "toolweft.toml",
        """
include = ["mcp.json"]
[[servers.git.configs."git_d*".input_examples]]
scenario = "what changed since the last release"
input = { repo_path = "/srv/app", target = "v1.4" }
output = "diff --git"
notes = "a tag or a hash"
[[servers.git.configs."git_d*".input_examples]]
scenario = "what is staged"
input = { repo_path = "/srv/app" }
[servers.git.configs.git_add]
input_examples = []
""",
    )

    # Globs come before single tools.
    diff, log, add = desk.load().catalog.rules

    # Nulls are values, and no key of an input is a short name of ours.
    assert log.input_examples == (ToolExample(scenario="s", input={"a": None, "idle": 5}),)
    assert diff.input_examples == (
        ToolExample(
            scenario="what changed since the last release",
            input={"repo_path": "/srv/app", "target": "v1.4"},
            output="diff --git",
            notes="a tag or a hash",
        ),
        ToolExample(scenario="what is staged", input={"repo_path": "/srv/app"}),
    )
    assert diff.origin.endswith('servers.git.configs."git_d*"')
    assert add.input_examples == ()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{ input = { a = 1 } }", "'servers.git.configs.x.input_examples.0.scenario' is missing"),
        ('{ scenario = "s" }', "'servers.git.configs.x.input_examples.0.input' is missing"),
        ('{ scenario = "s", input = "a=1" }', "input is 'a=1': it should be a table"),
        ('{ scenario = "", input = {} }', "scenario is ''"),
        ('{ scenario = "s", input = {}, notes = 5 }', "notes is 5: it should be a text"),
        ('{ scenario = "s", input = {}, note = "n" }', "unknown key"),
    ],
)
def test_an_example_of_another_shape_is_refused_with_its_line(
    desk: Desk, written: str, said: str
) -> None:
    desk.write(
        "toolweft.toml",
        f'[servers.git]\ncommand = "git"\n[servers.git.configs.x]\ninput_examples = [{written}]\n',
    )

    with pytest.raises(ConfigError) as caught:
        desk.load()

    assert said in caught.value.message
    assert "toolweft.toml:4" in caught.value.message


def test_explain_shows_examples_without_what_looks_like_a_credential(desk: Desk) -> None:
    desk.write(
        "toolweft.toml",
        """
[servers.git]
command = "git"
[[servers.git.configs.x.input_examples]]
scenario = "s"
input = { on = 2026-03-01, a = "Bearer hunter2hunter2", b = [{ c = "https://me:hunter2@h/" }] }
""",
    )

    shown = {key: value for key, value, _ in explain(desk.load())}

    examples = shown["servers.git.configs.x.input_examples"]
    assert "hunter2" not in examples
    assert json.loads(examples)[0]["input"]["on"] == "2026-03-01"
