"""scripts/venv.sh says what to do on a machine that lacks something."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "venv.sh"
# All it needs besides Python; so uv is not there, whatever this machine has.
TOOLS = ("basename", "bash", "cat", "cksum", "dirname", "env")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (programs / tool).symlink_to(found)
    (tmp_path / "none.txt").write_text("", encoding="utf-8")
    return tmp_path


def add_python(folder: Path, name: str, *, without: str) -> None:
    """A Python that fails when its program mentions `without`."""
    path = folder / "bin" / name
    path.write_text(
        f'#!/bin/sh\ncase "$*" in *"{without}"*) exit 1;; esac\nexec "{sys.executable}" "$@"\n',
        encoding="utf-8",
    )
    path.chmod(0o755)


def build(folder: Path, python: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SCRIPT), str(folder / "environment"), str(folder / "none.txt")],
        env={"PATH": str(folder / "bin"), "HOME": str(folder), "PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["python3", "python3.12"])
def test_where_venv_is_missing_the_apt_line_is_printed(folder: Path, name: str) -> None:
    add_python(folder, name, without="ensurepip")

    outcome = build(folder, name)

    assert outcome.returncode == 1
    assert f"sudo apt-get install -y {name}-venv\n" in outcome.stderr
    assert not (folder / "environment").exists()


def test_an_old_python_is_refused_with_a_way_on(folder: Path) -> None:
    add_python(folder, "python3", without="version_info < (3, 11)")

    outcome = build(folder, "python3")

    assert outcome.returncode == 1
    assert "needs 3.11 or newer" in outcome.stderr


def test_a_missing_python_is_named(folder: Path) -> None:
    outcome = build(folder, "python9")

    assert outcome.returncode == 1
    assert "no python9 on PATH" in outcome.stderr


@pytest.mark.slow
def test_the_second_call_does_nothing(folder: Path) -> None:
    add_python(folder, "python3", without="no such program")

    first, second = build(folder, "python3"), build(folder, "python3")

    assert first.returncode == 0, first.stderr
    assert "building" in first.stdout
    assert (second.returncode, second.stdout) == (0, "")
