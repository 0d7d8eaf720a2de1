"""`toolweft login` and `logout` through the real entry point, and a gateway that needs a login."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from tests.cli.shell import TOOLWEFT, Shell
from tests.sources.mcp.authority import Authority, open_authority

pytestmark = [pytest.mark.process, pytest.mark.network, pytest.mark.timeout(180)]

PLAIN = Path(__file__).parents[1] / "fixtures" / "servers" / "plain.py"


@pytest.fixture
def authority() -> Iterator[Authority]:
    with open_authority() as opened:
        yield opened


@pytest.fixture
def desk(bare: Shell, authority: Authority) -> Shell:
    """A server that wants a login, and one that does not."""
    write(bare, authority)
    return bare


def write(shell: Shell, authority: Authority, **auth: Any) -> None:
    keys = "\n".join(f"{key} = {json.dumps(value)}" for key, value in auth.items())
    shell.write(
        "toolweft.toml",
        f"[servers.web]\nurl = {json.dumps(authority.mcp_url)}\n"
        f'[servers.web.auth]\ntype = "oauth"\n{keys}\n'
        f"[servers.plain]\ncommand = {json.dumps(sys.executable)}\n"
        f"args = [{json.dumps(str(PLAIN))}]\n",
    )


def log_in(shell: Shell, *arguments: str) -> tuple[int, str, str]:
    with subprocess.Popen(
        [str(TOOLWEFT), "login", "web", *arguments],
        cwd=shell.folder,
        env=shell.environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = ""
        while (line := process.stderr.readline()) and "authorize?" not in line:
            said += line
        if address := re.search(r"http\S+", line):
            page = httpx2.get(address[0], follow_redirects=True, trust_env=False)
            assert page.status_code == 200
            assert "Go back to the terminal" in page.text
        out, err = process.communicate(timeout=40)
    return process.returncode, out, said + line + err


def sources(shell: Shell) -> dict[str, dict[str, Any]]:
    ended = shell.spawn("tools", "--json")
    assert ended.code == 0, ended.err
    return {source["name"]: source for source in ended.json["sources"]}


@pytest.mark.promise("sources.oauth")
def test_a_login_makes_the_server_usable_and_a_logout_unusable(
    desk: Shell, authority: Authority
) -> None:
    before = sources(desk)
    assert before["plain"]["state"] == "ready"
    assert before["web"]["state"] == "failed"
    assert "nobody is logged in: `toolweft login web` is needed" in before["web"]["reason"]

    code, out, err = log_in(desk)
    assert code == 0, err
    assert out == f"logged in to web at {authority.issuer}, scopes tools\n"
    called = desk.spawn("call", "web.echo", "a=1", "--json")
    assert called.code == 0, called.err

    ended = desk.spawn("logout", "web")
    assert (ended.code, ended.out) == (0, "logged out of web\n"), ended.err
    assert authority.count("revoke") == 1
    assert "`toolweft login web` is needed" in desk.spawn("call", "web.echo", "a=1").err
    assert desk.spawn("logout", "web").out == "nobody was logged in to web\n"

    planted = [secret for secret in authority.secrets_of_all() if secret]
    shown = [out, called.out, called.err, ended.out, ended.err]
    kept = [p.read_bytes() for p in (desk.folder / "home").rglob("*") if p.is_file()]
    assert [s for s in planted if any(s in text for text in shown)] == []
    # The state folder has ledger and caches too; none of them has a token.
    assert [s for s in planted if any(s.encode() in raw for raw in kept)] == []


async def test_a_gateway_goes_on_without_the_server_that_needs_a_login(
    desk: Shell, authority: Authority
) -> None:
    parameters = StdioServerParameters(
        command=str(TOOLWEFT), args=["serve"], env=desk.environ(), cwd=str(desk.folder)
    )
    with anyio.fail_after(120):
        async with Client(stdio_client(parameters)) as client:
            echoed = await client.call_tool(
                "call_tool", {"name": "plain.echo", "arguments": {"a": 1}}
            )
            refused = await client.call_tool("call_tool", {"name": "web.echo", "arguments": {}})
            assert json.loads(echoed.content[0].text) == {"a": 1}
            assert "`toolweft login web` is needed" in str(refused.content)
            # Somebody logs in meanwhile; the gateway has it without a new start.
            await anyio.to_thread.run_sync(log_in, desk)
            while True:
                heard = await client.call_tool(
                    "call_tool", {"name": "web.echo", "arguments": {"b": 2}}
                )
                if not heard.is_error:
                    break
                await anyio.sleep(0.5)
            assert json.loads(heard.content[0].text) == {"b": 2}


def test_a_login_that_nobody_completes_ends(desk: Shell) -> None:
    ended = desk.spawn("login", "web", "--timeout", "1")
    assert ended.code == 1
    assert "nobody logged in within 1 s" in ended.err


def test_a_client_of_its_own_is_taken_from_the_configuration(
    bare: Shell, authority: Authority
) -> None:
    authority.add_client("desk", "s3cr3t-of-the-client")
    write(
        bare,
        authority,
        grant="client_credentials",
        client_id="desk",
        client_secret="env:DESK_SECRET",
        issuer=authority.issuer,
        scopes=["tools"],
    )
    ended = bare.spawn("tools", "--json", DESK_SECRET="s3cr3t-of-the-client")
    states = {source["name"]: source["state"] for source in ended.json["sources"]}
    assert states == {"web": "ready", "plain": "ready"}
    explained = bare.spawn("config", "explain", DESK_SECRET="s3cr3t-of-the-client")
    assert "s3cr3t" not in explained.out + ended.out + ended.err
    assert "servers.web.auth.issuer" in explained.out
    missing = sources(bare)["web"]
    assert "DESK_SECRET" in missing["reason"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("login", "nowhere"), "there is no server 'nowhere'"),
        (("login", "plain"), "no login is configured for the server 'plain'"),
        (("logout", "plain"), "those that do: web"),
    ],
)
def test_a_server_without_login_is_told(desk: Shell, arguments: tuple[str, ...], said: str) -> None:
    ended = desk(*arguments)
    assert ended.code == 2
    assert said in ended.err
