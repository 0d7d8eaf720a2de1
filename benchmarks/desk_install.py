"""Sets up the real servers of a desk in a folder, and times their first start together.

Packages come from PyPI and npm, in the versions of the desk's `summary.json`: each Python server
in an environment of its own, all others in one `node_modules`. The servers get dummy keys.
"""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile

import anyio

from benchmarks.harness import ROOT, Report
from toolweft.bootstrap import open_app
from toolweft.config import load_settings

__all__ = ("Package", "add_cold", "install_desk", "needed_packages", "server_environment")

# These break with a newer line of the SDK than they were made for.
_OLD_SDK = {"mcp-server-sqlite": "mcp<2", "office-powerpoint-mcp-server": "mcp<2"}
_DONE = "installed.json"
_INSTALL_TIMEOUT_S = 1_200
_COLD_TIMEOUT_S = 120
_GOAL_S = 10
_KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: desk, cluster: {server: "http://127.0.0.1:9"}}]
contexts: [{name: desk, context: {cluster: desk, user: desk}}]
users: [{name: desk, user: {}}]
current-context: desk
"""


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """What has to be installed for one server."""

    index: str
    name: str
    version: str


def needed_packages(config: Path, summary: Path) -> list[Package]:
    """The packages of the servers of a manifest, in name order.

    Raises:
        SystemExit: the summary does not know a server.
    """
    servers = json.loads(config.read_text("utf-8"))["mcpServers"]
    known = {entry["server"]: entry for entry in json.loads(summary.read_text("utf-8"))}
    unknown = sorted(servers.keys() - known.keys())
    if unknown:
        raise SystemExit(f"{str(summary)!r} names no package for {unknown}: leave them out")
    entries = (known[name] for name in servers)
    return sorted({Package(e["ecosystem"], e["package"], e["version"]) for e in entries})


def server_environment(folder: Path) -> dict[str, str]:
    """The variables with which the installed servers are found and find their own files."""
    places = (folder / "bin", folder / "node_modules" / ".bin")
    path = os.pathsep.join([*map(str, places), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "DESK_DIR": str(folder / "desk")}


def install_desk(folder: Path, packages: Sequence[Package]) -> None:
    """Install the packages and lay out what the servers work on; what is there is kept.

    Raises:
        SystemExit: an installer failed, with the end of what it said.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [[package.index, package.name, package.version] for package in packages]
    done = folder / _DONE
    if not done.exists() or json.loads(done.read_text("utf-8")) != wanted:
        _install_python(folder, [p for p in packages if p.index == "pypi"])
        _install_node(folder, [p for p in packages if p.index == "npm"])
        done.write_text(json.dumps(wanted), "utf-8")
    _lay_out(folder / "desk")


def _install_python(folder: Path, packages: Sequence[Package]) -> None:
    if not packages:
        return
    tools = folder / "installer"
    _run([sys.executable, "-m", "venv", str(tools)], folder)
    _run([str(tools / "bin" / "python"), "-m", "pip", "install", "--quiet", "uv"], folder)
    environ = {"UV_TOOL_DIR": str(folder / "tools"), "UV_TOOL_BIN_DIR": str(folder / "bin")}
    for package in packages:
        command = [str(tools / "bin" / "uv"), "tool", "install", "--quiet", "--force"]
        command += ["--compile-bytecode", "--python", sys.executable]
        if package.name in _OLD_SDK:
            command += ["--with", _OLD_SDK[package.name]]
        _run([*command, f"{package.name}=={package.version}"], folder, environ)


def _install_node(folder: Path, packages: Sequence[Package]) -> None:
    if not packages:
        return
    # Without a file of its own npm would look for one in the folders above.
    (folder / "package.json").write_text('{"private": true}', "utf-8")
    command = ["npm", "install", "--silent", "--ignore-scripts", "--legacy-peer-deps"]
    _run([*command, *(f"{package.name}@{package.version}" for package in packages)], folder)


def _lay_out(desk: Path) -> None:
    (desk / "files").mkdir(parents=True, exist_ok=True)
    (desk / "kubeconfig").write_text(_KUBECONFIG, "utf-8")
    with closing(sqlite3.connect(desk / "desk.db")) as database:
        database.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT)")
    if not (desk / "repo" / ".git").exists():
        own = ("-c", "user.name=desk", "-c", "user.email=desk@localhost")
        _run(["git", "init", "--quiet", "repo"], desk)
        _run(["git", *own, "commit", "--quiet", "--allow-empty", "-m", "Begin"], desk / "repo")


def _run(command: Sequence[str], folder: Path, environ: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=_INSTALL_TIMEOUT_S,
    )
    if done.returncode != 0:
        raise SystemExit(f"{command} failed: {(done.stdout + done.stderr)[-2000:]}")


def add_cold(report: Report, *, config: Path, folder: Path, expected: int) -> None:
    """Add the time from nothing known to a list of every tool of the installed servers."""
    with tempfile.TemporaryDirectory(prefix="toolweft-bench-") as scratch:
        environ = {
            **server_environment(folder),
            "XDG_CACHE_HOME": scratch,
            "XDG_CONFIG_HOME": scratch,
            "TOOLWEFT_LEDGER__URL": f"sqlite:///{scratch}/cold.db",
        }
        # With nothing accepted of any server either.
        own = copyfile(config, Path(scratch) / "mcp.json")
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.desk_install", str(own)],
            env=environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=2 * _COLD_TIMEOUT_S,
        )
        # The servers are gone by then too, which takes a moment.
        ended_s = time.perf_counter() - start
    if done.returncode != 0:
        raise SystemExit(done.stderr[-2000:])
    listed = json.loads(done.stdout.splitlines()[-1])
    report.add("desk_cold_s", listed["after_s"] + _import_s(environ), at_most=_GOAL_S)
    report.add("desk_cold_and_stopped_s", ended_s)
    report.add("desk_cold_tools", listed["tools"], at_least=expected)
    report.notes += listed["problems"]


def _import_s(environ: Mapping[str, str]) -> float:
    """What a process of the command line takes before it opens anything."""
    start = time.perf_counter()
    code = "import toolweft.cli.commands.tools"
    subprocess.run([sys.executable, "-c", code], env=environ, cwd=ROOT, check=True)
    return time.perf_counter() - start


async def _list_all(config: Path) -> None:
    """Print how long it took until every server had listed its tools or failed."""
    scratch = Path(os.environ["XDG_CACHE_HOME"])
    start = time.perf_counter()
    settings = load_settings(config=config, environ=os.environ, cwd=scratch, home=scratch)
    async with open_app(settings) as app:
        await app.sources.settle(_COLD_TIMEOUT_S)
        after_s = time.perf_counter() - start
        snapshot = app.catalog.snapshot
        problems = [
            f"{source.name} is {source.state}: {source.reason}"
            for source in snapshot.sources.values()
            if not source.is_usable
        ]
        print(json.dumps({"after_s": after_s, "tools": len(snapshot.tools), "problems": problems}))


if __name__ == "__main__":
    anyio.run(_list_all, Path(sys.argv[1]))
