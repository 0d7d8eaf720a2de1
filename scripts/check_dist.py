"""Fails when the built wheel or sdist lacks something users need, or holds something they do not.

Usage: check_dist.py FOLDER
"""

import sys
import tarfile
import zipfile
from pathlib import Path

# Files a wheel must have, and folders in which every file of the source tree must be.
NEEDED = ("toolweft/py.typed", "toolweft/__init__.pyi", "toolweft/cli/demo_data/expenses.py")
WHOLE_FOLDERS = ("sandbox/guest", "cli/demo_data")
SOURCE = Path(__file__).resolve().parent.parent / "src" / "toolweft"


def find_faults(folder: Path) -> list[str]:
    """One message for each thing wrong with the one wheel and the one sdist in `folder`."""
    wheels, sdists = list(folder.glob("*.whl")), list(folder.glob("*.tar.gz"))
    if len(wheels) != 1 or len(sdists) != 1:
        return [f"{folder}: {len(wheels)} wheels and {len(sdists)} sdists, expected one of each"]
    with zipfile.ZipFile(wheels[0]) as wheel:
        names = set(wheel.namelist())
    faults = [f"{wheels[0].name}: {name} is missing" for name in _needed() if name not in names]
    faults += [
        f"{wheels[0].name}: {name} does not belong in it"
        for name in sorted(names)
        if not name.startswith(("toolweft/", "toolweft-")) or "__pycache__" in name
    ]
    with tarfile.open(sdists[0]) as sdist:
        packed = {name.split("/", 1)[-1] for name in sdist.getnames()}
    faults += [
        f"{sdists[0].name}: {name} is missing"
        for name in ("README.md", "LICENSE", "pyproject.toml", "src/toolweft/py.typed")
        if name not in packed
    ]
    return faults


def _needed() -> list[str]:
    names = list(NEEDED)
    for folder in WHOLE_FOLDERS:
        files = [path for path in sorted((SOURCE / folder).rglob("*")) if path.is_file()]
        names += [
            f"toolweft/{path.relative_to(SOURCE)}"
            for path in files
            if "__pycache__" not in path.parts
        ]
    return names


def main() -> int:
    """Print every fault; 1 if there is any."""
    folder = Path(sys.argv[1])
    faults = find_faults(folder)
    print(*(faults or sorted(str(path) for path in folder.iterdir())), sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
