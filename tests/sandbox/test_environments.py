"""Environments of packages: made on the host, read-only, imported by programs of every tier."""

import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
from tests import machine

from toolweft.core.clock import SystemClock
from toolweft.core.errors import SandboxUnavailable
from toolweft.core.ports import GuestCall, GuestNames, GuestReply
from toolweft.core.programs import ProgramLimits
from toolweft.sandbox import SandboxOptions
from toolweft.sandbox.environment_build import (
    create_environment,
    find_preload,
    install_packages,
    remove_environment,
)
from toolweft.sandbox.environment_trial import import_inside, import_outside
from toolweft.sandbox.environments import (
    list_environments,
    load_environment,
    python_tag,
    write_description,
)
from toolweft.sandbox.process import ProcessBackend
from toolweft.sandbox.process.tiers import TIERS

MIB = 1024 * 1024
LIMITS = ProgramLimits(memory_bytes=256 * MIB, wall_s=30.0, active_s=20.0)


def write_package(site: Path, name: str, *, requires: str = "", body: str = "") -> None:
    """What an installer leaves behind of a small package."""
    folder = site / name
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(body or f"def greet(): return 'hello from {name}'\n")
    record = site / f"{name}-1.2.dist-info"
    record.mkdir()
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2"]
    lines += [f"Requires-Dist: {requires}"] if requires else []
    (record / "METADATA").write_text("\n".join(lines) + "\n")
    files = [f"{name}/__init__.py", f"{name}-1.2.dist-info/METADATA"]
    (record / "RECORD").write_text("".join(f"{file},,\n" for file in files))


def install_two(_requirements: Path, site: Path) -> None:
    write_package(site, "upper", requires="lower>=1; python_version > '3'")
    write_package(site, "lower")


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    file = tmp_path / "requirements.txt"
    file.write_text("upper\n")
    return file


def test_an_environment_is_made_read_only_and_found_again(tmp_path, requirements) -> None:
    made = create_environment(tmp_path / "e", "mine", requirements, install=install_two)
    assert made.packages == ("lower 1.2", "upper 1.2")
    # What another package requires comes with it.
    assert made.preload == ("upper",)
    assert load_environment(tmp_path / "e", "mine") == made
    assert list_environments(tmp_path / "e") == ["mine"]
    for folder, _folders, files in os.walk(made.site):
        assert all(not Path(folder, f).stat().st_mode & stat.S_IWUSR for f in files)
    assert list(made.site.glob("upper/__pycache__/*.pyc"))
    remove_environment(tmp_path / "e", "mine")
    assert list_environments(tmp_path / "e") == []
    assert list((tmp_path / "e").iterdir()) == []


def test_a_name_that_is_taken_is_refused(tmp_path, requirements) -> None:
    create_environment(tmp_path, "mine", requirements, install=install_two)
    with pytest.raises(SandboxUnavailable, match="already"):
        create_environment(tmp_path, "mine", requirements, install=install_two)


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 65, "a b", "a\0b"])
def test_a_name_that_is_no_plain_one_is_refused_everywhere(tmp_path, requirements, name) -> None:
    with pytest.raises(SandboxUnavailable, match="cannot be the name"):
        create_environment(tmp_path, name, requirements, install=install_two)
    with pytest.raises(SandboxUnavailable, match="cannot be the name"):
        load_environment(tmp_path, name)
    with pytest.raises(SandboxUnavailable, match="cannot be the name"):
        remove_environment(tmp_path, name)


def broken(_requirements: Path, site: Path) -> None:
    write_package(site, "broken", body="raise RuntimeError('no such library')\n")


def failing(_requirements: Path, site: Path) -> None:
    (site / "half").mkdir()
    raise SandboxUnavailable("the packages cannot be installed: no network")


@pytest.mark.parametrize(
    ("install", "message"),
    [(broken, "cannot be imported:\n.*no such library"), (failing, "no network")],
)
def test_what_fails_leaves_nothing_behind(tmp_path, requirements, install, message) -> None:
    with pytest.raises(SandboxUnavailable, match=f"(?s){message}"):
        create_environment(tmp_path / "e", "mine", requirements, install=install)
    assert list((tmp_path / "e").iterdir()) == []


def test_two_that_make_one_name_at_once_get_one_environment_and_a_clear_error(
    tmp_path, requirements
) -> None:
    def install_late(wanted: Path, site: Path) -> None:
        create_environment(tmp_path / "e", "mine", requirements, install=install_two)
        install_two(wanted, site)

    with pytest.raises(SandboxUnavailable, match="'mine' was made by somebody else") as refused:
        create_environment(tmp_path / "e", "mine", requirements, install=install_late)
    assert "env remove mine" in (refused.value.hint or "")
    assert [found.name for found in (tmp_path / "e").iterdir()] == ["mine"]


