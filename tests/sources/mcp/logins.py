"""Servers that want a login, and whoever logs in."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import anyio
import httpx2
from tests.sources.mcp.authority import Authority
from tests.sources.support import AT_ONCE, NEVER, PATIENT_S, WaitingListener

from toolweft.core.clock import SystemClock
from toolweft.core.errors import CallDenied, SourceUnavailable
from toolweft.core.ids import SourceName
from toolweft.sources import HttpServerOptions, HttpSource
from toolweft.sources.mcp.backoff import Patience
from toolweft.sources.mcp.oauth_login import log_in
from toolweft.sources.mcp.token_store import TokenStore
from toolweft.sources.options import OAuthOptions


def options_for(authority: Authority, folder: Path, **oauth: Any) -> HttpServerOptions:
    return HttpServerOptions(
        name=SourceName("web"), url=authority.mcp_url, oauth=OAuthOptions(folder=folder, **oauth)
    )


def build(listener: WaitingListener, options: HttpServerOptions) -> HttpSource:
    patience = Patience(start_timeout_s=PATIENT_S, again=AT_ONCE, never_ready=NEVER)
    return HttpSource(options, listener=listener, clock=SystemClock(), patience=patience)


class Browser:
    """Opens the address, and comes back; `change` may alter what it comes back with."""

    def __init__(self, change: Callable[[dict[str, str]], dict[str, str]] | None = None) -> None:
        self.addresses: list[str] = []
        self.pages: list[tuple[int, str]] = []
        self._change = change
        self._asked = anyio.Event()

    def show(self, address: str) -> None:
        self.addresses.append(address)
        self._asked.set()

    async def go(self) -> None:
        await self._asked.wait()
        async with httpx2.AsyncClient(trust_env=False) as client:
            sent_back = (await client.get(self.addresses[0])).headers["location"]
            parts = urlsplit(sent_back)
            given = {name: values[0] for name, values in parse_qs(parts.query).items()}
            for attempt in [given] if self._change is None else [self._change(given)]:
                url = parts._replace(query=urlencode(attempt)).geturl()
                page = await client.get(url)
                self.pages.append((page.status_code, page.text))


async def logged_in(options: HttpServerOptions, browser: Browser | None = None) -> Any:
    browser = browser or Browser()
    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(browser.go)
            try:
                return await log_in(
                    options, show=browser.show, timeout_s=PATIENT_S, clock=SystemClock()
                )
            except (SourceUnavailable, CallDenied) as exc:
                refused = exc
            finally:
                tasks.cancel_scope.cancel()
    raise refused


async def age(options: HttpServerOptions) -> None:
    """What is kept has run out, as far as anybody here knows."""
    store = TokenStore(options)
    grant = await store.load()
    assert grant is not None
    raw = json.loads(store.path.read_bytes())
    store.path.write_text(json.dumps({**raw, "expires_at": 1.0}))
