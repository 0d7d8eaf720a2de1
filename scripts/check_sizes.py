"""Fails when a Python file is too long: 400 lines, tests 600. There is no list of exceptions.

Usage: check_sizes.py [FOLDER]
"""

import sys
from pathlib import Path

from project_files import ROOT, list_files

MAX_LINES = 400
MAX_TEST_LINES = 600


def find_long_files(root: Path) -> list[str]:
    """One message for each file above its limit."""
    messages = []
    for path in list_files(root, ".py", ".pyi"):
        name = path.relative_to(root)
        limit = MAX_TEST_LINES if name.parts[0] == "tests" else MAX_LINES
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > limit:
            messages.append(f"{name}: {lines} lines, at most {limit}; split it by responsibility")
    return messages


def main() -> int:
    """Print what is too long; 1 if anything is."""
    messages = find_long_files(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
    print(*messages, sep="\n", end="\n" if messages else "")
    return 1 if messages else 0


if __name__ == "__main__":
    sys.exit(main())
