"""Answers about tools on disk: kept by server, and never written over unread."""

import json
import os
import sys
from pathlib import Path

import pytest

from toolweft.core.answers import Answer
from toolweft.core.errors import ConfigError
from toolweft.core.ids import SourceName, ToolName
from toolweft.stores import AnswerFile

SHOP = SourceName("shop")
READS = Answer(pin_hash="v1:sha256:00", severity="read_only")


def answer_file(path: Path) -> AnswerFile:
    return AnswerFile(path, reached={SHOP: "shop-server"})


def test_answers_come_back_beside_those_about_others(tmp_path: Path) -> None:
    path = tmp_path / "state" / "answers.json"
    answer_file(path).add({SHOP: {ToolName("a"): READS}})
    AnswerFile(path, reached={SHOP: "another"}).add({SHOP: {ToolName("b"): READS}})
    answer_file(path).add({SHOP: {ToolName("c"): READS}})
    assert answer_file(path).read() == {SHOP: {"a": READS, "c": READS}}


@pytest.mark.promise("cli.first-use")
@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"\xff", b"[]", b"[" * 99_999, b'{"format": 2, "servers": {}}', b"1" * 5_000],
)
def test_what_cannot_be_read_is_not_written_over(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "answers.json"
    path.write_bytes(damage)
    assert answer_file(path).read() == {SHOP: {}}
    with pytest.raises(ConfigError, match=r"answers\.json") as refused:
        answer_file(path).add({SHOP: {ToolName("a"): READS}})
    assert "remove it" in str(refused.value.hint)
    assert path.read_bytes() == damage


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes in folders there")
def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "answers.json"
    os.mkfifo(path)
    assert answer_file(path).read() == {SHOP: {}}
    with pytest.raises(ConfigError, match="it is no file"):
        answer_file(path).add({SHOP: {ToolName("a"): READS}})


def test_a_broken_entry_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "answers.json"
    answer_file(path).add({SHOP: {ToolName("a"): READS}})
    whole = json.loads(path.read_bytes())
    whole["servers"]["other"] = [1]
    whole["servers"]["shop"]["shop-server"]["b"] = {"hash": 1, "severity": "none"}
    path.write_text(json.dumps(whole))
    assert answer_file(path).read() == {SHOP: {"a": READS}}
