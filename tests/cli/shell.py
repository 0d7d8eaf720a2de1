"""Runs the command line in a folder and a home of its own."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests import refusing

from toolweft.cli.application import app
from toolweft.cli.boundary import run_guarded

FIXTURES = Path(__file__).parent / "fixtures"
TOOLWEFT = Path(sys.executable).with_name("toolweft")
NOTHING: Mapping[str, str] = {}
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
    """A project folder to run `toolweft` in.

    Calling it runs the application in this process, error boundary included, which saves the
    start of an interpreter; `spawn` runs the installed entry point.
    """

    folder: Path

    def environ(self, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return {**kept, "HOME": str(self.folder / "home"), **more}

    def __call__(self, *arguments: str, stdin: str = "", **environ: str) -> Ended:
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as process, redirect_stdout(out), redirect_stderr(err):
            wanted = self.environ(**environ)
            for name in set(os.environ) - set(wanted):
                process.delenv(name)
            for name, value in wanted.items():
                process.setenv(name, value)
            process.chdir(self.folder)
            process.setattr(
                sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")
            )
            code = run_guarded(lambda: app(arguments, prog_name="toolweft"))
        return Ended(code=int(code), out=out.getvalue(), err=err.getvalue())

    def spawn(
        self, *arguments: str, stdin: str = "", without: Mapping[str, str] = NOTHING, **environ: str
    ) -> Ended:
        """Run the installed command; `without` names what the machine refuses it."""
        whole = [str(TOOLWEFT), *arguments]
        done = subprocess.run(
            refusing.command(without, *whole) if without else whole,
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
