"""The build server's file: it can be read, asks for little, and names only what is there."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / ".github" / "workflows" / "ci.yml"
TEXT = FILE.read_text(encoding="utf-8")
MATRIX: dict[Any, Any] = yaml.safe_load(TEXT)
JOBS: dict[str, dict[str, Any]] = MATRIX["jobs"]
SHELL_WORDS = {"sudo", "bash", "source"}
# Programs of the machines themselves.
OF_THE_MACHINE = {"apt-get", "sysctl", "python"}


def steps() -> Iterator[dict[str, Any]]:
    for job in JOBS.values():
        yield from job["steps"]


def commands() -> Iterator[list[str]]:
    """Every command of every step as words, without `sudo` and assignments in front."""
    for step in steps():
        text = step.get("run", "")
        inner = re.findall(r"bash -c '([^']*)'", text)
        text = re.sub(r"bash -c '[^']*'", "", text)
        for line in "\n".join([text, *inner]).replace("&&", "\n").splitlines():
            words = shlex.split(line)
            while words and (words[0] == "sudo" or re.fullmatch(r"[A-Z]+=.*", words[0])):
                words.pop(0)
            if words:
                yield words


def targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


def test_it_asks_for_no_rights_but_to_read_and_stops_what_is_outdated() -> None:
    assert MATRIX["permissions"] == {"contents": "read"}
    assert MATRIX["concurrency"]["cancel-in-progress"] is True
    assert "secrets." not in TEXT
    # YAML 1.1 reads the key `on` as true.
    assert set(MATRIX[True]) == {"push", "pull_request"}
    for name, job in JOBS.items():
        assert "permissions" not in job, name
        assert job["timeout-minutes"] <= 60, name


def test_actions_are_those_of_the_server_at_a_major_version() -> None:
    used = {step["uses"] for step in steps() if "uses" in step}
    assert used
    for action in used:
        assert re.fullmatch(r"actions/[a-z-]+@v\d+", action), action


def test_no_registry_is_named() -> None:
    images = [
        service["image"] for job in JOBS.values() for service in job.get("services", {}).values()
    ]
    assert images
    for image in images:
        assert re.fullmatch(r"[a-z]+:\d+", image), image
    assert not re.search(r"\b[a-z0-9-]+\.(?:io|com|org|net|dev)\b", TEXT)


def test_every_command_is_there() -> None:
    found = 0
    for words in commands():
        first = words[0]
        if first == "make":
            assert words[1] in targets(), words
        elif "/" in first and not first.startswith(".venv/"):
            assert (ROOT / first).is_file(), words
            assert (ROOT / first).stat().st_mode & 0o111, words
        else:
            known = OF_THE_MACHINE | SHELL_WORDS | {".venv/bin/python", ".venv/bin/toolweft"}
            assert first in known, words
        for word in words:
            if word.startswith(("tests/", "requirements/")):
                assert (ROOT / word).exists(), words
        found += 1
    assert found >= 15


def test_every_promised_python_and_system_has_a_job() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = {
        classifier.rpartition(" ")[2]
        for classifier in project["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", classifier)
    }
    linux = JOBS["linux"]["strategy"]["matrix"]
    assert set(linux["python"]) == {version.rpartition(":")[2].strip() for version in versions}
    assert linux["os"] == ["ubuntu-24.04", "ubuntu-24.04-arm"]
    assert set(JOBS["linux"]["services"]) == {"postgres", "redis"}
    others = JOBS["other-systems"]["strategy"]["matrix"]["os"]
    assert {name.partition("-")[0] for name in others} == {"macos", "windows"}


@pytest.mark.promise("house.any-system")
def test_the_interpreter_comes_along_where_it_is_the_only_sandbox() -> None:
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [Requirement(text) for text in project["dependencies"]]
    (monty,) = [need for need in needed if need.name == "pydantic-monty"]
    assert monty.marker is not None
    comes = {
        system: monty.marker.evaluate({"sys_platform": system})
        for system in ("linux", "darwin", "win32")
    }
    assert comes == {"linux": False, "darwin": True, "win32": True}
    (extra,) = project["optional-dependencies"]["monty"]
    assert str(monty.specifier) == str(Requirement(extra).specifier)
