"""`auth` of a server."""

from pathlib import Path
from typing import Any

import pytest
from tests.config.desk import Desk

from toolweft.config import BrokenServer
from toolweft.core.errors import ConfigError
from toolweft.core.secret import Secret
from toolweft.sources.options import HttpServerOptions, OAuthOptions

URL = "https://web.example/mcp"


def load(desk: Desk, auth: str, *, url: str = URL, **more: Any) -> Any:
    text = f'[servers.web]\nurl = "{url}"\nauth = {auth}\n'
    (desk.cwd / "toolweft.toml").write_text(text, encoding="utf-8")
    settings = desk.load(**more)
    return (settings.servers + settings.broken_servers)[0]


def test_a_bearer_token_is_a_header_and_a_secret(desk: Desk) -> None:
    server = load(desk, '{type = "bearer", token = "env:KEY"}', environ={"KEY": "hunter2"})
    assert server == HttpServerOptions(
        name="web",
        url=URL,
        headers={"Authorization": Secret("Bearer hunter2", reference="env:KEY")},
    )
    assert "hunter2" not in repr(server)


def test_a_login_needs_no_more_than_its_type(desk: Desk) -> None:
    server = load(desk, '{type = "oauth"}')
    assert server.oauth == OAuthOptions(folder=desk.home / ".local/state/toolweft/tokens")
    moved = load(desk, '{type = "oauth"}', environ={"XDG_STATE_HOME": "/state"})
    assert moved.oauth.folder == Path("/state/toolweft/tokens")


def test_every_key_of_a_login_arrives(desk: Desk) -> None:
    server = load(
        desk,
        '{type = "oauth", client_id = "desk", client_secret = "env:S", scopes = ["a", "b"],'
        ' issuer = "https://login.example", redirect_port = 8123,'
        ' client_auth = "client_secret_post"}',
        environ={"S": "hunter2"},
    )
    assert server.oauth == OAuthOptions(
        client_id=Secret("desk", reference="configuration"),
        client_secret=Secret("hunter2", reference="env:S"),
        client_auth="client_secret_post",
        scopes=("a", "b"),
        issuer="https://login.example",
        redirect_port=8123,
        folder=desk.home / ".local/state/toolweft/tokens",
    )


@pytest.mark.parametrize(
    ("auth", "said"),
    [
        ('{scopes = ["a"]}', "has no type"),
        ('{type = "bearer"}', "has no token"),
        ('{type = "bearer", token = "x", scopes = ["a"]}', "of type 'bearer' has 'scopes'"),
        ('{type = "oauth", token = "x"}', "of type 'oauth' has 'token'"),
        ('{type = "basic"}', "servers.web.auth.type"),
        ('{type = "oauth", scope = "x"}', "unknown key"),
        ('{type = "oauth", redirect_port = 70000}', "redirect_port"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(desk: Desk, auth: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(desk, auth)


@pytest.mark.parametrize(
    ("auth", "url", "said"),
    [
        ('{type = "oauth"}', "http://web.example/mcp", "neither https nor on this machine"),
        ('{type = "oauth", client_id = "a", client_secret = "b"}', URL, "issuer"),
        ('{type = "oauth", grant = "client_credentials"}', URL, "no client_secret"),
        ('{type = "oauth", issuer = "ftp://x"}', URL, "auth.issuer is not an http or https"),
        ('{type = "bearer", token = "env:NOT_SET"}', URL, "'NOT_SET', which is not set"),
    ],
)
def test_what_cannot_be_used_breaks_that_server_alone(
    desk: Desk, auth: str, url: str, said: str
) -> None:
    server = load(desk, auth, url=url)
    assert isinstance(server, BrokenServer)
    assert said in server.reason


def test_a_server_that_is_started_has_no_auth(desk: Desk) -> None:
    desk.write("mcp.json", {"mcpServers": {"a": {"command": "x", "auth": {"type": "oauth"}}}})
    with pytest.raises(ConfigError, match="has 'auth', but no 'url'"):
        desk.load()


def test_what_another_client_calls_auth_is_not_ours(desk: Desk) -> None:
    foreign = {"url": URL, "auth": {"CLIENT_ID": "x", "CLIENT_SECRET": "hunter2"}}
    desk.write("mcp.json", {"mcpServers": {"web": foreign}})
    settings = desk.load()
    assert settings.servers[0].oauth is None
    assert any("'auth' is not used" in problem for problem in settings.problems)
    assert "hunter2" not in repr(settings)


def test_two_ways_to_a_header_are_one_too_many(desk: Desk) -> None:
    auth = '{type = "oauth"}\nheaders = {authorization = "x"}'
    assert "both auth and headers.Authorization" in load(desk, auth).reason
