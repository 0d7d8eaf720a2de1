"""Tokens for an MCP server: by a login, renewed, taken back; and authorization servers that lie."""

import json
import logging
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2
import pytest
from tests.sources.mcp.authority import Authority, open_authority
from tests.sources.mcp.logins import Browser, age, build, logged_in, options_for
from tests.sources.support import PATIENT_S, WaitingListener, use

from toolweft.core.clock import SystemClock
from toolweft.core.errors import CallDenied, SourceUnavailable
from toolweft.core.ids import SourceName
from toolweft.core.principals import Principal
from toolweft.core.secret import Secret
from toolweft.sources import HttpServerOptions, SourceGroup
from toolweft.sources.mcp.oauth import OAuthTokens
from toolweft.sources.mcp.oauth_login import log_in, log_out
from toolweft.sources.mcp.oauth_sender import OAuthSender
from toolweft.sources.mcp.token_store import Grant, TokenStore
from toolweft.sources.options import OAuthOptions

pytestmark = pytest.mark.network


@pytest.fixture
def authority() -> Iterator[Authority]:
    with open_authority() as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "tokens"


@pytest.mark.promise("sources.oauth")
async def test_a_server_is_used_after_a_login(
    authority: Authority, folder: Path, listener: WaitingListener
) -> None:
    options = options_for(authority, folder)
    login = await logged_in(options, browser := Browser())
    assert (login.issuer, login.scopes, login.is_renewable) == (authority.issuer, ("tools",), True)
    assert browser.addresses[0].startswith(f"{authority.issuer}/authorize?")
    assert browser.pages[0][0] == 200
    source = build(listener, options)
    async with SourceGroup([source], listener=listener):
        await listener.wait_for("web", "ready")
        assert (await use(source, "echo", a=1)).structured == {"a": 1}


async def test_nobody_waits_for_a_login_that_is_missing(
    authority: Authority, folder: Path, listener: WaitingListener
) -> None:
    source = build(listener, options_for(authority, folder))
    async with SourceGroup([source], listener=listener):
        reason = (await listener.wait_for("web", "failed")).reason
    assert "nobody is logged in: `toolweft login web` is needed" in reason
    assert authority.asked == []


@pytest.mark.promise("sources.oauth-private")
async def test_tokens_are_in_a_file_that_only_its_owner_can_read(
    authority: Authority, folder: Path
) -> None:
    options = options_for(authority, folder)
    await logged_in(options)
    modes = {Path(entry).suffix: _mode(entry) for entry in os.scandir(folder)}
    assert modes == {".json": 0o600, ".lock": 0o600}
    assert _mode(folder) == 0o700
    path = TokenStore(options).path
    path.chmod(0o644)
    with pytest.raises(SourceUnavailable, match="are not yours alone"):
        await OAuthTokens(options, clock=SystemClock()).token()


async def test_a_link_in_place_of_the_file_is_not_followed(
    authority: Authority, folder: Path
) -> None:
    options = options_for(authority, folder)
    await logged_in(options)
    path = TokenStore(options).path
    path.rename(elsewhere := folder.parent / "elsewhere.json")
    path.symlink_to(elsewhere)
    with pytest.raises(SourceUnavailable, match="cannot be read"):
        await OAuthTokens(options, clock=SystemClock()).token()


@pytest.mark.promise("sources.oauth-renewal")
async def test_a_token_that_ran_out_is_renewed(authority: Authority, folder: Path) -> None:
    options = options_for(authority, folder)
    await logged_in(options)
    await age(options)
    token = await OAuthTokens(options, clock=SystemClock()).token()
    assert token in authority.access
    assert authority.count("token", "refresh_token") == 1
    # The next process has it from the file.
    assert await OAuthTokens(options, clock=SystemClock()).token() == token
    assert authority.count("token", "refresh_token") == 1


async def test_a_token_that_the_server_refuses_is_renewed_within_the_call(
    authority: Authority, folder: Path, listener: WaitingListener
) -> None:
    options = options_for(authority, folder)
    await logged_in(options)
    source = build(listener, options)
    async with SourceGroup([source], listener=listener):
        await listener.wait_for("web", "ready")
        authority.access.clear()
        assert (await use(source, "echo", a=2)).structured == {"a": 2}
    assert authority.count("token", "refresh_token") == 1


