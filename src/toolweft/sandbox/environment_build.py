"""Makes environments: installs packages into a folder, tries them, and closes the folder.

Called by the command line alone; a running toolweft only reads environments.
"""

import os
import shutil
import subprocess  # nosec B404  starts this interpreter or uv with arguments checked below
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path

from toolweft.core.errors import SandboxUnavailable
from toolweft.sandbox.environment_drafts import (
    INSTALLING,
    Draft,
    remove_folder,
    remove_left_drafts,
)
from toolweft.sandbox.environment_requirements import Requirements, load_requirements
from toolweft.sandbox.environment_trial import try_packages
from toolweft.sandbox.environments import (
    PackageEnvironment,
    check_name,
    load_environment,
    write_description,
)
from toolweft.sandbox.guest.namespaces import PACKAGES_ROOT

__all__ = ("create_environment", "find_preload", "install_packages", "remove_environment")

# Puts the packages of a requirements file into a folder; raises `SandboxUnavailable`.
Install = Callable[[Path, Path], None]

_INSTALL_TIMEOUT_S = 1_800
_MAX_SHOWN_CHARACTERS = 2_000
# Parts that packages import only when they are used, which the tier without files cannot do.
_LATE_PARTS = {
    "numpy": ("numpy.random", "numpy.linalg", "numpy.fft"),
    "pandas": ("pandas.io.formats.csvs", "pandas.io.parsers"),
}
# Runs pip with no way to start a process, which every build would: no setting, no variable and no
# package's own list of requirements gets round it. `keyring` is how pip may ask for a password.
# What it unpacks lies in the draft, so that nothing stays elsewhere where it is ended.
_PIP = """
import os, runpy, sys
def refuse(event, details):
    if event in ("os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.system", "os.startfile"):
        is_keyring = event in ("os.exec", "os.posix_spawn") and is_for_keyring(details[0])
    elif event == "subprocess.Popen":
        is_keyring = is_for_keyring(details[0])
    else:
        return
    if not is_keyring:
        raise PermissionError(
            "a package would be built by running its own code; only wheels are installed"
        )
def is_for_keyring(path):
    return os.path.basename(os.fsdecode(path)) in ("keyring", "keyring.exe")
os.environ["TMPDIR"] = sys.argv.pop(1)
sys.addaudithook(refuse)
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
_READ_ONLY_FILE, _READ_ONLY_FOLDER = 0o444, 0o555


def create_environment(
    folder: Path, name: str, requirements: Path, *, install: Install | None = None
) -> PackageEnvironment:
    """Install what a requirements file names, for programs to import.

    Args:
        folder: where environments are kept; made where it is missing.
        name: a plain name that is not taken.
        requirements: as pip reads them, wheels only.
        install: `install_packages` unless given.

    Raises:
        SandboxUnavailable: it cannot be made; nothing is left behind.
    """
    check_name(name)
    place = folder / name
    if place.exists():
        raise SandboxUnavailable(
            f"there is an environment {name!r} already", hint=f"`toolweft env remove {name}` first"
        )
    try:
        wanted = load_requirements(requirements)
        folder.mkdir(parents=True, exist_ok=True)
        remove_left_drafts(folder)
        draft = Draft.make(folder, name)
    except OSError as exc:
        raise SandboxUnavailable(f"environment {name!r} cannot be made: {exc}") from exc
    with draft:
        site = draft.path / "site"
        site.mkdir()
        (install or install_packages)(_write_requirements(wanted, draft.path), site)
        preload = find_preload(site)
        try_packages(site, preload)
        _compile(site)
        packages = sorted(f"{d.name} {d.version}" for d in _distributions(site))
        write_description(draft.path, preload=preload, packages=packages, requirements=wanted.lines)
        _close(draft.path)
        _put_in_place(draft.path, place)
    return load_environment(folder, name)


def remove_environment(folder: Path, name: str) -> None:
    """Remove an environment; programs that run in it keep what they have loaded.

    Raises:
        SandboxUnavailable: there is none of that name.
    """
    check_name(name)
    if not (folder / name).is_dir():
        raise SandboxUnavailable(f"there is no environment {name!r}")
    remove_folder(folder / name)


def install_packages(requirements: Path, site: Path) -> None:
    """Install with uv where it is at hand, else with this interpreter's pip; wheels only.

    Args:
        requirements: what was checked; nothing in it names something to build.
        site: where the packages go.
    """
    uv = shutil.which("uv")
    if uv is not None:
        command = [uv, "pip", "install", "--python", sys.executable]
        # Overrides named in a variable could ask for a build of a source tree.
        overrides = requirements.with_name("overrides.txt")
        overrides.write_text("", encoding="utf-8")
        command += ["--override", str(overrides)]
    else:
        scratch = requirements.with_name(INSTALLING).absolute()
        scratch.mkdir(exist_ok=True)
        command = [sys.executable, "-P", "-c", _PIP, str(scratch)]
        command += ["install", "--disable-pip-version-check"]
    # A source distribution runs its own code to be built; a wheel is only unpacked.
    command += ["--only-binary", ":all:", "--no-compile", "--target", str(site)]
    _run([*command, "--requirement", str(requirements)], "the packages cannot be installed")


def find_preload(site: Path) -> list[str]:
    """The modules worth importing beforehand: those of packages that no other one requires."""
    found = _distributions(site)
    required = {
        _plain(r.split(";")[0]) for d in found for r in d.requires or () if "extra" not in r
    }
    names = []
    for distribution in found:
        if _plain(distribution.name) in required and distribution.name not in _LATE_PARTS:
            continue
        for module in _modules(distribution, site):
            names += [module, *_LATE_PARTS.get(module, ())]
    return names


def _distributions(site: Path) -> list[Distribution]:
    places = sorted(site.glob("*.dist-info"))
    return [PathDistribution(place) for place in places]


def _modules(distribution: Distribution, site: Path) -> list[str]:
    """The top-level packages and modules a distribution brings."""
    tops = {Path(str(file)).parts[0] for file in distribution.files or ()}
    names = [
        top.removesuffix(".py") for top in sorted(tops) if top.isidentifier() or top[-3:] == ".py"
    ]
    is_module = {name: (site / name / "__init__.py").exists() for name in names}
    return [
        name
        for name in names
        if not name.startswith("_") and (is_module[name] or (site / f"{name}.py").exists())
    ]


def _plain(requirement: str) -> str:
    """The name a requirement begins with, in one spelling."""
    name = requirement.strip()
    for end, character in enumerate(name):
        if not (character.isalnum() or character in "-_."):
            name = name[:end]
            break
    return name.lower().replace("_", "-").replace(".", "-")


def _write_requirements(wanted: Requirements, folder: Path) -> Path:
    """The checked lines as the files an installer reads."""
    lines = list(wanted.lines)
    if wanted.constraints:
        constraints = folder / "constraints.txt"
        constraints.write_text("\n".join((*wanted.constraints, "")), encoding="utf-8")
        lines.append(f"--constraint {constraints.name}")
    file = folder / "requirements.txt"
    file.write_text("\n".join((*lines, "")), encoding="utf-8")
    return file


def _put_in_place(draft: Path, place: Path) -> None:
    for file in ("requirements.txt", "constraints.txt", "overrides.txt"):
        (draft / file).unlink(missing_ok=True)
    remove_folder(draft / INSTALLING)
    try:
        draft.rename(place)
    except OSError as exc:
        if not place.exists():
            raise SandboxUnavailable(f"environment {place.name!r} cannot be made: {exc}") from exc
        raise SandboxUnavailable(
            f"environment {place.name!r} was made by somebody else meanwhile",
            hint=f"use that one, or `toolweft env remove {place.name}` and create it again",
        ) from exc


def _compile(site: Path) -> None:
    """Compile everything, for the path at which programs see it; a file that cannot be is left."""
    interpreter = os.path.realpath(sys.executable)
    command = [interpreter, "-I", "-S", "-m", "compileall", "-q", "-s", str(site)]
    command += ["-p", PACKAGES_ROOT, "--invalidation-mode", "unchecked-hash", str(site)]
    with suppress(SandboxUnavailable):
        _run(command, "the packages cannot be compiled")


def _run(command: Sequence[str], fault: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603  a fixed command; names of ours and of the user
            command,
            capture_output=True,
            timeout=_INSTALL_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise SandboxUnavailable(f"{fault}: {exc}") from exc
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        raise SandboxUnavailable(f"{fault}:\n{said[-_MAX_SHOWN_CHARACTERS:]}")


def _close(place: Path) -> None:
    for folder, _folders, files in os.walk(place):
        for file in files:
            Path(folder, file).chmod(_READ_ONLY_FILE)
        if Path(folder) != place:
            Path(folder).chmod(_READ_ONLY_FOLDER)
