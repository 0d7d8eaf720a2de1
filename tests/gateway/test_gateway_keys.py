"""Bearer keys and the headers that are accepted."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.calls import Principal
from toolweft.core.errors import ConfigError
from toolweft.gateway.headers import HeaderRules, check_exposure, is_loopback
from toolweft.gateway.keys import KeyRing, hash_key
from toolweft.gateway.options import ApiKey, HttpOptions

ANNA = ApiKey(id="k1", sha256=hash_key("anna's key"), tenant="blue", user="anna")
BEN = ApiKey(id="k2", sha256=hash_key("ben's key"), tenant="red", user="ben")


def test_a_key_finds_its_principal() -> None:
    ring = KeyRing([ANNA, BEN])

    assert ring.find("anna's key") == Principal("blue", "anna", "k1")
    assert ring.find("ben's key") == Principal("red", "ben", "k2")


@given(st.text())
def test_no_other_key_finds_anyone(key: str) -> None:
    assert KeyRing([ANNA, BEN]).find(key) is None
    assert KeyRing([ANNA]).find(ANNA.sha256) is None


def test_an_empty_ring_says_so() -> None:
    assert KeyRing([]).is_empty
    assert not KeyRing([ANNA]).is_empty


def test_the_hash_is_what_sha256sum_prints() -> None:
    assert hash_key("abc") == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "LocalHost", "::1"])
def test_loopback_addresses_need_no_key(host: str) -> None:
    assert is_loopback(host)
    check_exposure(HttpOptions(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "", "example.com", "::2"])
def test_other_addresses_are_refused_without_a_key(host: str) -> None:
    with pytest.raises(ConfigError, match=r"http\.host is .* there is no key") as failure:
        check_exposure(HttpOptions(host=host))

    assert "[[http.keys]]" in str(failure.value)
    check_exposure(HttpOptions(host=host, keys=(ANNA,)))


def test_without_isolation_no_key_opens_an_address_to_others() -> None:
    with pytest.raises(ConfigError, match=r"sandbox\.tier is 'unsafe'"):
        check_exposure(HttpOptions(host="0.0.0.0", keys=(ANNA,)), is_isolated=False)

    check_exposure(HttpOptions(), is_isolated=False)


@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        ("127.0.0.1:8765", True),
        ("127.0.0.1", True),
        ("localhost:9999", True),
        ("LOCALHOST:8765", True),
        ("[::1]:8765", True),
        ("evil.example", False),
        ("localhost.evil.example:8765", False),
        ("127.0.0.1.evil.example", False),
        ("localhost:8765:1", False),
        ("localhost:x", False),
        ("localhost:99999", False),
        ("localhost:8765/evil", False),
        ("evil@localhost:8765", False),
        ("[::1", False),
        ("", False),
        ("tools.example:443", True),
        ("tools.example:80", False),
        ("tools.example", False),
        ("any.example:1", True),
        ("any.example", True),
    ],
)
def test_only_our_own_names_are_accepted(host: str, is_allowed: bool) -> None:
    rules = HeaderRules(HttpOptions(allowed_hosts=("tools.example:443", "any.example:*")))

    assert rules.allows_host(host) is is_allowed


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        ("http://localhost:3000", True),
        ("https://127.0.0.1", True),
        ("http://[::1]:5", True),
        ("null", False),
        ("", False),
        ("http://evil.example", False),
        ("https://app.example", True),
        ("http://app.example", False),
        ("https://app.example:444", False),
        ("https://localhost.evil.example", False),
        ("file://", False),
    ],
)
def test_only_allowed_pages_may_use_the_server(origin: str, is_allowed: bool) -> None:
    rules = HeaderRules(HttpOptions(allowed_origins=("https://app.example",)))

    assert rules.allows_origin(origin) is is_allowed


def test_a_public_server_takes_no_loopback_pages() -> None:
    rules = HeaderRules(HttpOptions(host="192.168.1.5", keys=(ANNA,)))

    assert not rules.allows_origin("http://localhost:3000")
    assert rules.allows_host("192.168.1.5:8765")
    assert not rules.allows_host("192.168.1.6:8765")


def test_an_ipv6_address_is_a_name_of_its_own() -> None:
    assert HeaderRules(HttpOptions(host="fd00::5")).allows_host("[fd00::5]:8765")


@given(st.text())
def test_no_header_makes_the_rules_fail(text: str) -> None:
    rules = HeaderRules(HttpOptions(allowed_hosts=("a:*",), allowed_origins=("http://a:*",)))

    assert rules.allows_host(text) in {True, False}
    assert rules.allows_origin(text) in {True, False}
