"""Which servers move behind toolweft, and why the others stay."""

import json
from pathlib import Path
from typing import Any

import pytest

from toolweft.config.clients.moving import Choice, Verdict, sort_servers
from toolweft.config.clients.secrets import clear_secrets, hidden_texts, mask_texts
from toolweft.config.documents import parse_document

KEY = "ghp_" + "a1B2" * 6


def sort(
    server: Any, *, there: Any = None, name: str = "a", toml: bool = False, **choice: Any
) -> Verdict:
    path = Path("config.toml" if toml else "mcp.json")
    document = parse_document(
        "" if toml else json.dumps({"mcpServers": {name: server}}, indent=1),
        path=path,
        label=path.name,
    )
    found = {} if there is None else {name: there}
    (verdict,) = sort_servers(
        document, ("mcpServers",), {name: server}, there=found, choice=Choice(**choice)
    )
    return verdict


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        ("text", "it is str, no object"),
        ({}, "neither 'command' nor 'url'"),
        ({"command": "x", "url": "https://e.org"}, "both 'command' and 'url'"),
        ({"command": "x", "comand": "y"}, "unknown key 'comand'"),
        ({"command": "x", "args": "y"}, "args cannot be used"),
        ({"command": "x", "env": {"A": 1}}, "env.A cannot be used"),
        (
            {"command": "x", "env": {"A": "${input:token}"}},
            "only the client fills in ${input:token}",
        ),
        ({"command": "${workspaceFolder}/x"}, "only the client fills in ${workspaceFolder}"),
        ({"command": "x", "envFile": ".env"}, "('envFile')"),
        ({"url": "https://e.org", "oauth": {"clientId": "x"}}, "the client signs in"),
        ({"url": "https://e.org", "type": "sse"}, "SSE"),
        ({"command": "x", "cwd": "here"}, "'here' counts from where the client runs"),
    ],
)
def test_a_server_that_only_the_client_can_run_stays(server: Any, reason: str) -> None:
    verdict = sort(server)

    assert verdict.outcome == "kept"
    assert reason in verdict.reason


def test_what_a_client_offers_of_a_server_is_what_toolweft_offers() -> None:
    verdict = sort({"command": "x", "enabledTools": ["a*"], "disabledTools": ["b"], "trust": True})

    assert verdict.server == {
        "command": "x",
        "default_config": {"enabled": False},
        "configs": {"a[*]": {"enabled": True}, "b": {"enabled": False}},
    }
    assert verdict.reason == "'trust' is not used"


def test_a_server_of_codex_gets_the_keys_of_the_others() -> None:
    verdict = sort(
        {
            "url": "https://e.org/mcp",
            "bearer_token_env_var": "TOKEN",
            "http_headers": {"X": "y"},
            "env_http_headers": {"Z": "VARIABLE"},
            "enabled": False,
            "startup_timeout_sec": 20,
            "tool_timeout_sec": 30,
            "enabled_tools": ["get"],
        },
        toml=True,
    )
    child = sort({"command": "x", "env_vars": ["A"], "env": {"B": "c"}}, toml=True)

    assert verdict.server == {
        "url": "https://e.org/mcp",
        "headers": {"X": "y", "Z": "env:VARIABLE", "Authorization": "Bearer ${TOKEN}"},
        "disabled": True,
        "start_timeout_s": 20,
        "default_config": {"enabled": False},
        "configs": {"get": {"enabled": True}},
    }
    assert child.server == {"command": "x", "env": {"A": "env:A", "B": "c"}}
    assert sort({"command": "x", "env": [1]}, toml=True).outcome == "kept"
    assert sort({"command": "x", "env_vars": [{"name": "A"}]}, toml=True).outcome == "kept"


