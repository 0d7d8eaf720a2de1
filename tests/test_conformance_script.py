"""What `make conformance` calls a difference."""

import json
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
from conformance_reports import (  # noqa: E402
    Difference,
    Report,
    compare,
    load_expected,
    read_report,
    split_expected,
)

EXPECTED = ROOT / "tests" / "conformance" / "expected.json"


def write_checks(folder: Path, scenario: str, *checks: tuple[str, str]) -> None:
    path = folder / f"server-{scenario}-2026-11-21T13-38-45-148Z" / "checks.json"
    path.parent.mkdir(parents=True)
    rows = [{"id": check, "status": status} for check, status in checks]
    path.write_text(json.dumps(rows), encoding="utf-8")


def report(*rows: tuple[str, str, str]) -> Report:
    return Report(Counter(rows))


def difference(check: str, direct: str = "SUCCESS", through: str = "FAILURE") -> Difference:
    return Difference(
        run="suite", scenario="ping", check=check, direct=(direct,), through=(through,)
    )


def test_a_report_is_read_without_its_notes(tmp_path: Path) -> None:
    write_checks(tmp_path, "ping", ("a", "SUCCESS"), ("a", "SUCCESS"), ("b", "INFO"))
    write_checks(tmp_path, "tools-list", ("a", "FAILURE"), ("c", "WARNING"))

    read = read_report(tmp_path)

    assert read.rows == {
        ("ping", "a", "SUCCESS"): 2,
        ("tools-list", "a", "FAILURE"): 1,
        ("tools-list", "c", "WARNING"): 1,
    }
    assert (read.passed, read.failed) == (2, 1)


def test_a_suite_that_did_not_run_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="did not run"):
        read_report(tmp_path)


def test_the_same_checks_in_any_order_do_not_differ() -> None:
    rows = [("ping", "a", "SUCCESS"), ("ping", "a", "FAILURE"), ("ping", "b", "SKIPPED")]

    assert compare("suite", report(*rows), report(*reversed(rows))) == []


def test_another_status_a_lost_check_and_a_new_one_differ() -> None:
    direct = report(("s", "a", "SUCCESS"), ("s", "b", "SUCCESS"), ("s", "same", "SUCCESS"))
    through = report(("s", "a", "FAILURE"), ("s", "c", "SUCCESS"), ("s", "same", "SUCCESS"))

    found = compare("suite", direct, through)

    assert [(one.check, one.direct, one.through) for one in found] == [
        ("a", ("SUCCESS",), ("FAILURE",)),
        ("b", ("SUCCESS",), ()),
        ("c", (), ("SUCCESS",)),
    ]


def test_a_check_that_is_made_once_less_differs() -> None:
    twice = report(("s", "a", "SUCCESS"), ("s", "a", "SUCCESS"))

    (found,) = compare("suite", twice, report(("s", "a", "SUCCESS")))

    assert (found.direct, found.through) == (("SUCCESS", "SUCCESS"), ("SUCCESS",))


def test_only_the_very_same_difference_is_expected() -> None:
    known = [difference("a"), difference("gone")]
    found = [difference("a"), difference("b"), difference("gone", through="WARNING")]

    unexpected, gone = split_expected(found, known)

    assert unexpected == [difference("b"), difference("gone", through="WARNING")]
    assert gone == [difference("gone")]


def test_an_expected_difference_needs_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "expected.json"
    entry = {"runs": ["r"], "scenario": "s", "check": "c", "direct": [], "through": [], "why": ""}
    path.write_text(json.dumps([entry]), encoding="utf-8")

    with pytest.raises(ValueError, match=r"\$\[0\] of .* lacks a reason in why"):
        load_expected(path)
    path.write_text(json.dumps([entry | {"why": "so"}]), encoding="utf-8")
    assert load_expected(path) == [
        Difference(run="r", scenario="s", check="c", direct=(), through=())
    ]


def test_what_is_expected_here_is_of_polling_and_tasks_alone() -> None:
    scenarios = {one.scenario for one in load_expected(EXPECTED)}

    assert scenarios <= {"server-sse-polling", "tasks-capability-negotiation"}
