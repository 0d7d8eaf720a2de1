"""Ctrl-C before anything is there: while the command line is still loaded."""

import signal
import subprocess
import sys

import pytest
from tests.cli.shell import Shell

# Holds up what is loaded behind the entry, says so, and waits to be interrupted.
_HELD_UP = """
import sys, time
from toolweft.cli import main

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "toolweft.cli.application":
            print("loading", flush=True)
            time.sleep(30)

sys.meta_path.insert(0, Finder())
sys.argv = ["toolweft", "tools"]
main()
"""


@pytest.mark.process
def test_an_early_interruption_ends_quietly_with_its_exit_code(shell: Shell) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _HELD_UP],
        cwd=shell.folder,
        env=shell.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "loading\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)

    assert (process.returncode, out, err) == (130, "", "")
