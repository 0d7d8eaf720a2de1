import pytest

from toolweft.cli.commands.serve import parse_address
from toolweft.cli.errors import UsageFault


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8765", "127.0.0.1", "8765"),
        ("localhost", "localhost", None),
        ("localhost:0", "localhost", "0"),
        (":9000", None, "9000"),
        ("9000", None, "9000"),
        ("[::1]:80", "::1", "80"),
        ("[::1]", "::1", None),
        ("0.0.0.0:80", "0.0.0.0", "80"),
        ("10.0.0.5", "10.0.0.5", None),
    ],
)
def test_an_address_sets_the_keys_it_names(text: str, host: str | None, port: str | None) -> None:
    given = {"http.host": host, "http.port": port}

    assert parse_address(text) == {key: value for key, value in given.items() if value is not None}


@pytest.mark.parametrize("text", ["", ":", "host:", "a:b", "::1", "host:80:90", "a b:1", "[::1]80"])
def test_anything_else_is_refused_with_the_form_to_write(text: str) -> None:
    with pytest.raises(UsageFault, match="is no address"):
        parse_address(text)
