"""Shapes that only credentials have."""

import pytest

from toolweft.catalog.credentials import find_credential


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("use sk-" + "ant-" + "x1" * 12, "an API key"),
        ("AI" + "za" + "b" * 35, "an API key"),
        ("gh" + "p_" + "a1" * 18, "an access token"),
        ("xox" + "b-12345-abcdef", "an access token"),
        ("AKIA" + "A" * 16, "an AWS key"),
        ("ey" + "J" + "a" * 20 + ".ey" + "J" + "b" * 20 + ".c", "a JSON web token"),
        ("-----BEGIN RSA " + "PRIVATE KEY-----", "a private key"),
        ("Authorization: Bearer " + "q" * 20, "an authorization header"),
        ("postgresql://me:" + "pass@db/x", "a password in an address"),
    ],
)
def test_a_credential_is_known_by_its_shape(text: str, kind: str) -> None:
    assert find_credential(text) == kind


@pytest.mark.parametrize(
    "text",
    [
        "",
        "task-management-for-distributed-teams",
        "https://example.com:8080/path",
        "mail ada@example.com",
        "the bearer of good news",
        "0f343b0931126a20f133d67c2b018a3b",
        "basic support",
    ],
)
def test_ordinary_text_is_none(text: str) -> None:
    assert find_credential(text) == ""
