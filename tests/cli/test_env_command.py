"""Environments from the command line: packages installed once, imported by programs."""

import os
import signal
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests import machine
from tests.cli.shell import TOOLWEFT, Shell

WHEEL = "tiny-1.0-py3-none-any.whl"
FILES = {
    "tiny.py": "NUMBER = 42\n",
    "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
    "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}


@pytest.fixture
def requirements(shell: Shell) -> Path:
    """A requirements file that names a wheel of our own."""
    return write_requirements(shell, FILES)


def write_requirements(shell: Shell, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(shell.folder / WHEEL, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
        record = "".join(f"{name},,\n" for name in files)
        wheel.writestr("tiny-1.0.dist-info/RECORD", record + "tiny-1.0.dist-info/RECORD,,\n")
    return shell.write("requirements.txt", f"{shell.folder / WHEEL}\n")


@pytest.mark.process
def test_packages_are_installed_listed_imported_and_removed(
    shell: Shell, requirements: Path
) -> None:
    made = shell("env", "create", "mine", "-r", str(requirements))
    assert (made.code, made.out) == (0, "mine: tiny 1.0\n")
    assert "toolweft run --environment mine FILE" in made.err

    listed = shell("env", "list", "--json").json
    assert [(row["name"], row["packages"]) for row in listed] == [("mine", ["tiny 1.0"])]

    ran = shell("run", "-q", "--environment", "mine", "-c", "import tiny\nprint(tiny.NUMBER)")
    assert (ran.code, ran.out) == (0, "42\n")

    assert shell("env", "remove", "mine").code == 0
    assert shell("env", "list", "--json").json == []


@pytest.mark.process
def test_an_unknown_environment_is_refused_with_the_command_that_makes_one(shell: Shell) -> None:
    ended = shell("run", "--environment", "mine", "-c", "print(1)")

    assert (ended.code, ended.out) == (1, "")
    assert "there is no environment 'mine'" in ended.err
    assert "toolweft env create" in ended.err


@pytest.mark.parametrize(
    ("given", "fault", "step"),
    [
        (("remove", "mine"), "there is no environment 'mine'", "toolweft env list"),
        (("create", "mine", "-r", "none.txt"), "none.txt", "-r takes a file"),
        (("remove", "../x"), "../x", "use letters"),
    ],
)
def test_what_cannot_be_done_comes_with_a_next_step(
    shell: Shell, given: tuple[str, ...], fault: str, step: str
) -> None:
    ended = shell("env", *given)

    assert (ended.code, ended.out) == (1, "")
    assert fault in ended.err
    assert step in ended.err.partition("next:")[2]


def test_a_damaged_environment_is_listed_with_its_problem(shell: Shell) -> None:
    folder = shell.folder / "home/.local/share/toolweft/environments/broken"
    folder.mkdir(parents=True)
    (folder / "environment.json").write_text("[]")

    ended = shell("env", "list")

    assert ended.code == 0
    assert "damaged" in ended.out


ENVIRONMENTS = "home/.local/share/toolweft/environments"


def looping() -> list[int]:
    """The processes that import the package which never ends, by the name it gives to itself."""
    found = []
    for status in Path("/proc").glob("[0-9]*/comm"):
        try:
            if status.read_text() == f"loop-{os.getpid()}\n":
                found.append(int(status.parent.name))
        except OSError:
            continue
    return found


@contextmanager
def importing_for_ever(shell: Shell) -> Iterator["subprocess.Popen[str]"]:
    """`env create` while it imports a package that never ends to be imported."""
    name = f"loop-{os.getpid()}".encode()
    # PR_SET_NAME
    body = f"import ctypes\nctypes.CDLL(None).prctl(15, {name!r})\nwhile True: pass\n"
    requirements = write_requirements(shell, {**FILES, "tiny.py": body})
    with subprocess.Popen(
        [TOOLWEFT, "env", "create", "mine", "-r", str(requirements)],
        cwd=shell.folder,
        env=shell.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as creating:
        try:
            wait_until(lambda: bool(looping()))
            yield creating
        finally:
            creating.kill()
            wait_until(lambda: not looping())


def wait_until(is_so) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_creation_in_order_and_nothing_stays(
    shell: Shell, number: signal.Signals
) -> None:
    machine.need("noopen")
    with importing_for_ever(shell) as creating:
        creating.send_signal(number)
        out, errors = creating.communicate(timeout=20)
        assert looping() == []

    assert (creating.returncode, out) == (-number, "")
    assert "Traceback" not in errors
    assert list((shell.folder / ENVIRONMENTS).iterdir()) == []


@pytest.mark.process
def test_a_creation_that_is_killed_leaves_no_process_and_its_draft_goes_with_the_next_list(
    shell: Shell,
) -> None:
    machine.need("noopen")
    folder = shell.folder / ENVIRONMENTS
    with importing_for_ever(shell) as creating:
        held = list(folder.iterdir())
        assert shell("env", "list", "--json").json == []
        assert list(folder.iterdir()) == held != []
        creating.kill()
        creating.wait()
        wait_until(lambda: not looping())

    assert list(folder.iterdir()) == held
    assert shell("env", "list", "--json").json == []
    assert list(folder.iterdir()) == []
