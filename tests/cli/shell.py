"""Runs the real entry point, in a folder and a home of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parent / "fixtures"
TOOLWEFT = Path(sys.executable).with_name("toolweft")
KEPT = (
    "PATH",
    "LANG",
    "PYTHONPATH",
    "COVERAGE_PROCESS_START",
    "COVERAGE_PROCESS_CONFIG",
    "COVERAGE_FILE",
)


@dataclass(frozen=True)
class Ended:
    """How one command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Shell:
    """Runs `toolweft` in a project folder."""

    folder: Path

    def environ(self, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return {**kept, "HOME": str(self.folder / "home"), **more}

    def __call__(self, *arguments: str, stdin: str = "", **environ: str) -> Ended:
        done = subprocess.run(
            [TOOLWEFT, *arguments],
            cwd=self.folder,
            env=self.environ(**environ),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        return Ended(code=done.returncode, out=done.stdout, err=done.stderr)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path


def render_config() -> str:
    return f"[python.desk]\ntarget = {json.dumps(str(FIXTURES / 'desk.py'))}\n"
