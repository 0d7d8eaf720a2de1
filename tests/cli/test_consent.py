"""At a terminal what is to be decided is asked, once."""

import json
import os
import pty
import subprocess

import pytest
from tests.cli import desktop
from tests.cli.desktop import CONFIG, rules
from tests.cli.shell import TOOLWEFT, Shell

pytestmark = pytest.mark.process


def answer(shell: Shell, answers: list[str], *arguments: str) -> tuple[int, str]:
    """Run a command at a terminal that answers each question; its end and what it showed."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [str(TOOLWEFT), *arguments],
        cwd=shell.folder,
        env=shell.environ(TERM="dumb"),
        stdin=child,
        stdout=child,
        stderr=child,
    )
    os.close(child)
    shown = ""
    left = list(answers)
    try:
        while True:
            try:
                chunk = os.read(parent, 65_536).decode()
            except OSError:
                break
            if not chunk:
                break
            shown += chunk
            if left and shown.count("[y/N]") > len(answers) - len(left):
                os.write(parent, f"{left.pop(0)}\n".encode())
        return process.wait(timeout=50), shown
    finally:
        process.kill()
        process.wait()
        os.close(parent)


def test_at_a_terminal_each_thing_is_asked_once(shop: Shell) -> None:
    command = ("import", "client.json", "--recorded", "recorded")

    no = answer(shop, ["n"], *command)
    assert no[0] == 2, no[1]
    assert not (shop.folder / CONFIG).exists()

    yes = answer(shop, ["y", "y"], *command)
    assert yes[0] == 0, yes[1]
    assert "Do the 1 marked tools only read, and the other 1 not? [y/N]" in yes[1]
    assert rules(shop)["list_items"] == {"severity": "read_only"}

    again = answer(shop, [], *command)
    assert again[0] == 0, again[1]
    assert "[y/N]" not in again[1]


@pytest.mark.parametrize(("answers", "moves"), [(["y", "y"], True), (["n", "y"], False)])
def test_at_a_terminal_consent_to_secrets_is_asked_for(
    bare: Shell, answers: list[str], *, moves: bool
) -> None:
    server = {"command": "gh", "env": {"TOKEN": "hunter2hunter2"}}
    path = desktop.write(bare, "windsurf", json.dumps({"mcpServers": {"gh": server}}))

    code, shown = answer(bare, answers, "install", "windsurf")

    assert code == 0, shown
    assert "gh: secrets are written out in env.TOKEN" in shown
    assert "hunter2" not in shown
    assert ("hunter2" in path.read_text("utf-8")) is not moves
    assert ("hunter2" in (bare.folder / CONFIG).read_text("utf-8")) is moves


def test_at_a_terminal_no_means_no(bare: Shell) -> None:
    path = desktop.write(bare, "cursor")
    before = desktop.tree(bare.folder)

    code, shown = answer(bare, ["no"], "install", "cursor")

    assert code == 0
    assert "nothing was changed" in shown
    assert desktop.tree(bare.folder) == before
    assert path.exists()