async def test_a_login_that_was_taken_back_is_told_and_asked_for_no_more(
    authority: Authority, folder: Path, listener: WaitingListener
) -> None:
    options = options_for(authority, folder)
    await logged_in(options)
    source = build(listener, options)
    async with SourceGroup([source], listener=listener):
        await listener.wait_for("web", "ready")
        authority.access.clear()
        authority.refreshing.clear()
        with pytest.raises(SourceUnavailable, match="`toolweft login web` is needed"):
            await use(source, "echo")
        with pytest.raises(SourceUnavailable, match="`toolweft login web` is needed"):
            await use(source, "echo")
        assert authority.count("token", "refresh_token") == 1
        # A login elsewhere is seen by those who wait, without a new start.
        await logged_in(options)
        with anyio.fail_after(PATIENT_S):
            while True:
                try:
                    assert (await use(source, "echo", a=3)).structured == {"a": 3}
                    break
                except SourceUnavailable:
                    await anyio.sleep(0.2)
    # The registration was good for a second login... but for its port.
    assert authority.count("register") == 2


async def test_an_authorization_server_that_is_down_takes_no_login_away(
    authority: Authority, folder: Path
) -> None:
    options = options_for(authority, folder)
    await logged_in(options)
    await age(options)
    authority.token_status = 503
    tokens = OAuthTokens(options, clock=SystemClock())
    with pytest.raises(SourceUnavailable, match="gave no new token: HTTP 503"):
        await tokens.token()
    authority.token_status = 0
    assert await tokens.token() in authority.access


async def test_a_server_that_refuses_every_token_is_not_asked_for_ever(
    authority: Authority, folder: Path
) -> None:
    options = options_for(authority, folder)
    await logged_in(options)
    tokens = OAuthTokens(options, clock=SystemClock())
    second = await tokens.after(await tokens.token())
    with pytest.raises(SourceUnavailable, match="refuses a token that is new"):
        await tokens.after(second)
    assert authority.count("token", "refresh_token") == 1


_RENEW = """
import anyio, sys
from dataclasses import replace
from pathlib import Path
from toolweft.core.clock import SystemClock
from toolweft.sources import HttpServerOptions
from toolweft.sources.mcp.oauth import OAuthTokens
from toolweft.sources.options import OAuthOptions
from toolweft.testing import build_call
options = HttpServerOptions(
    name="web", url=sys.argv[1], oauth=OAuthOptions(folder=Path(sys.argv[2]))
)
print(anyio.run(OAuthTokens(options, clock=SystemClock()).token))
"""


@pytest.mark.process
@pytest.mark.promise("sources.oauth-renewal")
async def test_two_processes_use_a_refresh_token_once(authority: Authority, folder: Path) -> None:
    options = options_for(authority, folder)
    await logged_in(options)
    await age(options)
    authority.refresh_delay_s = 0.5
    said: list[str] = []

    async def renew() -> None:
        command = [sys.executable, "-c", _RENEW, authority.mcp_url, str(folder)]
        done = await anyio.run_process(command, check=False)
        assert done.returncode == 0, done.stderr.decode()
        said.append(done.stdout.decode().strip())

    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(renew)
    assert len(set(said)) == 1
    assert said[0] in authority.access
    assert authority.count("token", "refresh_token") == 1


async def test_a_caller_who_gives_up_takes_no_login_away(
    authority: Authority, folder: Path
) -> None:
    options = options_for(authority, folder)
    await logged_in(options)
    await age(options)
    authority.refresh_delay_s = 0.5
    with anyio.move_on_after(0.2) as patience:
        await OAuthTokens(options, clock=SystemClock()).token()
    assert patience.cancel_called
    assert await OAuthTokens(options, clock=SystemClock()).token() in authority.access
    assert authority.count("token", "refresh_token") == 1