LOOK_ROUND = """
import os, pathlib
seen = [name for name in os.environ if "SECRET" in name]
assert not seen, seen
assert not list(pathlib.Path().glob("requirements*")), os.getcwd()
"""
THREAD = (
    "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n"
)


ATTEMPTS = [import_outside, pytest.param(import_inside, marks=pytest.mark.process)]


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_packages_are_imported_once_with_nothing_of_this_process(
    tmp_path, requirements, monkeypatch, attempt
) -> None:
    if attempt is import_inside:
        machine.need("ns")
        # The host's files are not there.
        look = LOOK_ROUND + f"assert not os.path.exists({str(requirements)!r})\n"
    else:
        look = LOOK_ROUND + f"assert os.environ['HOME'] != {str(Path.home())!r}\n"
    monkeypatch.setenv("A_SECRET", "x")
    monkeypatch.chdir(tmp_path)
    site = tmp_path / "site"
    write_package(site, "curious", body=look)
    write_package(site, "busy", body=THREAD)
    write_package(site, "broken", body="raise RuntimeError('no such library')\n")
    assert attempt(site, ["curious"]) is None
    assert "threads" in (attempt(site, ["busy"]) or "")
    assert "no such library" in (attempt(site, ["curious", "broken"]) or "")


def test_a_package_that_starts_threads_is_found_when_it_is_made(tmp_path, requirements) -> None:
    def install(_requirements: Path, site: Path) -> None:
        write_package(site, "calm")
        write_package(site, "restless", body=THREAD)

    with pytest.raises(SandboxUnavailable, match=r"imported:\nrestless: .*threads") as refused:
        create_environment(tmp_path / "e", "mine", requirements, install=install)
    assert "'restless'" in (refused.value.hint or "")
    assert list((tmp_path / "e").iterdir()) == []


# Where the socket to the host is, and where it would be without care.
SCRIBBLE = """
import os
for fd in range({first}, 4096):
    try:
        os.write(fd, {text!r})
    except OSError:
        pass
"""


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_package_that_writes_to_low_descriptors_reaches_nobody(tmp_path, attempt) -> None:
    if attempt is import_inside:
        machine.need("ns")
    body = SCRIBBLE.format(first=3, text=b"junk").replace("4096", "20")
    write_package(tmp_path, "scribbler", body=body + "x = 1\n")
    assert attempt(tmp_path, ["scribbler"]) is None


@pytest.mark.process
@pytest.mark.parametrize(
    "text", [b"junk", b"[" * 4000, b"7", b"{}", b'{"ready": true}', b'{"ready": true, "pid": 1}']
)
def test_a_package_that_writes_where_the_host_listens_is_refused(
    tmp_path, requirements, text
) -> None:
    machine.need("ns")

    def install(_requirements: Path, site: Path) -> None:
        write_package(site, "calm")
        write_package(site, "scribbler", body=SCRIBBLE.format(first=3, text=text))

    with pytest.raises(SandboxUnavailable, match=r"imported:\nscribbler: .*disturbed") as refused:
        create_environment(tmp_path / "e", "mine", requirements, install=install)
    assert "'scribbler'" in (refused.value.hint or "")
    assert list((tmp_path / "e").iterdir()) == []


@pytest.mark.parametrize("attempt", ATTEMPTS)
@pytest.mark.parametrize(
    "body", ["raise SystemExit(0)", "import os\nos._exit(0)", "import os\nos.closerange(3, 4096)"]
)
def test_a_package_that_ends_the_interpreter_cannot_be_imported(tmp_path, attempt, body) -> None:
    if attempt is import_inside:
        machine.need("ns")
    write_package(tmp_path, "ending", body=body + "\n")
    said = attempt(tmp_path, ["ending"])
    assert said is not None
    assert "end" in said or "closes open descriptors" in said or "SystemExit" in said


_IMPORT = """
import sys
from pathlib import Path
from toolweft.sandbox.environment_trial import import_outside
import_outside(Path(sys.argv[1]), ["looping"])
"""


@pytest.mark.process
def test_an_import_that_never_ends_dies_with_the_process_that_tries_it(tmp_path) -> None:
    machine.need("noopen")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    body = f"held = open({str(pipe)!r}, 'w')\nprint('begun', file=held, flush=True)\n"
    write_package(tmp_path / "site", "looping", body=body + "while True: pass\n")
    trying = subprocess.Popen([sys.executable, "-c", _IMPORT, str(tmp_path / "site")])
    with trying, pipe.open() as heard:
        assert heard.readline() == "begun\n"
        trying.kill()
        # Whoever held its other end is gone too.
        assert heard.read() == ""


