"""Lists the files that belong to the project: what git tracks or would track.

Used by the check scripts beside it.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def list_files(root: Path, *suffixes: str) -> Iterator[Path]:
    """Every file of the project, in order; with `suffixes`, only those that end so.

    Args:
        root: a git checkout; a folder git does not know is walked instead, without hidden ones.
        suffixes: such as ".py".
    """
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        paths = [root / name for name in listed.stdout.split("\0") if name]
    else:
        paths = [p for p in root.rglob("*") if not _is_hidden(p.relative_to(root))]
    for path in sorted(set(paths)):
        if path.is_file() and (not suffixes or path.suffix in suffixes):
            yield path


def read_text(path: Path) -> str | None:
    """The text of a file, None for binary ones."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "node_modules" for part in path.parts)
