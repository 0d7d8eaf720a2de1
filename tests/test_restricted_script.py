"""scripts/test_restricted.sh really takes away what it says, and leaves nothing behind."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests import machine

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
# One that every user can run; the script is asked for the others.
SYSTEM_PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin")


def can_become_another_user() -> bool:
    """Whether this is root, and of more than a user namespace that holds nobody else."""
    *_, last = Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()
    first, _outside, count = map(int, last.split())
    return os.geteuid() == 0 and first + count > 65534


as_root = pytest.mark.skipif(
    not can_become_another_user(), reason="only root of the machine can become another user"
)
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the script in a small tree whose environment is built at once."""
    scripts = tmp_path / "tree/scripts"
    scripts.mkdir(parents=True)
    shutil.copy(SCRIPTS / "test_restricted.sh", scripts)
    (scripts / "venv.sh").write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    (scripts / "venv.sh").chmod(0o755)

    def run(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(scripts / "test_restricted.sh"), *arguments],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **environ},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    return run


def test_without_user_namespaces_none_can_be_made_and_the_user_stays(run: Run) -> None:
    machine.need("ns")

    ended = run("--no-userns", "--", "sh", "-c", "unshare --user true; echo $?; id -u")

    assert ended.returncode == 0, ended.stderr
    assert "No space left" in ended.stderr
    status, user = ended.stdout.split()
    assert (status != "0", user) == (True, str(os.geteuid()))


def test_the_status_is_that_of_the_command(run: Run) -> None:
    assert run("--no-userns", "--", "sh", "-c", "exit 7").returncode == 7


def become_nobody(run: Run, program: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    assert SYSTEM_PYTHON is not None
    environ = {"PYTHON": SYSTEM_PYTHON, "TMPDIR": "/tmp", **environ}
    return run("--user", "nobody", "--", "sh", "-c", program, **environ)


@as_root
def test_another_user_has_a_tree_and_a_home_of_its_own_and_nothing_else(run: Run) -> None:
    show = 'grep -E "^(Cap(Prm|Eff|Amb|Inh)|Groups)" /proc/self/status | cut -f2'
    ended = become_nobody(
        run, f"id -un; pwd; echo $HOME; touch here $HOME/x $TMPDIR/x && {show}; touch /root/x"
    )

    user, tree, home, *powers = ended.stdout.split()
    assert user == "nobody", ended.stderr
    assert tree.endswith("/tree")
    assert Path(home).parent == Path(tree).parent
    assert {int(power, 16) for power in powers} == {0}
    assert "Permission denied" in ended.stderr
    assert ended.returncode != 0
    assert not Path(tree).parent.exists()


@as_root
def test_an_interpreter_the_other_user_cannot_run_is_named(run: Run, tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (private / "python").write_text(f"#!/bin/sh\necho {private}/python\n", encoding="utf-8")
    (private / "python").chmod(0o755)

    ended = become_nobody(run, "true", PYTHON=str(private / "python"))

    assert ended.returncode == 1
    assert f"nobody cannot run {private}/python" in ended.stderr
    assert "PYTHON=" in ended.stderr


@as_root
def test_a_temporary_folder_the_other_user_cannot_enter_is_said(run: Run, tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)

    ended = become_nobody(run, "true", TMPDIR=str(private))

    assert ended.returncode == 1
    assert "set TMPDIR to elsewhere" in ended.stderr
    assert list(private.iterdir()) == []


@as_root
@pytest.mark.parametrize(
    ("user", "words"), [("no-such-user", "no user no-such-user"), ("root", "not restricted")]
)
def test_a_user_that_makes_no_sense_is_refused(run: Run, user: str, words: str) -> None:
    ended = run("--user", user, "--", "true")

    assert ended.returncode == 1
    assert words in ended.stderr


def test_what_the_script_does_not_know_prints_its_usage(run: Run) -> None:
    ended = run("--nouserns")

    assert ended.returncode == 2
    assert "--no-userns" in ended.stderr