def write_source(folder: Path, trace: Path) -> Path:
    """A source tree that leaves a trace when it is built."""
    folder.mkdir()
    (folder / "setup.py").write_text(f"open({str(trace)!r}, 'w')\n")
    return folder


def test_nothing_is_built_whatever_asks_for_it(tmp_path, monkeypatch) -> None:
    # With pip: no other installer is found there.
    monkeypatch.setenv("PATH", "/nowhere")
    trace = tmp_path / "trace"
    source = write_source(tmp_path / "source", trace)
    wheel = tmp_path / "asks-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        needs = f"Requires-Dist: source @ {source.as_uri()}\n"
        head = "Metadata-Version: 2.1\nName: asks\nVersion: 1.0\n"
        archive.writestr("asks-1.0.dist-info/METADATA", head + needs)
        archive.writestr("asks-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("asks-1.0.dist-info/RECORD", "")
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"{wheel}\n")
    with pytest.raises(SandboxUnavailable, match="only wheels are installed"):
        create_environment(tmp_path / "e", "mine", requirements)
    requirements.write_text(f"{source}\n")
    with pytest.raises(SandboxUnavailable, match=r"requirements\.txt:1: "):
        create_environment(tmp_path / "e", "mine", requirements)
    requirements.write_text("")
    monkeypatch.setenv("PIP_EDITABLE", str(source))
    monkeypatch.setenv("PIP_NO_BINARY", ":all:")
    with pytest.raises(SandboxUnavailable, match="only wheels are installed"):
        install_packages(requirements, tmp_path / "site")
    assert not trace.exists()


def test_a_requirements_file_that_is_missing_is_named(tmp_path) -> None:
    with pytest.raises(SandboxUnavailable, match=r"nowhere\.txt"):
        create_environment(tmp_path / "e", "mine", tmp_path / "nowhere.txt", install=install_two)


def test_the_real_installer_says_why_it_cannot(tmp_path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"{tmp_path}/no-such-package-1.0-py3-none-any.whl\n")
    with pytest.raises(SandboxUnavailable, match="cannot be installed"):
        install_packages(requirements, tmp_path / "site")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "damaged"),
        ('{"python": "x", "preload": [1], "packages": []}', "damaged"),
        ('{"python": "cpython-27", "preload": [], "packages": []}', "made for cpython-27"),
    ],
)
def test_a_description_that_cannot_be_used_is_refused(tmp_path, text, message) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/environment.json").write_text(text)
    with pytest.raises(SandboxUnavailable, match=message):
        load_environment(tmp_path, "mine")


def test_an_unknown_name_lists_the_known_ones(tmp_path) -> None:
    (tmp_path / "mine").mkdir()
    write_description(tmp_path / "mine", preload=[], packages=[], requirements=[])
    assert json.loads((tmp_path / "mine/environment.json").read_text())["python"] == python_tag()
    with pytest.raises(SandboxUnavailable, match="no environment 'other', only: mine"):
        load_environment(tmp_path, "other")


def test_late_parts_of_known_packages_are_imported_beforehand(tmp_path) -> None:
    write_package(tmp_path, "numpy")
    write_package(tmp_path, "pandas", requires="numpy>=1")
    assert find_preload(tmp_path)[:2] == ["numpy", "numpy.random"]
    assert "pandas.io.parsers" in find_preload(tmp_path)


# ------------------------------------------------------------------------------------- in programs


async def answer(_call: GuestCall) -> GuestReply:
    return GuestReply()


