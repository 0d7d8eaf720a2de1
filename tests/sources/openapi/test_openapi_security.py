"""Who gets the user's secrets, and who does not."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from tests.sources.openapi.live import (
    build,
    describe_paths,
    find_failure,
    ready,
    served,
    tell,
    told,
    write,
)
from tests.sources.support import WaitingListener, use

from toolweft.core.calls import TextContent
from toolweft.core.errors import CallDenied, SourceUnavailable
from toolweft.core.secret import Secret
from toolweft.sources import ClientCredentials, SourceGroup

pytestmark = pytest.mark.network

KEY = "k3y-value-4711"
SCHEMES = {
    "header_key": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "query_key": {"type": "apiKey", "in": "query", "name": "key"},
    "cookie_key": {"type": "apiKey", "in": "cookie", "name": "sid"},
    "basic": {"type": "http", "scheme": "basic"},
    "bearer": {"type": "http", "scheme": "Bearer"},
    "oauth": {"type": "oauth2", "flows": {"implicit": {"authorizationUrl": "https://x.io"}}},
    "digest": {"type": "http", "scheme": "digest"},
}


def secret(value: str = KEY) -> Secret:
    return Secret(value, reference="env:KEY")


def document(*ways: dict[str, list[str]], path: str = "/a", **more: Any) -> dict[str, Any]:
    operation = {"operationId": "ask", "security": list(ways)} if ways else {"operationId": "ask"}
    return describe_paths(
        {path: {"get": operation, "post": {**operation, "operationId": "push"}}},
        components={"securitySchemes": {**SCHEMES, **more}},
    )


@pytest.mark.parametrize(
    ("scheme", "given", "place", "name", "value"),
    [
        ("header_key", KEY, "headers", "x-key", "***"),
        ("query_key", KEY, "params", "key", "***"),
        ("cookie_key", KEY, "cookies", "sid", "***"),
        ("basic", "user:pass-4711", "headers", "authorization", "Basic ***"),
        ("bearer", KEY, "headers", "authorization", "Bearer ***"),
        ("oauth", KEY, "headers", "authorization", "Bearer ***"),
    ],
)
async def test_a_secret_goes_where_its_scheme_wants_it_and_never_comes_back(
    listener: WaitingListener,
    tmp_path: Path,
    scheme: str,
    given: str,
    place: str,
    name: str,
    value: str,
) -> None:
    sent: list[Any] = []

    async def note(request: Request) -> Response:
        sent.append((dict(request.headers), dict(request.query_params), request.cookies))
        return await tell(request)

    path = write(tmp_path, document({scheme: []}))
    async with (
        served({"/a": note}) as url,
        ready(listener, path=path, base_url=url, auth={scheme: secret(given)}) as source,
    ):
        # The service told all it was sent; of the secret nothing is left.
        heard = told(await use(source, "ask"))
        assert dict(heard[place])[name] == value
    plain = json.dumps(sent)
    assert ("dXNlcjpwYXNzLTQ3MTE=" if scheme == "basic" else KEY) in plain


@pytest.mark.parametrize("key", [KEY, "a/b c+4711?&="])
async def test_answers_without_a_body_hold_no_secret(
    listener: WaitingListener, tmp_path: Path, key: str
) -> None:
    async def made(request: Request) -> Response:
        where = {"location": str(request.url), "x-key-was": request.query_params["key"]}
        return Response(status_code=201, headers=where)

    paths = {"/a": {"post": {"operationId": "push"}, "head": {"operationId": "look"}}}
    more = {"components": {"securitySchemes": {"query_key": SCHEMES["query_key"]}}}
    path = write(tmp_path, describe_paths(paths, **more))
    auth = {"query_key": secret(key)}
    async with (
        served({"/a": made}) as url,
        ready(listener, path=path, base_url=url, auth=auth) as source,
    ):
        pushed = (await use(source, "push")).structured
        looked = (await use(source, "look")).structured

    assert pushed == {"status": 201, "location": f"{url}/a?key=***"}
    assert looked["headers"]["location"] == f"{url}/a?key=***"
    assert looked["headers"]["x-key-was"] == "***"


@pytest.mark.parametrize(
    ("ways", "configured", "used"),
    [
        # The first way in for which there are all secrets.
        ([{"bearer": []}, {"header_key": []}], {"header_key"}, {"x-key"}),
        ([{"bearer": [], "header_key": []}], {"header_key"}, set()),
        ([{"bearer": [], "header_key": []}], {"header_key", "bearer"}, {"x-key", "authorization"}),
        # Where nothing is said of the operation, everything; where it needs nothing, nothing.
        ([], {"header_key"}, {"x-key"}),
        ([{}], {"header_key"}, set()),
    ],
)
async def test_an_operation_gets_the_secrets_it_asks_for(
    listener: WaitingListener,
    tmp_path: Path,
    ways: list[dict[str, list[str]]],
    configured: set[str],
    used: set[str],
) -> None:
    auth = {name: secret() for name in configured}
    path = write(tmp_path, document(*ways))
    async with served() as url, ready(listener, path=path, base_url=url, auth=auth) as source:
        heard = told(await use(source, "ask"))["headers"]
        assert {"x-key", "authorization"} & heard.keys() == used


async def test_a_refusal_says_which_secret_is_missing(
    listener: WaitingListener, tmp_path: Path
) -> None:
    async def refuse(request: Request) -> Response:
        return JSONResponse({"message": "who are you?"}, status_code=401)

    path = write(tmp_path, document({"bearer": []}, {"header_key": []}))
    async with served({"/a": refuse}) as url, ready(listener, path=path, base_url=url) as source:
        raw = await use(source, "ask")
        assert raw.is_error
        assert raw.content[0] == TextContent("HTTP 401 Unauthorized: who are you?")
        assert raw.content[1].text == "it wants bearer or header_key: set auth in [openapi.api]"


@pytest.mark.parametrize(
    ("auth", "reason"),
    [
        ({"nonsense": secret()}, "auth names the security scheme 'nonsense', and the description"),
        ({"digest": secret()}, "'digest' is of a kind that is not known"),
        (
            {"header_key": ClientCredentials(client_id="a", client_secret="b")},
            "'header_key' takes no client_id and client_secret",
        ),
        (
            {"oauth": ClientCredentials(client_id="a", client_secret="b")},
            "'oauth' names no token server",
        ),
    ],
)
async def test_secrets_that_fit_no_scheme_are_refused_at_once(
    listener: WaitingListener, tmp_path: Path, auth: dict[str, Any], reason: str
) -> None:
    path = write(tmp_path, document())
    failure = await find_failure(listener, path=path, base_url="https://x.io", auth=auth)
    assert reason in failure


@pytest.mark.parametrize("given", [{"headers": {"X-A": "k3y\n"}}, {"auth": {"bearer": "k3yä"}}])
async def test_a_secret_that_no_header_can_carry_is_named_and_not_shown(
    listener: WaitingListener, tmp_path: Path, given: dict[str, Any]
) -> None:
    path = write(tmp_path, document())
    failure = await find_failure(listener, path=path, base_url="https://x.io", **given)
    assert "holds characters that no header can carry" in failure
    assert "k3y" not in failure


async def test_errors_hold_no_secret(listener: WaitingListener, tmp_path: Path) -> None:
    async def echo(request: Request) -> Response:
        return JSONResponse({"message": f"bad key {request.headers['x-key']}"}, status_code=500)

    path = write(tmp_path, document({"header_key": []}))
    auth = {"header_key": secret()}
    async with (
        served({"/a": echo}) as url,
        ready(listener, path=path, base_url=url, auth=auth) as source,
    ):
        raw = await use(source, "ask")
        assert raw.content == (TextContent("HTTP 500 Internal Server Error: bad key ***"),)
    # Nobody is there any more, and the key is in the address.
    path = write(tmp_path, document({"query_key": []}))
    auth = {"query_key": secret()}
    async with ready(listener, path=path, base_url=f"{url}/{KEY}", auth=auth) as source:
        with pytest.raises(SourceUnavailable) as gone:
            await use(source, "ask")
        assert KEY not in str(gone.value)
        assert gone.value.__cause__ is None


async def test_cookies_of_the_service_are_not_kept(
    listener: WaitingListener, tmp_path: Path
) -> None:
    async def set_cookie(request: Request) -> Response:
        answer = JSONResponse({"cookies": request.cookies})
        answer.set_cookie("session", "of-somebody")
        return answer

    path = write(tmp_path, document())
    async with (
        served({"/a": set_cookie}) as url,
        ready(listener, path=path, base_url=url) as source,
    ):
        assert told(await use(source, "ask")) == {"cookies": {}}
        assert told(await use(source, "ask")) == {"cookies": {}}


# ------------------------------------------------------------------------------------ redirects


async def test_a_redirect_within_the_service_keeps_the_secret(
    listener: WaitingListener, tmp_path: Path
) -> None:
    async def move(request: Request) -> Response:
        return RedirectResponse("/b?x=1", status_code=307)

    path = write(tmp_path, document({"query_key": []}, {"header_key": []}))
    async with (
        served({"/a": move}) as url,
        ready(listener, path=path, base_url=url, auth={"query_key": secret()}) as source,
    ):
        heard = told(await use(source, "push"))
        assert (heard["method"], heard["path"]) == ("POST", "/b")
        assert heard["params"] == [["x", "1"], ["key", "***"]]


@pytest.mark.promise("sources.openapi-secrets")
async def test_a_redirect_elsewhere_gets_no_secret(
    listener: WaitingListener, tmp_path: Path
) -> None:
    heard: list[dict[str, str]] = []

    async def listen(request: Request) -> Response:
        heard.append(dict(request.headers))
        return JSONResponse({"query": str(request.query_params)})

    async with served({"/b": listen}) as other:

        async def move(request: Request) -> Response:
            return RedirectResponse(f"{other}/b", status_code=302)

        path = write(tmp_path, document({"header_key": []}))
        async with (
            served({"/a": move}) as url,
            ready(
                listener,
                path=path,
                # Naming the other address lets it be reached at all.
                url="",
                base_url=url,
                auth={
                    "header_key": secret(),
                    "oauth": ClientCredentials(
                        client_id="a", client_secret="b", token_url=f"{other}/token"
                    ),
                },
                headers={"X-Team": "team-secret"},
            ) as source,
        ):
            assert told(await use(source, "ask")) == {"query": ""}
            (seen,) = heard
            assert not {"x-key", "x-team", "authorization", "cookie"} & seen.keys()
            # A POST that becomes a GET takes nothing along either.
            assert told(await use(source, "push")) == {"query": ""}


async def test_a_redirect_into_the_users_network_is_refused(
    listener: WaitingListener, tmp_path: Path
) -> None:
    asked: list[str] = []

    async def inside(request: Request) -> Response:
        asked.append(request.url.path)
        return JSONResponse({})

    async with served({"/b": inside}) as other:

        async def move(request: Request) -> Response:
            return RedirectResponse(f"{other}/b", status_code=302)

        path = write(tmp_path, document())
        async with served({"/a": move}) as url, ready(listener, path=path, base_url=url) as source:
            with pytest.raises(CallDenied, match="is not a public address"):
                await use(source, "ask")
    assert asked == []


@pytest.mark.parametrize(
    ("location", "status", "reason"),
    [
        ("https://example.com/b", 307, "another host, which POST requests do not follow"),
        ("file:///etc/passwd", 302, "no http or https address"),
        ("ftp://example.com/", 302, "no http or https address"),
        ("http://user:pw@example.com/", 302, "no http or https address"),
    ],
)
async def test_redirects_that_are_not_followed(
    listener: WaitingListener, tmp_path: Path, location: str, status: int, reason: str
) -> None:
    async def move(request: Request) -> Response:
        return Response(status_code=status, headers={"location": location})

    path = write(tmp_path, document())
    async with served({"/a": move}) as url, ready(listener, path=path, base_url=url) as source:
        with pytest.raises(CallDenied, match=reason):
            await use(source, "push")


async def test_redirects_end(listener: WaitingListener, tmp_path: Path) -> None:
    seen: Counter[str] = Counter()

    async def move(request: Request) -> Response:
        seen[request.url.path] += 1
        return RedirectResponse("/a", status_code=302)

    path = write(tmp_path, document())
    async with served({"/a": move}) as url, ready(listener, path=path, base_url=url) as source:
        with pytest.raises(SourceUnavailable, match="redirects more than 5 times"):
            await use(source, "ask")
    assert seen == {"/a": 6}


# --------------------------------------------------------------------------------------- tokens


class TokenServer:
    """Gives out numbered tokens."""

    def __init__(self, *, life_s: int = 3600) -> None:
        self.life_s = life_s
        self.asked: list[tuple[str, list[tuple[str, str]]]] = []
        self.withdrawn: set[str] = set()

    async def give(self, request: Request) -> Response:
        async with request.form() as form:
            pairs = [(name, str(value)) for name, value in form.multi_items()]
        self.asked.append((request.headers["authorization"], pairs))
        token = f"token-number-{len(self.asked)}"
        return JSONResponse({"access_token": token, "expires_in": self.life_s})

    async def check(self, request: Request) -> Response:
        token = request.headers["authorization"].removeprefix("Bearer ")
        if token in self.withdrawn or not token.startswith("token-number-"):
            return Response(status_code=401)
        return JSONResponse({"last": int(token.rpartition("-")[2])})

    @property
    def routes(self) -> dict[str, Any]:
        return {"/token": self.give, "/a": self.check}


def oauth(token_url: str = "") -> dict[str, Any]:
    flow = {"tokenUrl": token_url, "scopes": {"read": ""}}
    return {"type": "oauth2", "flows": {"clientCredentials": flow}}


CLIENT = ClientCredentials(client_id="me", client_secret=secret("s3cret:with colon"))


async def test_a_token_is_asked_for_once_and_again_when_it_is_refused(
    listener: WaitingListener, tmp_path: Path
) -> None:
    server = TokenServer()
    async with served(server.routes) as url:
        path = write(tmp_path, document({"client": ["read"]}, client=oauth(f"{url}/token")))
        async with ready(listener, path=path, base_url=url, auth={"client": CLIENT}) as source:
            assert told(await use(source, "ask")) == {"last": 1}
            assert told(await use(source, "ask")) == {"last": 1}
            server.withdrawn.add("token-number-1")
            assert told(await use(source, "ask")) == {"last": 2}
    authorization = "Basic bWU6czNjcmV0JTNBd2l0aCUyMGNvbG9u"
    form = [("grant_type", "client_credentials"), ("scope", "read")]
    assert server.asked == [(authorization, form)] * 2


async def test_a_token_that_runs_out_is_replaced(listener: WaitingListener, tmp_path: Path) -> None:
    server = TokenServer(life_s=0)
    async with served(server.routes) as url:
        path = write(tmp_path, document({"client": []}, client=oauth(f"{url}/token")))
        async with ready(listener, path=path, base_url=url, auth={"client": CLIENT}) as source:
            assert told(await use(source, "ask")) == {"last": 1}
            assert told(await use(source, "ask")) == {"last": 2}


async def test_a_token_server_that_refuses_is_named(
    listener: WaitingListener, tmp_path: Path
) -> None:
    async def refuse(request: Request) -> Response:
        return JSONResponse({"error": "invalid_client"}, status_code=401)

    async with served({"/token": refuse}) as url:
        path = write(tmp_path, document({"client": []}, client=oauth(f"{url}/token")))
        async with ready(listener, path=path, base_url=url, auth={"client": CLIENT}) as source:
            with pytest.raises(SourceUnavailable, match=r"gave no token: HTTP 401 .*_client"):
                await use(source, "ask")


# ---------------------------------------------------------------------- descriptions from the net


async def test_a_fetched_description_cannot_send_secrets_elsewhere(
    listener: WaitingListener,
) -> None:
    described = document({"header_key": []})
    described["servers"] = [{"url": "https://evil.example/v1"}]

    async def give(request: Request) -> Response:
        return JSONResponse(described)

    async with served({"/openapi.json": give}) as url:
        where = f"{url}/openapi.json"
        failure = await find_failure(listener, url=where, auth={"header_key": secret()})
        assert "your credentials are not sent there" in failure
        assert 'set base_url = "https://evil.example/v1"' in failure
        # Named by the user, it may have them; without any there is nothing to lose.
        async with ready(
            listener, url=where, base_url="https://evil.example/v1", auth={"header_key": secret()}
        ):
            pass
        async with ready(listener, url=where):
            pass


async def test_a_fetched_description_cannot_send_the_clients_secret_elsewhere(
    listener: WaitingListener,
) -> None:
    async def give(request: Request) -> Response:
        client = oauth("https://evil.example/token")
        return JSONResponse(document({"client": []}, client=client))

    async with served({"/openapi.json": give}) as url:
        failure = await find_failure(listener, url=f"{url}/openapi.json", auth={"client": CLIENT})
        assert "its token server https://evil.example:443" in failure
        assert "token_url" in failure


async def test_a_description_is_fetched_with_headers_and_asked_for_again(
    listener: WaitingListener,
) -> None:
    heard: list[str] = []

    async def give(request: Request) -> Response:
        heard.append(request.headers["authorization"])
        if len(heard) == 1:
            return Response(status_code=503)
        return JSONResponse(document())

    headers = {"Authorization": Secret(f"Bearer {KEY}", reference="env:KEY")}
    async with served({"/openapi.json": give}) as url:
        source = build(listener, url=f"{url}/openapi.json", headers=headers, retry_s=0.01)
        async with SourceGroup([source], listener=listener):
            await listener.wait_for("api", "ready")
            # Relative to where it came from, so also the service's own address.
            assert told(await use(source, "ask"))["headers"]["authorization"] == "***"
    states = [change.status.state for change in listener.changes]
    assert states[:3] == ["starting", "failed", "ready"]
    assert heard == [f"Bearer {KEY}"] * 2
