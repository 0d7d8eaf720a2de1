"""What runs in a container before it is locked: the survey, and taking over the streams."""

import json
import subprocess
import sys

import pytest

from toolweft.sandbox.container.survey import find_faults
from toolweft.sandbox.guest.limits import Limits

pytestmark = pytest.mark.process

LIMITS = Limits(memory_bytes=1 << 28, disk_bytes=2 << 20, max_files=64, max_threads=4)


def run(code: str, *arguments: str, given: bytes = b"") -> bytes:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], input=given, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


SURVEY = "import sys; from toolweft.sandbox.guest.survey import main; main(sys.argv[1])"


def test_a_plain_process_is_seen_for_what_it_is():
    found = json.loads(run(SURVEY, json.dumps({"max_processes": 30, "spinners": 1})))
    assert found["python"] == list(sys.version_info[:3])
    assert found["processes"] == 30
    assert found["processors_used"] > 0
    assert "/tmp" in found["writable"]
    assert found["status"]["NoNewPrivs"] == "0"
    faults = " ".join(find_faults(found, limits=LIMITS, cpus=64.0))
    assert "30 processes" in faults
    assert "scratch folder has" in faults


def test_memory_is_taken_page_by_page():
    report = run(SURVEY, json.dumps({"fill_bytes": 3 << 20}))
    assert json.loads(report) == {"filled": 3 << 20}


def test_what_a_library_prints_does_not_reach_the_channel():
    code = (
        "import os\n"
        "from toolweft.sandbox.guest.solo import take_channel\n"
        "read_fd, write_fd = take_channel()\n"
        "os.write(1, b'noise')\n"
        "assert os.read(0, 10) == b''\n"
        "os.write(write_fd, b'got ' + os.read(read_fd, 10))\n"
    )
    assert run(code, given=b"frame") == b"got frame"
