"""Sections of OpenAPI sources: what becomes of them, and what is said of those that cannot be."""

import pytest
from tests.config.desk import Desk

from toolweft.config import Settings
from toolweft.core.errors import ConfigError
from toolweft.core.secret import Secret
from toolweft.sources import ClientCredentials

WHOLE = """
[openapi.pets]
path = "spec/pets.yaml"
base_url = "http://localhost:8000/v1"
headers = {X-Team = "env:TEAM"}
include = ["GET *"]
exclude = ["*_old"]
timeout = "5 s"
start_timeout = "1 min"
max_response_bytes = "1 MiB"
[openapi.pets.auth]
api_key = "env:PETS_KEY"
[openapi.pets.auth.oauth]
client_id = "me"
client_secret = "env:PETS_SECRET"
token_url = "https://id.example/token"
scopes = ["read"]
[openapi.pets.configs."delete*"]
enabled = false
"""
ENVIRON = {"TEAM": "blue", "PETS_KEY": "k3y-4711", "PETS_SECRET": "s3cret-4711"}


def load(desk: Desk, text: str, **environ: str) -> Settings:
    desk.write("conf/toolweft.toml", text)
    return desk.load("conf/toolweft.toml", environ=environ)


def test_a_section_becomes_options(desk: Desk) -> None:
    settings = load(desk, WHOLE, **ENVIRON)
    (pets,) = settings.openapi_sources
    assert pets.path == desk.cwd / "conf" / "spec" / "pets.yaml"
    assert (pets.name, pets.url, pets.base_url) == ("pets", "", "http://localhost:8000/v1")
    assert (pets.include, pets.exclude) == (("GET *",), ("*_old",))
    assert (pets.timeout_s, pets.start_timeout_s, pets.max_response_bytes) == (5, 60, 2**20)
    assert pets.headers == {"X-Team": Secret("blue", reference="env:TEAM")}
    assert pets.auth == {
        "api_key": Secret("k3y-4711", reference="env:PETS_KEY"),
        "oauth": ClientCredentials(
            client_id=Secret("me", reference="configuration"),
            client_secret=Secret("s3cret-4711", reference="env:PETS_SECRET"),
            token_url="https://id.example/token",
            scopes=("read",),
        ),
    }
    (rule,) = settings.catalog.rules
    assert (rule.server, rule.tool, rule.enabled) == ("pets", "delete*", False)
    assert settings.start_wait_s == 65


def test_nothing_that_is_shown_holds_a_secret(desk: Desk) -> None:
    text = WHOLE.replace('"env:PETS_KEY"', '"written-4711"').replace(
        '"env:PETS_SECRET"', '"${PETS_SECRET}-4711"'
    )
    settings = load(desk, text, **ENVIRON)
    shown = {value.key: value.value for value in settings.values}
    assert shown["openapi.pets.auth.api_key"] == "***"
    assert shown["openapi.pets.auth.oauth.client_secret"] == "***"
    assert shown["openapi.pets.headers.X-Team"] == "env:TEAM"
    assert "4711" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "environ", "reason"),
    [
        ('url = "https://x.io/${V}"', {}, "openapi.a.url needs the variable 'V'"),
        (
            'url = "https://x.io/a"\nauth = {key = "env:K"}',
            {},
            "openapi.a.auth.key needs the variable 'K'",
        ),
        (
            'url = "https://x.io/a"\nauth.o = {client_id = "i", client_secret = "env:S"}',
            {},
            "openapi.a.auth.o.client_secret needs the variable 'S'",
        ),
        ('url = "file:///etc/passwd"', {}, "openapi.a.url is not an http or https address"),
        (
            'path = "a.yaml"\nbase_url = "/v1"',
            {},
            "openapi.a.base_url is not an http or https address",
        ),
        (
            'path = "a.yaml"\nbase_url = "https://x.io/?key=k3y"',
            {},
            "openapi.a.base_url holds a user, a query or a fragment",
        ),
        ('url = "https://u:pw@x.io/a"', {}, "openapi.a.url holds a user, a query or a fragment"),
    ],
)
def test_what_cannot_be_used_stands_alone(
    desk: Desk, text: str, environ: dict[str, str], reason: str
) -> None:
    sound = '[openapi.b]\npath = "b.yaml"\n'
    settings = load(desk, f"{sound}[openapi.a]\n{text}\n", **environ)
    (broken,) = settings.broken_servers
    assert broken.name == "a"
    assert reason in broken.reason
    assert "k3y" not in broken.reason
    assert [source.name for source in settings.openapi_sources] == ["b"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[openapi.a]\n", "toolweft.toml:1: openapi.a has neither 'url' nor 'path'"),
        ('[openapi.a]\nurl = "https://x.io"\npath = "a"', "openapi.a has both 'url' and 'path'"),
        ('[openapi.a]\npath = "a"\nbaseurl = "b"', "did you mean 'base_url'"),
        (
            '[servers.a]\ncommand = "x"\n[openapi.a]\npath = "a"',
            "'a' is a server and an OpenAPI source",
        ),
        (
            '[python.a]\ntarget = "x"\n[openapi.a]\npath = "a"',
            "'a' is a Python source and an OpenAPI source",
        ),
        ('[openapi.a]\npath = "a"\ntimeout_s = 0', "openapi.a.timeout_s is 0"),
    ],
)
def test_a_section_that_makes_no_sense_is_refused(desk: Desk, text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as failure:
        load(desk, text)
    assert reason in str(failure.value)


def test_a_disabled_source_is_left_out(desk: Desk) -> None:
    settings = load(desk, '[openapi.a]\npath = "a"\ndisabled = true\nheaders = {a = "env:NO"}')
    assert (settings.openapi_sources, settings.broken_servers) == ((), ())


def test_a_file_that_says_anew_where_a_service_is_gets_no_credentials_of_another(
    desk: Desk,
) -> None:
    desk.write("ours.toml", '[openapi.a]\npath = "a"\nauth = {key = "k3y-4711"}\n')
    settings = load(
        desk, 'include = ["../ours.toml"]\n[openapi.a]\nurl = "https://evil.example/a"\n'
    )
    (source,) = settings.openapi_sources
    assert (source.path, source.auth) == (None, {})
    assert any("OpenAPI source 'a' replaces" in problem for problem in settings.problems)
