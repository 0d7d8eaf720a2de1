"""What every test may ask for."""

import gc
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

from toolweft.testing import CountingIds, FakeClock

# How long an example takes says more of what else the machine does than of the code.
settings.register_profile("toolweft", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("toolweft")

# What confines processes is Linux' own, and on Windows not even to be imported.
collect_ignore_glob: list[str] = []
if not sys.platform.startswith("linux"):
    collect_ignore_glob += ["sandbox/guest/*", "sandbox/process/*"]
    # Clients' files lie elsewhere there; `cli/test_install_command.py` enters each system itself.
    collect_ignore_glob += ["cli/test_install_*.py", "cli/test_import_command.py"]
if sys.platform == "win32":
    collect_ignore_glob += [
        "attacks/*",
        "cli/test_consent.py",
        "cli/test_serve_command.py",
        "contracts/test_sandbox_session.py",
        "fuzz/*",
        "programs/test_program_in_sandbox.py",
        "sandbox/container/*",
        "sandbox/monty/test_monty_*.py",
        "sandbox/test_environments.py",
    ]


def pytest_collection_finish() -> None:
    """Ten thousand tests are never garbage, and looking through them takes a second each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _own_log_level() -> Iterator[None]:
    """A command sets the level of our logs for its process; a test must not for the next."""
    yield
    logging.getLogger("toolweft").setLevel(logging.NOTSET)


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What one test lists and saves is not there for the next, nor for whoever runs them."""
    folder = tmp_path_factory.getbasetemp() / "caches" / uuid4().hex
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    # Saved programs are tools of whoever opens a toolbox next.
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))


@pytest.fixture(autouse=True, scope="session")
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is kept by default is kept elsewhere: nobody's saved programs, nobody's journal."""
    folder = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as process:
        process.setenv("XDG_STATE_HOME", str(folder / "state"))
        process.setenv("XDG_DATA_HOME", str(folder / "data"))
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_stray_locks() -> Iterator[None]:
    """No test accepts definitions on behalf of the checkout or of whoever runs the tests."""
    before = _locks()
    yield
    stray = [str(path) for path, changed_ns in _locks().items() if before.get(path) != changed_ns]
    assert not stray, f"tests wrote {', '.join(sorted(stray))}"


def _locks() -> dict[Path, int]:
    """Every lock file that a default could name, with its time."""
    root, home = Path(__file__).parents[1], Path.home()
    kept = (home, home / ".config" / "toolweft", home / ".local" / "state" / "toolweft")
    folders = [path for path in root.iterdir() if path.is_dir() and path.name[0] != "."]
    found = [path for folder in folders for path in folder.rglob("toolweft.lock")]
    found += [path for folder in (root, *kept) for path in folder.glob("toolweft.lock")]
    return {path: path.stat().st_mtime_ns for path in found}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ids() -> CountingIds:
    return CountingIds()


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of the large data sets; asking for it needs the marker `data`.

    Tests so marked are left out unless TOOLWEFT_DATA is set; once it is, a missing file fails.
    """
    return Path(os.environ["TOOLWEFT_DATA"])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("TOOLWEFT_DATA"):
        return
    large = [item for item in items if item.get_closest_marker("data")]
    if large:
        items[:] = [item for item in items if item not in large]
        config.hook.pytest_deselected(items=large)