async def test_each_principal_has_a_login_of_its_own(authority: Authority, folder: Path) -> None:
    options = options_for(authority, folder)
    other = options_for(authority, folder, principal=Principal("acme", "bo"))
    await logged_in(options)
    with pytest.raises(SourceUnavailable, match="nobody is logged in"):
        await OAuthTokens(other, clock=SystemClock()).token()


async def test_another_address_has_a_login_of_its_own(authority: Authority, folder: Path) -> None:
    options = options_for(authority, folder)
    await logged_in(options)
    moved = HttpServerOptions(name=options.name, url="http://127.0.0.1:9/mcp", oauth=options.oauth)
    with pytest.raises(SourceUnavailable, match="nobody is logged in"):
        await OAuthTokens(moved, clock=SystemClock()).token()


@pytest.mark.promise("sources.oauth-login")
async def test_an_answer_with_a_wrong_state_is_refused(authority: Authority, folder: Path) -> None:
    options = options_for(authority, folder)
    browser = Browser(lambda given: {**given, "state": "x" * 43})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(browser.go)
        with pytest.raises(SourceUnavailable, match="nobody logged in within 5 s; 1 answers with"):
            await log_in(options, show=browser.show, timeout_s=5, clock=SystemClock())
        tasks.cancel_scope.cancel()
    assert browser.pages[0][0] == 400
    assert authority.count("token", "authorization_code") == 0
    assert await TokenStore(options).load() is None


async def test_an_answer_of_another_issuer_is_refused(authority: Authority, folder: Path) -> None:
    browser = Browser(lambda given: {**given, "iss": "https://evil.example"})
    with pytest.raises(SourceUnavailable, match="iss mismatch"):
        await logged_in(options_for(authority, folder), browser)
    assert authority.count("token", "authorization_code") == 0


async def test_a_refusal_is_told(authority: Authority, folder: Path) -> None:
    browser = Browser(lambda given: {"error": "access_denied", "state": given["state"]})
    with pytest.raises(SourceUnavailable, match="the login was refused: access_denied"):
        await logged_in(options_for(authority, folder), browser)


@pytest.mark.promise("sources.oauth-login")
async def test_the_port_answers_nothing_but_the_login(authority: Authority, folder: Path) -> None:
    options = options_for(authority, folder)
    answers: list[int] = []

    async def knock(address: str) -> None:
        back = urlsplit(parse_qs(urlsplit(address).query)["redirect_uri"][0])
        state = parse_qs(urlsplit(address).query)["state"][0]
        assert back.hostname == "127.0.0.1"
        async with httpx2.AsyncClient(trust_env=False) as client:
            good = f"{back.geturl()}?code=x&state={state}"
            for method, url, host in [
                ("GET", good, f"evil.example:{back.port}"),
                ("POST", good, back.netloc),
                ("GET", good.replace("/callback", "/other"), back.netloc),
                ("GET", f"{good}&state={state}", back.netloc),
            ]:
                answers.append(
                    (await client.request(method, url, headers={"host": host})).status_code
                )

    shown: list[str] = []
    async with anyio.create_task_group() as tasks:

        async def attempt() -> None:
            with pytest.raises(SourceUnavailable, match="nobody logged in"):
                await log_in(options, show=shown.append, timeout_s=5, clock=SystemClock())

        tasks.start_soon(attempt)
        with anyio.fail_after(PATIENT_S):
            while not shown:  # noqa: ASYNC110 (the address comes by a plain call)
                await anyio.sleep(0.01)
        await knock(shown[0])
    assert answers == [404, 404, 404, 400]


async def test_metadata_of_another_issuer_is_refused(authority: Authority, folder: Path) -> None:
    authority.metadata = {"issuer": "https://evil.example"}
    with pytest.raises(SourceUnavailable, match="issuer mismatch"):
        await logged_in(options_for(authority, folder))
    assert authority.count("register") == 0


async def test_another_issuer_than_the_configured_one_gets_no_secret(
    authority: Authority, folder: Path
) -> None:
    authority.add_client("desk", "s3cr3t-of-the-client")
    for grant in ("authorization_code", "client_credentials"):
        options = options_for(
            authority,
            folder,
            grant=grant,
            client_id="desk",
            client_secret=Secret("s3cr3t-of-the-client", reference="env:S"),
            issuer="https://login.example.com",
        )
        with pytest.raises(SourceUnavailable, match=r"login\.example\.com"):
            await logged_in(options)
    assert authority.count("token", "client_credentials") == 0
    assert authority.count("authorize") == 0


