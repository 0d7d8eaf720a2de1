"""Environments from the command line: packages installed once, imported by programs."""

import zipfile
from pathlib import Path

import pytest
from tests.cli.shell import Shell

WHEEL = "tiny-1.0-py3-none-any.whl"
FILES = {
    "tiny.py": "NUMBER = 42\n",
    "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
    "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}


@pytest.fixture
def requirements(shell: Shell) -> Path:
    """A requirements file that names a wheel of our own."""
    with zipfile.ZipFile(shell.folder / WHEEL, "w") as wheel:
        for name, text in FILES.items():
            wheel.writestr(name, text)
        record = "".join(f"{name},,\n" for name in FILES)
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
