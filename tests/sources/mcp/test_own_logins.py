"""Each principal's own login, at a server that keeps them apart."""

from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from tests.sources.mcp.authority import open_authority
from tests.sources.mcp.logins import build, logged_in, options_for
from tests.sources.support import PATIENT_S, WaitingListener

from toolweft.core.errors import SourceUnavailable
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.principals import LOCAL, Principal
from toolweft.sources import HttpServerOptions, SourceGroup
from toolweft.sources.mcp.token_store import TokenStore
from toolweft.testing import build_call

pytestmark = pytest.mark.network

ADA, BOB = Principal("acme", "ada"), Principal("acme", "bob")


async def token_of(options: HttpServerOptions, principal: Principal) -> str:
    grant = await TokenStore(options.on_behalf_of(principal)).load()
    return "" if grant is None else grant.access_token


@pytest.mark.promise("sources.oauth")
async def test_apart_from_others_everyone_has_a_login_of_their_own(
    tmp_path: Path, listener: WaitingListener
) -> None:
    with open_authority() as authority:
        options = replace(options_for(authority, tmp_path / "tokens"), isolation="principal")
        await logged_in(options)
        await logged_in(options.on_behalf_of(ADA))
        async with SourceGroup([build(listener, options)], listener=listener) as group:
            await group.settle(PATIENT_S)
            source = group.get(SourceName("web"))
            assert source is not None
            with anyio.fail_after(PATIENT_S):
                mine = build_call("echo", {"a": 1}, principal=ADA)
                assert (await source.call_tool(ToolName("echo"), mine)).structured == {"a": 1}
                with pytest.raises(SourceUnavailable, match="login web --tenant acme --user bob"):
                    await source.call_tool(ToolName("echo"), build_call("echo", principal=BOB))
        tokens = [await token_of(options, who) for who in (LOCAL, ADA, BOB)]
        assert tokens[0]
        assert tokens[1] not in {"", tokens[0]}
        assert tokens[2] == ""