@pytest.mark.parametrize("methods", [None, [], ["plain"]])
async def test_a_login_without_proof_is_refused(
    authority: Authority, folder: Path, methods: Any
) -> None:
    authority.metadata = {"code_challenge_methods_supported": methods}
    with pytest.raises(SourceUnavailable, match="PKCE with S256"):
        await logged_in(options_for(authority, folder))
    assert authority.count("register") == 0


PRIVATE = [
    "https://10.0.0.1/token",
    "https://169.254.169.254/latest",
    "https://192.168.1.1:8443/x",
    "https://[fd00:ec2::254]/x",
    "https://[::ffff:10.0.0.1]/x",
    "https://100.64.0.1/x",
]


@pytest.mark.promise("sources.oauth-addresses")
@pytest.mark.parametrize("address", PRIVATE)
@pytest.mark.parametrize("key", ["registration_endpoint", "token_endpoint"])
async def test_metadata_that_leads_into_a_private_network_is_refused(
    authority: Authority, folder: Path, key: str, address: str
) -> None:
    authority.metadata = {key: address}
    with pytest.raises(CallDenied, match="is not a public address"):
        await logged_in(options_for(authority, folder))


@pytest.mark.promise("sources.oauth-addresses")
@pytest.mark.parametrize("key", ["registration_endpoint", "token_endpoint"])
async def test_tokens_are_not_sent_in_the_clear(
    authority: Authority, folder: Path, key: str
) -> None:
    authority.metadata = {key: "http://login.example.com/x"}
    with pytest.raises(CallDenied, match="neither https nor on this machine"):
        await logged_in(options_for(authority, folder))


async def test_a_page_that_is_no_page_is_not_shown(authority: Authority, folder: Path) -> None:
    authority.metadata = {"authorization_endpoint": "http://login.example.com/authorize"}
    browser = Browser()
    with pytest.raises(CallDenied, match="the page to log in at"):
        await logged_in(options_for(authority, folder), browser)
    assert browser.addresses == []


@pytest.mark.promise("sources.oauth-addresses")
async def test_a_server_elsewhere_leads_nowhere_on_this_machine(folder: Path) -> None:
    """A name that is public when configured, and an authorization server that is not."""
    asked: list[str] = []

    async def resolve(host: str, port: int | None) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    options = HttpServerOptions(
        name=SourceName("web"),
        url="https://mcp.example.com/mcp",
        oauth=OAuthOptions(folder=folder),
    )
    sender = OAuthSender(server_url=options.url, resolve=resolve)
    for url in ("http://127.0.0.1:9/x", "http://localhost:9/x", "https://login.example.com/x"):
        with pytest.raises(CallDenied, match="is not a public address"):
            await sender.send(httpx2.Request("GET", url))


@pytest.mark.promise("sources.oauth")
async def test_a_client_of_its_own_needs_nobody(
    authority: Authority, folder: Path, listener: WaitingListener
) -> None:
    authority.add_client("desk", "s3cr3t-of-the-client")
    options = options_for(
        authority,
        folder,
        grant="client_credentials",
        client_id="desk",
        client_secret=Secret("s3cr3t-of-the-client", reference="env:S"),
        issuer=authority.issuer,
        scopes=("tools", "more"),
    )
    source = build(listener, options)
    async with SourceGroup([source], listener=listener):
        await listener.wait_for("web", "ready")
        authority.access.clear()
        assert (await use(source, "echo", a=1)).structured == {"a": 1}
    assert authority.count("token", "client_credentials") == 2
    kept = TokenStore(options).path.read_text("utf-8")
    assert "tools more" in kept
    assert "s3cr3t-of-the-client" not in kept


