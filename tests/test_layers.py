"""The import contracts hold, and each breaks when its fault is planted."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

# File to add to, the line added, and the contract that must break.
FAULTS = {
    "core imports calls": (
        "core/tools.py",
        "import toolweft.calls",
        "one direction",
    ),
    "an undeclared folder": (
        "helpers/__init__.py",
        "",
        "one direction",
    ),
    "one source imports another": (
        "sources/options.py",
        "import toolweft.sources.planted",
        "adapters do not know each other",
    ),
    "core does input and output": (
        "core/tools.py",
        "import socket",
        "core is pure",
    ),
    "the guest imports the project": (
        "sandbox/guest/planted.py",
        "import toolweft.core.json",
        "the guest stands alone",
    ),
    "the gateway reads configuration": (
        "gateway/options.py",
        "import toolweft.config",
        "only bootstrap and cli read configuration",
    ),
    "calls import the sdk": (
        "calls/options.py",
        "import mcp",
        "mcp stays in sources and gateway",
    ),
    "search opens a database": (
        "search/__init__.py",
        "import sqlalchemy",
        "sqlalchemy stays in stores",
    ),
    "the toolbox runs a model": (
        "toolbox/options.py",
        "import tokenizers",
        "model libraries stay in search",
    ),
    "stores ask over http": (
        "stores/options.py",
        "import httpx2",
        "httpx2 stays in sources, search and gateway",
    ),
    "the toolbox asks a model": (
        "toolbox/options.py",
        "import anthropic",
        "anthropic stays in its folder",
    ),
    "the toolbox asks a model of another vendor": (
        "toolbox/options.py",
        "from google import genai",
        "google stays in its folder",
    ),
    "a provider goes past its connection": (
        "providers/openai/client.py",
        "import openai",
        "openai stays in its folder",
    ),
    "one provider imports another": (
        "providers/openai/target.py",
        "import toolweft.providers.openai_chat",
        "adapters do not know each other",
    ),
    "the toolbox prints in colour": (
        "toolbox/options.py",
        "import rich",
        "typer and rich stay in cli",
    ),
}


def lint(folder: Path) -> str:
    command = [str(LINT_IMPORTS), "--no-cache", "--no-logo", "--config", "pyproject.toml"]
    environment = {"PYTHONPATH": "src", "PATH": "", "COLUMNS": "200"}
    outcome = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return outcome.stdout + outcome.stderr


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / "pyproject.toml", folder)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src", folder / "src", ignore=ignored)
    return folder


@pytest.mark.slow
def test_every_contract_holds(tree: Path) -> None:
    assert "0 broken" in lint(tree)


@pytest.mark.slow
@pytest.mark.promise("house.layers")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_breaks_its_contract(tree: Path, tmp_path: Path, fault: str) -> None:
    name, line, contract = FAULTS[fault]
    shutil.copytree(tree, tmp_path, dirs_exist_ok=True)
    package = tmp_path / "src" / "toolweft"
    (package / "sources" / "planted.py").write_text('"""Planted."""\n', encoding="utf-8")
    path = package / name
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")

    assert f"{contract} BROKEN" in lint(tmp_path)
