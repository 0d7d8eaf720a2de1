"""What takes a login away and what does not, and what may come to the port that waits for one."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from tests.sources.mcp.authority import Authority, open_authority
from tests.sources.mcp.logins import Browser, age, logged_in, options_for
from tests.sources.support import PATIENT_S

from toolweft.core.clock import SystemClock
from toolweft.core.errors import CallDenied, SourceUnavailable
from toolweft.core.ids import SourceName
from toolweft.core.secret import Secret
from toolweft.sources import HttpServerOptions
from toolweft.sources.mcp.oauth import OAuthTokens
from toolweft.sources.mcp.oauth_login import log_in, log_out
from toolweft.sources.mcp.token_store import TokenStore
from toolweft.sources.options import OAuthOptions

pytestmark = pytest.mark.network

_ENDLESS = b'{"access_token": "a", "token_type": "Bearer", "expires_in": 1%s}' % (b"0" * 400)


@pytest.fixture
def authority() -> Iterator[Authority]:
    with open_authority() as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "tokens"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, "temporarily_unavailable"),
        (400, "invalid_request"),
        (401, ""),
        (403, "<html>go away</html>"),
        (200, "bad_refresh_token"),
    ],
)
async def test_only_a_refused_grant_takes_a_login_away(
    status: int, error: str, authority: Authority, folder: Path
) -> None:
    options = options_for(authority, folder)
    await logged_in(options)
    await age(options)
    authority.token_status, authority.token_error = status, error
    tokens = OAuthTokens(options, clock=SystemClock())
    with pytest.raises(SourceUnavailable, match="gave no new token") as refused:
        await tokens.token()
    assert "`toolweft login web` logs in again" in str(refused.value.hint)
    authority.token_status = 0
    assert await tokens.token() in authority.access


@pytest.mark.parametrize("token", ["", "a\r\nx: y", "é", "a\x00"])
async def test_a_token_that_no_header_can_hold_is_told(
    token: str, authority: Authority, folder: Path
) -> None:
    options = options_for(authority, folder)
    await logged_in(options)
    await age(options)
    given = {"access_token": token, "token_type": "Bearer", "refresh_token": "kept"}
    authority.token_status, authority.token_raw = 200, json.dumps(given).encode()
    with pytest.raises(SourceUnavailable, match="gave a token that no header can hold"):
        await OAuthTokens(options, clock=SystemClock()).token()
    # The one before is good for nothing any more.
    grant = await TokenStore(options).load()
    assert grant is not None
    assert grant.refresh_token == "kept"


@pytest.mark.parametrize("lives_s", [-5, 0, 10**30])
async def test_a_token_may_live_as_long_as_it_is_said_to(
    lives_s: int, authority: Authority, folder: Path
) -> None:
    options = options_for(authority, folder)
    await logged_in(options)
    await age(options)
    given = {"access_token": "good", "token_type": "Bearer", "expires_in": lives_s}
    authority.token_status, authority.token_raw = 200, json.dumps(given).encode()
    tokens = OAuthTokens(options, clock=SystemClock())
    assert await tokens.token() == "good"
    assert await tokens.token() == "good"
    assert authority.count("token", "refresh_token") == (1 if lives_s > 0 else 2)
    grant = await TokenStore(options).load()
    assert grant is not None
    assert grant.expires_at_s is not None
    assert datetime.fromtimestamp(grant.expires_at_s, UTC)


async def test_a_wrong_secret_of_ours_takes_no_login_away(
    authority: Authority, folder: Path
) -> None:
    authority.add_client("mine", "right")
    given = {"client_id": "mine", "issuer": authority.issuer}
    options = options_for(authority, folder, **given, client_secret=Secret("right", reference=""))
    await logged_in(options)
    await age(options)
    wrong = options_for(authority, folder, **given, client_secret=Secret("wrong", reference=""))
    with pytest.raises(SourceUnavailable, match="refuses the configured client") as refused:
        await OAuthTokens(wrong, clock=SystemClock()).token()
    assert "client_secret" in str(refused.value.hint)
    assert await OAuthTokens(options, clock=SystemClock()).token() in authority.access


async def test_a_registration_that_was_forgotten_is_not_used_again(
    authority: Authority, folder: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = options_for(authority, folder, redirect_port=port)
    await logged_in(options)
    await age(options)
    authority.clients.clear()
    with pytest.raises(SourceUnavailable, match="`toolweft login web` is needed"):
        await OAuthTokens(options, clock=SystemClock()).token()
    await logged_in(options)
    assert authority.count("register") == 2


@pytest.mark.promise("sources.oauth-renewal")
async def test_those_who_wait_for_a_token_that_does_not_come_wait_once(
    authority: Authority, folder: Path
) -> None:
    options = options_for(authority, folder)
    await logged_in(options)
    await age(options)
    authority.token_status, authority.token_delay_s = 503, 0.5
    tokens = OAuthTokens(options, clock=SystemClock())
    refused: list[str] = []

    async def call() -> None:
        with pytest.raises(SourceUnavailable) as failure:
            await tokens.token()
        refused.append(failure.value.message)

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(call)
    assert len(refused) == 5
    assert len(set(refused)) == 1
    assert authority.count("token", "refresh_token") == 1
    # Who comes later asks anew.
    authority.token_status, authority.token_delay_s = 0, 0.0
    assert await tokens.token() in authority.access


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("body", [b"\xff\xfe nope", b"[" * 100_000, b"1" * 5_000, b"{}", _ENDLESS])
async def test_an_answer_that_is_no_text_ends_a_login_in_words(
    authority: Authority, folder: Path, status: int, body: bytes
) -> None:
    authority.token_status, authority.token_raw = status, body
    with pytest.raises(SourceUnavailable, match=f"HTTP {status}"):
        await logged_in(options_for(authority, folder))


@pytest.mark.parametrize(
    "address", ["http://[::1", "http://x:99999999/", "no address", "http://\x7f/", "/", "http:///"]
)
async def test_a_server_that_names_no_address_ends_a_login_in_words(
    folder: Path, address: str
) -> None:
    head = f'HTTP/1.1 401 No\r\nwww-authenticate: Bearer resource_metadata="{address}"\r\n'

    async def refuse(stream: SocketStream) -> None:
        async with stream:
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while True:
                    await stream.receive()
                    await stream.send(f"{head}content-length: 0\r\n\r\n".encode())

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(SocketAttribute.local_port)
        options = HttpServerOptions(
            name=SourceName("web"),
            url=f"http://127.0.0.1:{port}/mcp",
            oauth=OAuthOptions(folder=folder),
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, refuse)
            with anyio.fail_after(PATIENT_S):
                try:
                    await log_in(options, show=print, timeout_s=5, clock=SystemClock())
                except (SourceUnavailable, CallDenied) as exc:
                    refused: Exception = exc
            tasks.cancel_scope.cancel()
    assert str(refused)


@pytest.mark.parametrize("what", ["folder", "pipe"])
async def test_what_is_no_file_holds_no_tokens(
    authority: Authority, folder: Path, what: str
) -> None:
    options = options_for(authority, folder)
    path = TokenStore(options).path
    path.parent.mkdir(parents=True)
    path.mkdir() if what == "folder" else os.mkfifo(path, 0o600)
    with anyio.fail_after(PATIENT_S), pytest.raises(SourceUnavailable, match="is no file"):
        await OAuthTokens(options, clock=SystemClock()).token()


@pytest.mark.parametrize(
    "expires", [True, "soon", [], {}, float("nan"), float("inf"), pytest.param(10**400, id="huge")]
)
async def test_a_moment_that_no_clock_has_is_long_ago(
    authority: Authority, folder: Path, expires: object
) -> None:
    options = options_for(authority, folder)
    await logged_in(options)
    path = TokenStore(options).path
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "expires_at": expires}))
    assert await OAuthTokens(options, clock=SystemClock()).token() in authority.access
    assert authority.count("token", "refresh_token") == 1


@pytest.mark.parametrize("damage", ["{", "shared"])
async def test_a_logout_forgets_what_cannot_be_used(
    authority: Authority, folder: Path, damage: str
) -> None:
    options = options_for(authority, folder)
    await logged_in(options)
    path = TokenStore(options).path
    if damage == "shared":
        path.chmod(0o666)
    else:
        path.write_text(damage)
    removed, why = await log_out(options, clock=SystemClock())
    assert removed
    assert why
    assert not path.exists()
    assert authority.count("revoke") == 0
    assert await log_out(options, clock=SystemClock()) == (False, "")


@pytest.mark.promise("sources.oauth-login")
@pytest.mark.parametrize(
    "line", ["GET //[ HTTP/1.1", "GET", "", "GET /callback?state=%ff&state HTTP/1.1", "\x00\xff"]
)
async def test_what_no_browser_sends_ends_no_login(
    line: str, authority: Authority, folder: Path
) -> None:
    class Disturbed(Browser):
        first = b""

        async def go(self) -> None:
            await self._asked.wait()
            back = parse_qs(urlsplit(self.addresses[0]).query)["redirect_uri"][0]
            port = urlsplit(back).port
            assert port is not None
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                head = f"{line}\r\nHost: 127.0.0.1:{port}\r\n\r\n"
                await stream.send(head.encode("latin-1"))
                self.first = await stream.receive()
            await super().go()

    login = await logged_in(options_for(authority, folder), browser := Disturbed())
    assert login.issuer == authority.issuer
    assert browser.first.startswith(b"HTTP/1.1 40")
