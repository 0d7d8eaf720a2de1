"""What the conformance suites found, read from their folders and compared. Pure but for reading.

A report is a multiset of (scenario, check, status). INFO rows are notes of the suite, not verdicts,
and are left out.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ("Difference", "Report", "compare", "load_expected", "read_report", "split_expected")

# Folders are named "server-SCENARIO-TIME"; both marks may be missing.
_TIME = re.compile(r"-\d{4}-\d{2}-\d{2}T.*$")
_STATUSES = {"passed": "SUCCESS", "failed": "FAILURE"}


@dataclass(frozen=True, slots=True)
class Report:
    """One run of one suite."""

    rows: Counter[tuple[str, str, str]]

    @property
    def passed(self) -> int:
        """Checks that hold."""
        return self._count(_STATUSES["passed"])

    @property
    def failed(self) -> int:
        """Checks that do not."""
        return self._count(_STATUSES["failed"])

    def _count(self, status: str) -> int:
        return sum(count for row, count in self.rows.items() if row[2] == status)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Difference:
    """One check that came out otherwise through the gateway."""

    run: str
    scenario: str
    check: str
    # Statuses in order, one for each time the check was made; () where it was not.
    direct: tuple[str, ...]
    through: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return asdict(self)


def read_report(folder: Path) -> Report:
    """What a suite wrote into a folder.

    Raises:
        ValueError: it wrote nothing that can be read.
    """
    rows: Counter[tuple[str, str, str]] = Counter()
    for path in sorted(folder.glob("*/checks.json")):
        scenario = _TIME.sub("", path.parent.name).removeprefix("server-")
        for check in json.loads(path.read_text(encoding="utf-8")):
            if check["status"] != "INFO":
                rows[scenario, check["id"], check["status"]] += 1
    if not rows:
        raise ValueError(f"{folder} holds no checks: the suite did not run")
    return Report(rows)


def compare(run: str, direct: Report, through: Report) -> list[Difference]:
    """Every check that did not come out the same, in order of scenario and check."""
    ours, theirs = _by_check(through), _by_check(direct)
    return sorted(
        Difference(
            run=run,
            scenario=scenario,
            check=check,
            direct=theirs.get((scenario, check), ()),
            through=ours.get((scenario, check), ()),
        )
        for scenario, check in ours.keys() | theirs.keys()
        if ours.get((scenario, check)) != theirs.get((scenario, check))
    )


def load_expected(path: Path) -> list[Difference]:
    """The differences that are known and have a reason.

    Raises:
        ValueError: an entry lacks a key or its reason.
    """
    expected = []
    for position, entry in enumerate(json.loads(path.read_text(encoding="utf-8"))):
        missing = {"runs", "scenario", "check", "direct", "through", "why"} - entry.keys()
        if missing or not entry["why"]:
            lacks = ", ".join(sorted(missing)) or "a reason in why"
            raise ValueError(f"$[{position}] of {path} lacks {lacks}")
        expected += [
            Difference(
                run=run,
                scenario=entry["scenario"],
                check=entry["check"],
                direct=tuple(entry["direct"]),
                through=tuple(entry["through"]),
            )
            for run in entry["runs"]
        ]
    return expected


def split_expected(
    found: Iterable[Difference], expected: Iterable[Difference]
) -> tuple[list[Difference], list[Difference]]:
    """Differences that nobody expected, and expected ones that are gone."""
    found, known = list(found), set(expected)
    return [one for one in found if one not in known], sorted(known.difference(found))


def _by_check(report: Report) -> dict[tuple[str, str], tuple[str, ...]]:
    statuses: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for scenario, check, status in _repeated(report):
        statuses[scenario, check].append(status)
    return {key: tuple(sorted(found)) for key, found in statuses.items()}


def _repeated(report: Report) -> Iterator[tuple[str, str, str]]:
    return report.rows.elements()
