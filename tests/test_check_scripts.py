"""The scripts behind `make check` hold for this tree, and each fails on a planted fault."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"


def run_script(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def plant(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.mark.promise("house.file-sizes")
@pytest.mark.parametrize(
    ("name", "lines"), [("src/long.py", 401), ("benchmarks/long.py", 401), ("tests/long.py", 601)]
)
def test_a_file_one_line_too_long_fails(tmp_path: Path, name: str, lines: int) -> None:
    plant(tmp_path, name, "pass\n" * lines)

    outcome = run_script("check_sizes.py", str(tmp_path))

    assert outcome.returncode == 1
    assert f"{name}: {lines} lines" in outcome.stdout


@pytest.mark.parametrize(("name", "lines"), [("src/long.py", 400), ("tests/long.py", 600)])
def test_a_file_at_the_limit_passes(tmp_path: Path, name: str, lines: int) -> None:
    plant(tmp_path, name, "pass\n" * lines)

    assert run_script("check_sizes.py", str(tmp_path)).returncode == 0


# Put together at run time: written out, they would be findings themselves.
PLANTED_HOSTS = {
    "requirements.txt": "--index" + "-url https://mirror.example/sim" + "ple/\n",
    "package-lock.json": '{"resolved"' + ': "https://mirror.example/a.tgz"}',
    ".npmrc": "registry" + "=https://mirror.example/\n",
    "notes.md": "from https://registry.npmjs" + ".org/left-pad\n",
}


@pytest.mark.promise("house.no-hosts")
@pytest.mark.parametrize("name", PLANTED_HOSTS)
def test_a_registry_host_fails(tmp_path: Path, name: str) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    plant(tmp_path, name, PLANTED_HOSTS[name])

    outcome = run_script("check_hosts.py", str(tmp_path))

    assert outcome.returncode == 1
    assert f"{name}:1" in outcome.stdout


def test_a_path_of_this_machine_fails(tmp_path: Path) -> None:
    plant(tmp_path, "notes.md", f"see {tmp_path}/notes.md\n")

    assert run_script("check_hosts.py", str(tmp_path)).returncode == 1


PLANTED_SECRETS = {
    "github": 'token = "ghp_' + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8" + '"\n',
    "aws": "key: AKIA" + "QYLPMN5HHHFPZAM2\n",
    "private key": "-----BEGIN RSA PRIVATE" + " KEY-----\nMIIEow\n",
    "address": "url = https://someone:" + "hunter2pass@host.example/\n",
    "random": 'value = "' + "c3VwZXIgbG9uZyBzdHJpbmcgc2hvdWxk" + 'IGNhdXNlIGVub3VnaCBlbnRyb3B5"\n',
}


@pytest.mark.promise("house.secret-scan")
@pytest.mark.parametrize("kind", PLANTED_SECRETS)
def test_a_secret_fails_and_is_not_repeated(tmp_path: Path, kind: str) -> None:
    plant(tmp_path, "settings.py", PLANTED_SECRETS[kind])

    outcome = run_script("check_secrets.py", str(tmp_path))

    assert outcome.returncode == 1
    assert outcome.stdout.startswith("settings.py:1: ")
    assert "ghp_" not in outcome.stdout


def test_a_marked_value_passes(tmp_path: Path) -> None:
    line = PLANTED_SECRETS["aws"].rstrip() + "  # pragma: allowlist" + " secret\n"
    plant(tmp_path, "settings.py", line)

    assert run_script("check_secrets.py", str(tmp_path)).returncode == 0
