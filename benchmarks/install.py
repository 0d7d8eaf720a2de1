"""Size of the base install: distributions and megabytes without bytecode.

    python -m benchmarks.install [--json]

Builds a wheel, installs it with its base requirements into an empty environment, and counts.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.harness import ROOT, Report, parser

_COUNT = "import importlib.metadata as m; print(len({d.name for d in m.distributions()}))"


def _run(*command: str | Path) -> str:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{command}: {done.stderr[-2000:]}")
    return done.stdout


def _size(folder: Path) -> int:
    """Bytes of all files, bytecode left out."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files if path.suffix != ".pyc")


def _measure(report: Report) -> None:
    with tempfile.TemporaryDirectory(prefix="toolweft-install-") as folder:
        environment = Path(folder) / "env"
        _run(sys.executable, "-m", "venv", environment)
        python = environment / "bin" / "python"
        packages = next(environment.glob("lib/python3*/site-packages"))
        before = _size(packages)
        empty = int(_run(python, "-c", _COUNT))
        _run(python, "-m", "pip", "install", "--quiet", "--no-compile", ROOT)
        report.add("distributions", int(_run(python, "-c", _COUNT)) - empty, at_most=50)
        report.add("install_mb", (_size(packages) - before) / 1e6, at_most=150)


def main() -> None:
    """Run and print."""
    options = parser(str(__doc__).splitlines()[0])
    given = options.parse_args()
    report = Report("install")
    _measure(report)
    report.print(as_json=given.json)
    sys.exit(0 if not report.missed() else 1)


if __name__ == "__main__":
    main()
