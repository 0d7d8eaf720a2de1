"""The real servers of the demo: where they are, and a repository for one of them to read."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import anyio

from toolweft.cli.errors import UsageFault

__all__ = ("SERVERS", "find_repository", "find_server_folder", "make_repository", "render_config")

SERVERS = ("mcp-server-git", "mcp-server-time")
_ENVIRONMENT = Path(".venv-demo") / "bin"

_CONFIG = """\
[servers.git]
command = {git}
args = ["--repository", {repository}]

[servers.time]
command = {time}
args = ["--local-timezone", "UTC"]

[python.expenses]
target = "toolweft.cli.demo_data.expenses"

# So few tools would be listed beside the four; the demo shows what many get.
[catalog]
defer_above_tokens = 0

[ledger]
url = {ledger}
"""

# A year of a small project: file, text, message.
_HISTORY: tuple[tuple[str, str, str], ...] = (
    ("README.md", "# Expenses\n", "Start the expenses project"),
    ("policy.md", "Rail before air.\n", "Write down the travel policy"),
    ("policy.md", "Rail before air under 600 km.\n", "Say when rail comes before air"),
    ("budgets.csv", "grade,eur\njunior,1500\n", "Add the budget of juniors"),
)


def find_server_folder(given: Path | None, *, places: Sequence[Path]) -> Path:
    """The folder that has the programs of both servers.

    Args:
        given: from `--servers`; then it must be there.
        places: folders beside which `.venv-demo` may stand, nearest first.

    Raises:
        UsageFault: a server is missing; the hint says how to install it.
    """
    folders = [given] if given is not None else [place / _ENVIRONMENT for place in places]
    for folder in folders:
        if all((folder / server).is_file() for server in SERVERS):
            return folder.absolute()
    found = [shutil.which(server) for server in SERVERS]
    if given is None and all(found) and len({Path(path or "").parent for path in found}) == 1:
        return Path(found[0] or "").parent
    looked = ", ".join(str(folder) for folder in dict.fromkeys(folders))
    raise UsageFault(
        f"the demo needs {' and '.join(SERVERS)}, and did not find them in {looked}",
        hint="python3 -m venv .venv-demo && .venv-demo/bin/pip install "
        f"{' '.join(SERVERS)}; or name their folder: toolweft demo --servers DIR",
    )


async def find_repository(places: Sequence[Path]) -> Path | None:
    """The first of the folders that is a git repository whose history git can read."""
    for place in places:
        if await anyio.Path(place / ".git").exists():
            head = await anyio.run_process(
                ["git", "-C", str(place), "rev-parse", "--verify", "HEAD"], check=False
            )
            return place if head.returncode == 0 else None
    return None


async def make_repository(folder: Path) -> Path:
    """A small repository with a history of its own.

    Raises:
        UsageFault: git is not installed.
    """
    if shutil.which("git") is None:
        raise UsageFault("the demo needs git", hint="sudo apt-get install -y git")
    await anyio.Path(folder).mkdir(parents=True)
    await _git(folder, "init", "--quiet")
    for name, text, message in _HISTORY:
        await anyio.Path(folder / name).write_text(text, encoding="utf-8")
        await _git(folder, "add", name)
        await _git(
            folder,
            *("-c", "user.name=toolweft demo", "-c", "user.email=demo@localhost"),
            *("-c", "commit.gpgsign=false", "commit", "--quiet", "-m", message),
        )
    return folder


def render_config(*, servers: Path, repository: Path, ledger: Path) -> str:
    """The configuration of the demo, as anyone would write it."""
    return _CONFIG.format(
        git=_quote(servers / "mcp-server-git"),
        time=_quote(servers / "mcp-server-time"),
        repository=_quote(repository),
        ledger=_quote(f"sqlite:///{ledger}"),
    )


async def _git(folder: Path, *arguments: str) -> None:
    await anyio.run_process(["git", "-C", str(folder), *arguments])


def _quote(value: object) -> str:
    """A TOML basic string."""
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
