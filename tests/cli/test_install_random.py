"""Files of the six clients as nobody thought of them: in and out again byte for byte."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from tests.cli import desktop
from tests.cli.desktop import CONFIG, PLACES
from tests.cli.shell import Shell

ROUNDS = 12
SECRET = "zq7Xw9Lk2Pv8Rt4Bn6Yd"
NAMES = ("git", "a.b", "tool box", "ünï", "x-1", 'q"uote', "back\\slash", "1", "true", "[x]")
PLAIN: tuple[dict[str, Any], ...] = (
    {"command": "git-mcp"},
    {"command": "npx", "args": ["-y", "@scope/server", "--flag"]},
    {"command": "C:\\Program Files\\x.exe", "args": ["é", "\n", '"', "'''"]},
    {"command": "uvx", "args": ["srv"], "env": {"LOG": "debug"}},
    {"command": "uvx", "args": ["srv"], "env": {"API_KEY": "${API_KEY}"}},
    {"url": "https://docs.example/mcp"},
)
# Every place in which people write a secret out.
SECRETS: tuple[dict[str, Any], ...] = (
    {"command": "gh", "env": {"GITHUB_TOKEN": SECRET}},
    {"command": "gh", "args": ["--token", SECRET]},
    {"command": "gh", "args": [f"--api-key={SECRET}"]},
    {"command": "gh", "args": ["--header", f"Authorization: Bearer {SECRET}"]},
    {"command": "gh", "args": [f"postgres://me:{SECRET}@db.example/x"]},
    {"url": f"https://mcp.example/mcp?api_key={SECRET}"},
    {"url": f"https://me:{SECRET}@mcp.example/mcp"},
    {"url": "https://mcp.example/mcp", "headers": {"Authorization": f"Bearer {SECRET}"}},
)


def render_json(chance: random.Random, key: str, servers: dict[str, Any]) -> str:
    """A client's file, spaced and commented as chance wants it."""
    rest: dict[str, Any] = {"theme": "dark", "numbers": [1, 2.50, 1e3], "empty": {}, "Ω": None}
    items = [*rest.items(), (key, servers)]
    chance.shuffle(items)
    indent = chance.choice((None, 0, 1, 2, "\t"))
    text = json.dumps(dict(items), indent=indent, ensure_ascii=chance.random() < 0.5)
    if indent is not None and chance.random() < 0.5:
        text = text.replace("{\n", '{ // {["\n', 1)
    if indent is not None and chance.random() < 0.5:
        text = text.replace("\n", "\r\n")
    if chance.random() < 0.3:
        text = text.replace("{", "{ /* } */ ", 1)
    return chance.choice(("", "\ufeff", "\n\n")) + text + chance.choice(("", "\n", " \n\n"))


def render_toml(chance: random.Random, servers: dict[str, Any]) -> str:
    """Codex's file: tables, dotted tables or inline ones."""
    lines = ['model = "o"', "", "[profiles.fast] # not a server", 'model = "small"', ""]
    for name, entry in servers.items():
        quoted = json.dumps(name, ensure_ascii=False)
        lines.append(f"[mcp_servers.{quoted}]" + chance.choice(("", " # ]")))
        for key, value in entry.items():
            key = "http_headers" if key == "headers" else key
            if isinstance(value, dict):
                inner = ", ".join(f"{k} = {json.dumps(v)}" for k, v in value.items())
                lines.append(f"{key} = {{ {inner} }}")
            else:
                lines.append(f"{key} = {json.dumps(value, ensure_ascii=False)}")
        lines.append(chance.choice(("", "# between", "\t")))
    text = "\n".join(lines)
    return text.replace("\n", "\r\n") if chance.random() < 0.3 else text


def render(chance: random.Random, client: str, entries: list[dict[str, Any]]) -> str:
    names = chance.sample(NAMES, len(entries))
    servers = dict(zip(names, entries, strict=True))
    if client == "codex":
        return render_toml(chance, servers)
    return render_json(chance, "servers" if client == "vscode" else "mcpServers", servers)


def own_text(shell: Shell) -> str:
    path = shell.folder / CONFIG
    return path.read_text("utf-8") if path.exists() else ""


@pytest.fixture
def seeds() -> Callable[[str], range]:
    def give(client: str) -> range:
        start = sorted(PLACES).index(client) * 1_000
        return range(start, start + ROUNDS)

    return give


@pytest.mark.promise("clients.byte-equal")
@pytest.mark.parametrize("client", sorted(PLACES))
def test_any_file_comes_back_byte_for_byte(
    bare: Shell, client: str, seeds: Callable[[str], range]
) -> None:
    for seed in seeds(client):
        chance = random.Random(seed)
        entries = chance.sample(PLAIN + SECRETS, chance.randint(1, 5))
        path = desktop.write(bare, client, render(chance, client, entries))
        before = desktop.tree(bare.folder)
        consent = ["--move-secrets"] if chance.random() < 0.5 else []

        installed = bare("install", client, "--yes", *consent)
        assert installed.code == 0, (seed, installed.err)
        assert "toolweft" in path.read_text("utf-8"), seed
        gone = bare("uninstall", client, "--yes")

        assert gone.code == 0, (seed, gone.err)
        assert desktop.tree(bare.folder) == before, seed


@pytest.mark.promise("clients.secrets-stay")
@pytest.mark.parametrize("client", sorted(PLACES))
@pytest.mark.parametrize("number", range(len(SECRETS)))
def test_no_written_secret_moves_or_shows_without_consent(
    bare: Shell, client: str, number: int
) -> None:
    chance = random.Random(number)
    path = desktop.write(bare, client, render(chance, client, [SECRETS[number], PLAIN[0]]))
    before = path.read_bytes()

    told = [bare("install", client, "--yes"), bare("install", client, "--dry-run")]
    assert SECRET not in own_text(bare)
    assert SECRET in path.read_text("utf-8")
    assert "git-mcp" not in path.read_text("utf-8")

    told.append(bare("install", client, "--yes", "--move-secrets"))
    assert SECRET in own_text(bare)
    assert SECRET not in path.read_text("utf-8")
    told.append(bare("uninstall", client, "--yes"))
    assert path.read_bytes() == before
    assert [ended.code for ended in told] == [0, 0, 0, 0]
    assert all(SECRET not in ended.out + ended.err for ended in told)
