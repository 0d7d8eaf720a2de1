"""Many requests at once, as the first lines of a program make them."""

import ssl
from collections import Counter

import anyio
import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from tests.sources.openapi.live import served, told_answer

from toolweft.sources.addresses import origin_of
from toolweft.sources.openapi.client import ServiceClient
from toolweft.sources.openapi.requests import HttpRequest
from toolweft.sources.openapi.security import Credentials

pytestmark = pytest.mark.network

BURST = 40


async def test_a_burst_reads_the_certificates_once_and_keeps_its_connections() -> None:
    read: list[ssl.SSLContext] = []
    ports: Counter[int] = Counter()
    together = anyio.Event()

    def read_certificates() -> ssl.SSLContext:
        read.append(httpx2.create_ssl_context())
        return read[-1]

    async def meet(request: Request) -> Response:
        assert request.client is not None
        ports[request.client.port] += 1
        if sum(ports.values()) == BURST:
            together.set()
        await together.wait()
        return JSONResponse({"path": request.url.path})

    async with served({"/meet/{number}": meet}) as url:
        origin = origin_of(url)
        assert origin is not None
        client = ServiceClient(
            named=frozenset({origin}),
            max_bytes=1000,
            mask=str,
            read_certificates=read_certificates,
        )
        answered: list[str] = []

        async def ask(number: int) -> None:
            request = HttpRequest(method="GET", url=f"{url}/meet/{number}")
            answer = await client.send(request, Credentials())
            answered.append(told_answer(answer)["path"])

        async def ask_all() -> None:
            async with anyio.create_task_group() as tasks:
                for number in range(BURST):
                    tasks.start_soon(ask, number)

        with anyio.fail_after(30):
            async with client:
                await ask_all()
                await ask_all()

    expected = [f"/meet/{number}" for number in range(BURST)]
    assert sorted(answered) == sorted(expected * 2)
    assert len(read) == 1
    # The second burst goes over connections of the first.
    assert len(ports) == BURST
