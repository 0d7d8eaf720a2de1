"""No description leads into the user's own network, however it spells the way there."""

from collections.abc import Sequence
from contextlib import suppress

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from tests.sources.openapi.live import served, told_answer

from toolweft.core.errors import CallDenied, SourceUnavailable
from toolweft.sources.addresses import check_addresses, is_downgrade, origin_of
from toolweft.sources.openapi.client import ServiceClient
from toolweft.sources.openapi.requests import HttpRequest
from toolweft.sources.openapi.security import Credentials

# Each means this machine, its network, or nothing public.
WRITTEN = """
127.0.0.1 127.0.0.2 127.1 127.0.1 127.255.255.255 2130706433 0x7f000001 0x7f.0.0.1 0x7f.1
0177.0.0.1 0177.1 017700000001 127.0.0.1. 0 0.0.0.0 0x0 00 localhost LOCALHOST localhost.
LocalHost [::1] [0:0:0:0:0:0:0:1] [0000::0001] [::] [::ffff:127.0.0.1] [::ffff:7f00:1]
[::FFFF:7F00:0001] [::127.0.0.1] [::7f00:1] [::ffff:0:127.0.0.1] [64:ff9b::127.0.0.1]
[64:ff9b::7f00:1] [64:ff9b::a9fe:a9fe] [2002:7f00:1::] [2002:a9fe:a9fe::1] [2002:c0a8:101::1]
[2001:0:4136:e378:8000:63bf:80ff:fffe] [::ffff:169.254.169.254] [::ffff:10.0.0.1] [::ffff:a00:1]
[fe80::1] [fc00::1] [fd00:ec2::254] [ff02::1] [::ffff:0.0.0.0] [64:ff9b:1::1] 169.254.169.254
2852039166 0xa9fea9fe 0251.0376.0251.0376 169.254.43518 10.0.0.1 10.1 167772161 172.16.0.1
172.31.255.255 192.168.0.1 192.168.1 0xc0a80001 100.64.0.1 100.100.100.200 192.0.0.1 198.18.0.1
224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 4294967295
"""
SPELLINGS = WRITTEN.split()


def build_client(*named: str, resolve: object = None) -> ServiceClient:
    origins = frozenset(origin for url in named if (origin := origin_of(url)))
    return ServiceClient(named=origins, max_bytes=1000, mask=str, resolve=resolve)  # type: ignore[arg-type]  # tests pass their own


def get(url: str) -> HttpRequest:
    return HttpRequest(method="GET", url=url)


@pytest.mark.promise("sources.openapi-addresses")
@pytest.mark.network
async def test_no_spelling_of_a_private_address_is_reached() -> None:
    reached: list[str] = []

    async def note(stream: SocketStream) -> None:
        async with stream:
            reached.append(str(stream.extra(SocketAttribute.remote_address)))

    listener = await anyio.create_tcp_listener(local_port=0)
    port = listener.extra(SocketAttribute.local_port)
    let_through: list[str] = []
    async with listener, anyio.create_task_group() as tasks, build_client() as client:
        tasks.start_soon(listener.serve, note)
        for host in SPELLINGS:
            with suppress(CallDenied, SourceUnavailable):
                await client.send(get(f"http://{host}:{port}/"), Credentials())
                let_through.append(host)
        assert len(SPELLINGS) >= 60
        assert (let_through, reached) == ([], [])
        # The same client reaches the same place where the user names it.
        async with build_client(f"http://127.0.0.1:{port}") as named:
            with pytest.raises(SourceUnavailable):
                await named.send(get(f"http://127.0.0.1:{port}/"), Credentials())
        assert len(reached) == 1
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2002:808:808::1"])
def test_public_addresses_are_let_through(address: str) -> None:
    check_addresses([address], host="example.com", is_named=False, hint="")


def test_one_bad_address_of_a_host_is_enough() -> None:
    with pytest.raises(CallDenied, match=r"example\.com \(10\.0\.0\.1\) is not a public address"):
        check_addresses(["8.8.8.8", "10.0.0.1"], host="example.com", is_named=False, hint="")


def test_metadata_of_a_cloud_is_reached_only_by_its_number() -> None:
    check_addresses(["10.0.0.1"], host="intern.example", is_named=True, hint="")
    check_addresses(["169.254.169.254"], host="169.254.169.254", is_named=True, hint="")
    with pytest.raises(CallDenied):
        check_addresses(["169.254.169.254"], host="intern.example", is_named=True, hint="")


@pytest.mark.network
async def test_a_name_is_looked_up_once_for_what_is_connected() -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int | None) -> Sequence[str]:
        asked.append(host)
        # A second look would lead elsewhere.
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.99"]

    async with served() as url:
        name = url.replace("127.0.0.1", "service.example")
        async with build_client(name, resolve=resolve) as client:
            for _ in range(3):
                heard = told_answer(await client.send(get(f"{name}/a"), Credentials()))
                assert heard["headers"]["host"] == name.removeprefix("http://")
    assert asked == ["service.example"]


@pytest.mark.network
async def test_a_name_that_means_this_machine_is_refused() -> None:
    async def resolve(host: str, port: int | None) -> Sequence[str]:
        return ["127.0.0.1"]

    async with served() as url, build_client(resolve=resolve) as client:
        with pytest.raises(CallDenied, match="name host and port in base_url"):
            await client.send(get(url.replace("127.0.0.1", "public.example")), Credentials())


@pytest.mark.network
async def test_a_port_that_is_not_named_is_refused() -> None:
    async with served() as url, served() as other, build_client(url) as client:
        await client.send(get(url), Credentials())
        with pytest.raises(CallDenied):
            await client.send(get(other), Credentials())


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Example.com/a", ("https", "example.com", 443)),
        ("http://example.com.:8080", ("http", "example.com", 8080)),
        ("http://[::1]:1/", ("http", "::1", 1)),
        ("ftp://example.com", None),
        ("file:///etc/passwd", None),
        ("https:///a", None),
        ("https://user@example.com", None),
        ("http://example.com:99999", None),
        ("http://[::1", None),
        ("/v1", None),
        ("", None),
    ],
)
def test_origins(url: str, origin: tuple[str, str, int] | None) -> None:
    assert origin_of(url) == origin


def test_leaving_encryption_is_a_downgrade() -> None:
    assert is_downgrade(("https", "a", 443), ("http", "a", 80))
    assert not is_downgrade(("http", "a", 80), ("https", "a", 443))
