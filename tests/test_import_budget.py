"""Importing toolweft and asking for help load nothing heavy."""

import subprocess
import sys

import pytest

HEAVY = (
    "alembic",
    "anthropic",
    "fastapi",
    "google",
    "httpx2",
    "mcp",
    "mcp_types",
    "numpy",
    "pydantic_monty",
    "onnxruntime",
    "openai",
    "safetensors",
    "sqlalchemy",
    "starlette",
    "tiktoken",
    "tokenizers",
    "uvicorn",
)

REPORT = """
import sys
heavy = {heavy!r}
print("LOADED", *sorted(name for name in heavy if name in sys.modules))
"""
IMPORT = "import toolweft"
HELP = """
import sys
sys.argv = ["toolweft", "--help"]
from toolweft.cli import main
try:
    main()
except SystemExit as end:
    assert end.code in (0, None), end.code
"""
PUBLIC_ERRORS = "from toolweft.core import calls, errors, ports, programs, snapshot, tools"


def list_loaded(code: str) -> list[str]:
    command = [sys.executable, "-c", code + REPORT.format(heavy=HEAVY)]
    outcome = subprocess.run(command, capture_output=True, text=True, check=True)
    line = outcome.stdout.splitlines()[-1]
    assert line.startswith("LOADED")
    return line.split()[1:]


@pytest.mark.promise("house.import-budget")
@pytest.mark.parametrize("code", [IMPORT, HELP, PUBLIC_ERRORS], ids=["import", "help", "core"])
def test_nothing_heavy_is_loaded(code: str) -> None:
    assert list_loaded(code) == []


def test_the_report_sees_what_is_loaded() -> None:
    assert list_loaded("import sqlalchemy") == ["sqlalchemy"]


@pytest.mark.promise("house.import-budget")
def test_a_gateway_starts_without_what_talks_to_models() -> None:
    code = "import sys, toolweft.cli.commands.serve, toolweft.bootstrap, toolweft.gateway.server"
    report = "print(*(n for n in sys.modules if n.startswith('toolweft.')))"
    command = [sys.executable, "-c", f"{code}\n{report}"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "toolweft.gateway.server" in loaded
    talking = ("toolweft.agent", "toolweft.core.messages", "toolweft.bootstrap.models")
    assert [name for name in loaded if name.startswith(talking)] == []


@pytest.mark.promise("house.import-budget")
def test_a_gateway_answers_without_the_clients_of_the_sdk() -> None:
    code = (
        "import sys\nfrom toolweft.cli.late_packages import defer_packages\n"
        "defer_packages('mcp', 'mcp.client', 'mcp.server')\n"
        "import toolweft.cli.commands.serve, toolweft.gateway.server, toolweft.gateway.stdio\n"
        "print(*sys.modules)"
    )
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "mcp.server.lowlevel.server" in loaded
    unwanted = ("mcp.client.", "mcp.server.mcpserver", "httpx2", "numpy", "sqlalchemy")
    assert [name for name in loaded if name.startswith(unwanted)] == []
