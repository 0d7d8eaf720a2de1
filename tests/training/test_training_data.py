"""What the word vectors learn from: the files of the project, and folders of query sets."""

import gzip
import json
from pathlib import Path

from training.data_sets import (
    MEANINGS,
    REQUESTS,
    load_catalogs,
    load_meanings,
    load_recorded,
    load_requests,
)


def test_every_line_of_our_requests_names_a_tool_once_and_asks_three_times() -> None:
    lines = [line.split("\t") for line in REQUESTS.read_text(encoding="utf-8").splitlines()]
    assert all(len(line) == 5 and all(map(str.strip, line)) for line in lines)
    tools = [tuple(line[:2]) for line in lines]
    assert len(set(tools)) == len(tools)


def test_each_text_of_a_line_is_a_request_for_its_tool(tmp_path: Path) -> None:
    file = tmp_path / "requests.tsv"
    file.write_text("zoo\tfeed\tfeed the lion\tit is hungry\nshop\tbuy\tget one\tI want it\n")
    requests = load_requests(file)
    assert [(one.text, one.tools) for one in requests["zoo"]] == [
        ("feed the lion", ("feed",)),
        ("it is hungry", ("feed",)),
    ]
    assert list(requests) == ["zoo", "shop"]


def test_every_group_of_meanings_holds_at_least_two_phrases() -> None:
    groups = load_meanings()
    assert len(groups) > 2_000
    assert all(len(group) > 1 and all(group) for group in groups)
    assert MEANINGS.read_text(encoding="utf-8").startswith("#")


def test_comments_and_lone_words_are_no_meanings(tmp_path: Path) -> None:
    file = tmp_path / "meanings.txt"
    file.write_text("# people\ncar , motor_vehicle  # what drives\nalone\n\n")
    assert load_meanings(file) == [["car", "motor vehicle"]]


def test_a_folder_of_query_sets_is_read_with_all_its_lists(tmp_path: Path) -> None:
    folder = tmp_path / "zoo"
    folder.mkdir()
    _write(folder / "tools.jsonl.gz", {"id": "1", "name": "feed", "server": "", "description": "d"})
    _write(folder / "queries.jsonl.gz", {"id": "q", "query": "hungry", "relevant": ["1"]})
    _write(folder / "queries_steps.jsonl.gz", {"id": "s", "query": "food", "relevant": ["1"]})
    catalog = load_catalogs(tmp_path)["zoo"]
    assert catalog.tools["1"].name == "feed"
    assert sorted(catalog.requests) == ["zoo", "zoo:steps"]
    assert catalog.requests["zoo:steps"][0].tools == ("1",)


def test_recorded_tools_are_named_with_their_server(tmp_path: Path) -> None:
    listing = {"tools": [{"name": "feed", "inputSchema": {"type": "object"}}]}
    (tmp_path / "zoo.json").write_text(json.dumps(listing))
    tools = load_recorded(tmp_path).tools
    assert list(tools) == ["zoo/feed"]
    assert tools["zoo/feed"].namespace == "zoo"


def _write(path: Path, row: object) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n\n")
