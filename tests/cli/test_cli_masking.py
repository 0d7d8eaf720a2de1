import pytest

from toolweft.cli.masking import mask_urls


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql+psycopg://me:word@host/name", "postgresql+psycopg://***@host/name"),
        ("postgresql://me:wo/r?d@host:5/name", "postgresql://***@host:5/name"),
        ("GET 'https://host/mcp?key=word&b=2' 200", "GET 'https://host/mcp?***' 200"),
        ("https://word@host/a, http://b/?c", "https://***@host/a, http://b/?***"),
        ("sqlite:////var/ledger.db", "sqlite:////var/ledger.db"),
        ("mail me@host about nothing?", "mail me@host about nothing?"),
    ],
)
def test_user_and_query_of_every_address_are_hidden(text: str, masked: str) -> None:
    assert mask_urls(text) == masked