@pytest.mark.parametrize(
    ("there", "outcome"),
    [
        (None, "moved"),
        ({"command": "x"}, "shared"),
        ({"command": "x", "configs": {"t": {"severity": "read_only"}}}, "shared"),
        ({"configs": {"t": {"severity": "read_only"}}}, "moved"),
        ({"command": "y"}, "kept"),
        ({"command": "x", "args": ["--more"]}, "kept"),
    ],
)
def test_a_server_of_that_name_is_shared_if_it_is_the_same(there: Any, outcome: str) -> None:
    verdict = sort({"command": "x"}, there=there)

    assert verdict.outcome == outcome
    assert ("another server 'a'" in verdict.reason) is (outcome == "kept")


def test_tools_that_are_turned_off_here_only_are_a_difference() -> None:
    server = {"command": "x", "disabledTools": ["t"]}

    assert sort(server, there={"command": "x"}).outcome == "kept"
    assert (
        sort(server, there={"command": "x", "configs": {"t": {"enabled": False}}}).outcome
        == "shared"
    )


def test_secrets_move_with_consent_only() -> None:
    server = {"command": "x", "env": {"TOKEN": "hunter2"}}

    waiting = sort(server)
    assert (waiting.outcome, waiting.waits, waiting.secrets) == ("kept", True, ("env.TOKEN",))
    assert "--move-secrets" in waiting.reason
    assert "hunter2" not in waiting.reason
    assert sort(server, move_secrets=False).waits is False
    assert sort(server, move_secrets=True).outcome == "moved"
    assert sort(server, there=server).outcome == "shared"
    assert sort(server, keep=["a"], move_secrets=True).outcome == "kept"


@pytest.mark.parametrize(
    ("server", "places"),
    [
        ({"env": {"API_KEY": "x"}}, ["env.API_KEY"]),
        ({"env": {"API_KEY": "${KEY}", "OTHER": "env:X", "LOG": "debug"}}, []),
        ({"env": {"API_KEY": "${KEY:-fallback}"}}, ["env.API_KEY"]),
        ({"env": {"PLAIN": KEY}}, ["env.PLAIN"]),
        ({"env": {"DB": "postgres://me:pw@host/x"}}, ["env.DB"]),
        ({"headers": {"Authorization": "Bearer ${TOKEN}"}}, []),
        ({"headers": {"Authorization": "Bearer abc"}}, ["headers.Authorization"]),
        ({"http_headers": {"X-Api-Key": "abc"}}, ["http_headers.X-Api-Key"]),
        ({"args": ["--token", "abc"]}, ["args[1]"]),
        ({"args": ["--token=abc", "--port", "1"]}, ["args[0]"]),
        ({"args": ["-y", "@scope/server-filesystem@2026.8.31", "/home/user/Documents"]}, []),
        ({"args": ["--header", "Authorization: Bearer abc"]}, ["args[1]"]),
        ({"args": ["--header", "Authorization: Bearer ${T}"]}, []),
        ({"args": [KEY]}, ["args[0]"]),
        ({"url": "https://e.org/mcp"}, []),
        ({"url": "https://e.org/mcp?api_key=abc"}, ["url"]),
        ({"url": f"https://e.org/{KEY}/mcp"}, ["url"]),
        ({"url": "https://me:pw@e.org/mcp"}, ["url"]),
        ({"serverUrl": "https://e.org/?token=abc"}, ["serverUrl"]),
        ({"env": "x", "args": [1, None], "url": 3, "headers": {"A": 1}}, []),
    ],
)
def test_secrets_that_are_written_out_are_found(server: Any, places: list[str]) -> None:
    assert clear_secrets(server) == places


def test_no_value_of_a_table_is_shown() -> None:
    server = {
        "command": "x",
        "args": ["--token", 'a"b', "plain"],
        "env": {"A": "s1", "B": "long enough secret", "C": "${D}"},
        "url": "https://e.org/?token=t",
    }
    shown = json.dumps(server) + " long enough secret 's1'"

    masked = mask_texts(shown, hidden_texts(server))

    for secret in ("s1", "long enough", 'a\\"b', "token=t"):
        assert secret not in masked
    for harmless in ("plain", "${D}", "command"):
        assert harmless in masked
