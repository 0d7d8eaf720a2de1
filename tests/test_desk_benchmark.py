"""The desk's servers are set up as its manifest and its summary say."""

import json
from pathlib import Path

import pytest
from benchmarks.desk_install import Package, needed_packages, server_environment

SUMMARY = [
    {"server": "git", "package": "mcp-server-git", "version": "2", "ecosystem": "pypi"},
    {"server": "files", "package": "@scope/files", "version": "3", "ecosystem": "npm"},
    {"server": "unused", "package": "unused", "version": "4", "ecosystem": "npm"},
]


@pytest.fixture(name="summary")
def _summary(tmp_path: Path) -> Path:
    path = tmp_path / "summary.json"
    path.write_text(json.dumps(SUMMARY), "utf-8")
    return path


def manifest(folder: Path, *names: str) -> Path:
    path = folder / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {name: {} for name in names}}), "utf-8")
    return path


def test_packages_are_those_of_the_manifests_servers(tmp_path: Path, summary: Path) -> None:
    assert needed_packages(manifest(tmp_path, "git", "files"), summary) == [
        Package("npm", "@scope/files", "3"),
        Package("pypi", "mcp-server-git", "2"),
    ]


def test_a_server_of_unknown_package_is_named(tmp_path: Path, summary: Path) -> None:
    with pytest.raises(SystemExit, match=r"no package for \['mine'\]"):
        needed_packages(manifest(tmp_path, "git", "mine"), summary)


def test_installed_servers_are_found_before_others(tmp_path: Path) -> None:
    environ = server_environment(tmp_path)

    places = environ["PATH"].split(":")
    assert places[:2] == [str(tmp_path / "bin"), str(tmp_path / "node_modules" / ".bin")]
    assert environ["DESK_DIR"] == str(tmp_path / "desk")
