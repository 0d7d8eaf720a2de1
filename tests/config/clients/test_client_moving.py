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
    assert verdict.reason == "'tool_timeout_sec' is not used"
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
    ("server", "reason"),
    [
        ({"tool_timeout_sec": 3, "startup_timeout_ms": 4}, "'startup_timeout_ms' is not used"),
        ({"required": True}, "'required' is not used"),
        ({"startup_timeout_sec": "x"}, "startup_timeout_sec cannot be used"),
        ({"disabled_tools": "x"}, "its disabled_tools is no list of names"),
        ({"http_headers": {"A": 1}}, "its http_headers is no table of texts"),
    ],
)
def test_a_file_of_codex_is_told_by_its_own_keys(server: Any, reason: str) -> None:
    assert reason in sort({"command": "x", **server}, toml=True).reason


def test_a_server_named_as_saved_programs_stays() -> None:
    verdict = sort({"command": "x"}, name="saved")

    assert (verdict.outcome, verdict.server) == ("kept", None)
    assert "rename it" in verdict.reason


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
        ({"args": ["run", "--config", '{"apiKey":"abc123def456"}']}, ["args[2]"]),
        ({"args": ["--config={'api_key': 'abc'}"]}, ["args[0]"]),
        ({"args": [r"{\"a\": {\"password\": \"abc\"}}"]}, ["args[0]"]),
        ({"args": [json.dumps({"api\u004bey": ["abc"], "x": 1})]}, ["args[0]"]),
        ({"args": [r'{"api\u004bey": ["abc"]}']}, ["args[0]"]),
        ({"args": ['{"auth": {"user": "me", "word": "abc"}}']}, ["args[0]"]),
        ({"args": ["Server=db;Password=abc;Port=1"]}, ["args[0]"]),
        ({"args": ["-c", "x --token abc"]}, ["args[1]"]),
        ({"args": ["-c", "TOKEN=abc x"]}, ["args[1]"]),
        ({"args": ['{"auth": {"token": "${T}"}, "log": "debug"}']}, []),
        ({"args": ['{"Authorization": "Bearer ${T}", "url": "http://keycloak:80/"}']}, []),
        ({"args": ["ghcr.io/me/token-server:2", "-v", "/home/me/keys:/keys"]}, []),
        ({"args": ["[" * 100_000]}, ["args[0]"]),
        ({"args": ["-c", "x --token ${T} run"]}, []),
        ({"command": "/bin/x --token=abc123def"}, ["command"]),
        ({"command": "/bin/x --token 'abc def' --port 1"}, ["command"]),
        ({"command": "/bin/x --token ${T} --port 1"}, []),
        ({"command": "C:\\Program Files\\keys\\x.exe"}, []),
        ({"env": {"OPTIONS": '{"secret": "abc"}'}}, ["env.OPTIONS"]),
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


@pytest.mark.parametrize("text", ['{"apiKey":"abc123"}', '{\n\t"apiKey": "abc123def"\n}'])
def test_a_secret_inside_json_is_not_shown(text: str) -> None:
    server = {"command": f"x '{text}'", "args": ["run", text], "other": {"apiKey": "short"}}

    masked = mask_texts(json.dumps(server, indent=2), hidden_texts(server))
    in_lines = mask_texts(f'args = ["run", """{text}"""]', hidden_texts(server))

    assert "abc123" not in masked
    assert "short" not in masked
    assert "abc123" not in in_lines
    assert "run" in masked


def test_a_server_with_a_secret_in_its_json_waits_for_consent() -> None:
    verdict = sort({"command": "x", "args": ["--config", '{"apiKey":"abc123def456"}']})

    assert (verdict.outcome, verdict.waits, verdict.secrets) == ("kept", True, ("args[1]",))