async def test_configured_client_and_scopes_are_used(authority: Authority, folder: Path) -> None:
    authority.add_client("desk", "", redirect_uris=["http://127.0.0.1:0/callback"])
    del authority.clients["desk"]["redirect_uris"]
    options = options_for(authority, folder, client_id="desk", scopes=("tools", "files"))
    login = await logged_in(options)
    assert authority.count("register") == 0
    assert authority.count("authorize", "tools files") == 1
    assert login.scopes == ("tools", "files")


async def test_logout_takes_the_tokens_back_and_away(authority: Authority, folder: Path) -> None:
    options = options_for(authority, folder)
    await logged_in(options)
    assert await log_out(options, clock=SystemClock()) == (True, "")
    assert authority.count("revoke") == 1
    assert authority.refreshing == {}
    assert not TokenStore(options).path.exists()
    assert await log_out(options, clock=SystemClock()) == (False, "")


@pytest.mark.promise("sources.oauth-private")
async def test_no_token_is_shown_or_logged(
    authority: Authority,
    folder: Path,
    listener: WaitingListener,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    options = options_for(authority, folder)
    said: list[str] = []
    # httpx2 logs addresses, and the page to log in at has a state; no token, no code.
    await logged_in(options, browser := Browser())
    authority.repeats_token = True
    source = build(listener, options)
    async with SourceGroup([source], listener=listener):
        await listener.wait_for("web", "ready")
        result = await use(source, "echo")
        said += [repr(result.structured), repr(result.content)]
        assert result.structured == {"heard": "Bearer ***"}
        authority.access.clear()
        authority.refreshing.clear()
        with pytest.raises(SourceUnavailable) as caught:
            await use(source, "echo")
        said += [repr(caught.value), str(caught.value.hint)]
    said += [str(change) for change in listener.changes]
    said += [repr(await TokenStore(options).load()), repr(options)]
    said += [r.getMessage() for r in caplog.records if not r.name.startswith(("httpcore", "httpx"))]
    kept = TokenStore(options).path.read_text("utf-8")
    planted = [*authority.secrets_of_all(), *_values(json.loads(kept))]
    assert [s for s in planted if s and any(s in text for text in said)] == []
    assert browser.addresses


def _mode(path: os.PathLike[str]) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)  # noqa: PTH116 (of an entry too)


def _values(kept: Any) -> list[str]:
    tokens = kept["tokens"] or {}
    return [tokens.get("access_token", ""), kept["client"].get("client_secret", "")]


async def test_what_is_kept_survives_being_cut_off(authority: Authority, folder: Path) -> None:
    options = options_for(authority, folder)
    await logged_in(options)
    path = TokenStore(options).path
    for damage in (b"", b"{", b"[]", b'{"format": 99}', os.urandom(64), b"[" * 100_000):
        path.write_bytes(damage)
        with pytest.raises(SourceUnavailable, match="`toolweft login web` is needed"):
            await OAuthTokens(options, clock=SystemClock()).token()


async def test_what_is_kept_and_makes_no_sense_is_replaced_by_a_login(
    authority: Authority, folder: Path
) -> None:
    options = options_for(authority, folder)
    await logged_in(options)
    path = TokenStore(options).path
    kept = json.loads(path.read_bytes())
    for part in ("tokens", "client", "metadata", "resource"):
        path.touch(0o600)
        path.write_text(json.dumps({**kept, "expires_at": 1.0, part: {"refresh_token": "x"}}))
        with pytest.raises(SourceUnavailable, match="`toolweft login web` is needed"):
            await OAuthTokens(options, clock=SystemClock()).token()
        path.write_text(json.dumps({**kept, part: {"access_token": 7}}))
        await logged_in(options)
        assert await OAuthTokens(options, clock=SystemClock()).token() in authority.access
        path.write_text(json.dumps({**kept, part: {"access_token": 7}}))
        assert (await log_out(options, clock=SystemClock()))[0]
    assert authority.count("token", "refresh_token") == 0


def test_a_grant_prints_no_token() -> None:
    grant = Grant(
        tokens={"access_token": "at-planted"},
        expires_at_s=None,
        client={"client_secret": "cs-planted"},
        metadata={},
        resource=None,
    )
    assert "planted" not in repr(grant)