async def value_of(backend: ProcessBackend, code: str, environment: str | None) -> str:
    session = await backend.open(LIMITS, environment=environment)
    outcome = await session.run(code, names=GuestNames(), limits=LIMITS, on_call=answer)
    await session.close()
    said = outcome.error.message if outcome.error else ""
    return outcome.value.decode() if outcome.status == "ok" else f"{outcome.status}: {said}"


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two environments, one of them with the numpy that is installed here."""
    folder = tmp_path_factory.mktemp("environments")
    requirements = folder / "requirements.txt"
    requirements.touch()
    create_environment(folder, "small", requirements, install=install_two)
    site = folder / "numbers/site"
    installed = Path(numpy.__file__).parent
    shutil.copytree(installed, site / "numpy", ignore=shutil.ignore_patterns("tests"))
    libraries = installed.parent / "numpy.libs"
    if libraries.exists():
        shutil.copytree(libraries, site / "numpy.libs")
    preload = ["numpy", "numpy.linalg"]
    write_description(folder / "numbers", preload=preload, packages=["numpy"], requirements=[])
    return folder


@pytest.mark.process
@pytest.mark.promise("sandbox.environments")
@pytest.mark.parametrize("tier", [tier.name for tier in TIERS])
async def test_programs_import_the_packages_of_their_environment(environments, tier) -> None:
    machine.need(tier)
    options = SandboxOptions(tier=tier, environments=environments)
    async with ProcessBackend(options, clock=SystemClock()) as backend:
        greet = "import upper\nupper.greet()"
        assert await value_of(backend, greet, "small") == '"hello from upper"'
        without = await value_of(backend, greet, None)
        assert without == "error: No module named 'upper'"
        where = "import upper\nupper.__file__"
        if tier == "ns":
            shown = await value_of(backend, where, "small")
            assert shown == '"/opt/packages/upper/__init__.py"'
        write = "import upper\nopen(upper.__file__, 'a')"
        assert (await value_of(backend, write, "small")).startswith("error: ")


@pytest.mark.process
@pytest.mark.parametrize("tier", [tier.name for tier in TIERS])
async def test_a_library_that_likes_threads_computes_in_every_tier(environments, tier) -> None:
    machine.need(tier)
    code = (
        "import numpy\nones = numpy.ones((300, 300))\n"
        "[float((ones @ ones).sum()), float(numpy.linalg.svd(ones)[1][0])]"
    )
    options = SandboxOptions(tier=tier, environments=environments)
    async with ProcessBackend(options, clock=SystemClock()) as backend:
        total, largest = json.loads(await value_of(backend, code, "numbers"))
    assert total == 300**3
    assert largest == pytest.approx(300)


@pytest.mark.process
async def test_an_environment_that_cannot_be_used_is_named(tmp_path) -> None:
    write_package(tmp_path / "busy/site", "restless", body=THREAD)
    write_description(tmp_path / "busy", preload=["restless"], packages=[], requirements=[])
    options = SandboxOptions(environments=tmp_path)
    async with ProcessBackend(options, clock=SystemClock()) as backend:
        with pytest.raises(
            SandboxUnavailable, match=r"'busy' cannot be used: .*threads"
        ) as refused:
            await backend.open(LIMITS, environment="busy")
    assert "env remove busy" in (refused.value.hint or "")


@pytest.mark.process
@pytest.mark.parametrize("tier", [tier.name for tier in TIERS])
@pytest.mark.parametrize("text", [b"junk", b'{"ready": true}'])
async def test_an_environment_whose_packages_disturb_the_import_is_refused(
    tmp_path, tier, text
) -> None:
    machine.need(tier)
    write_package(tmp_path / "e/site", "scribbler", body=SCRIBBLE.format(first=3, text=text))
    write_description(tmp_path / "e", preload=["scribbler"], packages=[], requirements=[])
    options = SandboxOptions(environments=tmp_path, tier=tier)
    async with ProcessBackend(options, clock=SystemClock()) as backend:
        with pytest.raises(SandboxUnavailable, match=r"'e' cannot be used: .*disturbed"):
            await backend.open(LIMITS, environment="e")


AT_EACH_GUEST = """
import os
def scribble():
    for fd in range(3, 4096):
        try:
            os.write(fd, b'{"ready": true}')
        except OSError:
            pass
os.register_at_fork(after_in_parent=scribble)
"""


@pytest.mark.process
async def test_a_package_that_writes_where_the_host_listens_later_is_named(tmp_path) -> None:
    write_package(tmp_path / "e/site", "scribbler", body=AT_EACH_GUEST)
    write_description(tmp_path / "e", preload=["scribbler"], packages=[], requirements=[])
    options = SandboxOptions(environments=tmp_path)
    async with ProcessBackend(options, clock=SystemClock()) as backend:
        with pytest.raises(SandboxUnavailable, match=r"no guest could be made: .*disturbed"):
            await backend.open(LIMITS, environment="e")


@pytest.mark.process
async def test_an_environment_needs_memory_and_a_folder(environments) -> None:
    options = SandboxOptions(environments=environments)
    async with ProcessBackend(options, clock=SystemClock()) as backend:
        little = replace(LIMITS, memory_bytes=255 * MIB)
        with pytest.raises(SandboxUnavailable, match="needs 256 MiB of memory, the limit is 255"):
            await backend.open(little, environment="small")
        with pytest.raises(SandboxUnavailable, match="no environment 'other'"):
            await backend.open(LIMITS, environment="other")
    async with ProcessBackend(SandboxOptions(), clock=SystemClock()) as backend:
        with pytest.raises(SandboxUnavailable, match="no folder for environments is configured"):
            await backend.open(LIMITS, environment="small")


@pytest.mark.process
@pytest.mark.parametrize("tier", [tier.name for tier in TIERS])
async def test_time_zones_are_known_in_every_tier(tier) -> None:
    machine.need(tier)
    code = "from zoneinfo import ZoneInfo\nstr(ZoneInfo('Europe/Berlin'))"
    async with ProcessBackend(SandboxOptions(tier=tier), clock=SystemClock()) as backend:
        assert await value_of(backend, code, None) == '"Europe/Berlin"'
