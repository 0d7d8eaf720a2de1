"""Fails when a file names a package registry's host or the path of this very checkout.

Where packages come from, and where things lie, is the installing machine's business.

Usage: check_hosts.py [FOLDER]
"""

import re
import sys
from pathlib import Path

from project_files import ROOT, list_files, read_text

# Written so that they do not match themselves.
PATTERNS = {
    "a package index": re.compile(
        r"--(?:extra-)?index[-]url[\s=]\s*['\"]?[\w.+-]+:[/]|^\s*index[_-]url\s*=", re.MULTILINE
    ),
    "an index address": re.compile(r"https?://[^\s\"'<>]*/[s]imple\b"),
    "a registry's host": re.compile(
        r"files\.pythonhosted\.[o]rg|registry\.npmjs\.[o]rg|registry\.yarnpkg\.[c]om"
        r"|\"resolved\":\s*\"[h]ttp|^\s*registry\s*=\s*\S*[h]ttp",
        re.MULTILINE,
    ),
}


def find_hosts(root: Path) -> list[str]:
    """One message for each place, with file, line and what stands there."""
    checkout = re.compile(re.escape(f"{root.resolve()}/"))
    patterns = PATTERNS | {"a path of this machine": checkout}
    messages = []
    for path in list_files(root):
        text = read_text(path)
        if text is None:
            continue
        for what, pattern in patterns.items():
            for match in pattern.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                found = match.group().strip()
                messages.append(f"{path.relative_to(root)}:{line}: {what}: {found!r}")
    return messages


def main() -> int:
    """Print every place; 1 if there is any."""
    messages = find_hosts(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
    print(*messages, sep="\n", end="\n" if messages else "")
    return 1 if messages else 0


if __name__ == "__main__":
    sys.exit(main())
