"""Values behind names of secrets are found whatever they are made of, and nothing else is."""

import json
import random
import string
import time
from collections.abc import Callable
from typing import Any

import pytest

from toolweft.config.clients.assigned import VARIABLE, assigns_secret
from toolweft.config.clients.secrets import clear_secrets

COUNT = 2_000
SIGNS = string.ascii_letters + string.digits + string.punctuation
# A value of these alone is the hardest to tell from what stands around it.
HARD = "&;,{}()[]\"'\\=:ab9 "
COMPACT = (",", ":")


def random_passwords(signs: str) -> list[str]:
    chance = random.Random(20_260)
    return ["".join(chance.choices(signs, k=12)) for _ in range(COUNT)]


def json_text(value: Any) -> str:
    return json.dumps(value, separators=COMPACT)


# Here the text ends with the value, or the value stands between quotes of JSON.
CERTAIN: dict[str, Callable[[str], Any]] = {
    "variable": lambda secret: {"args": ["run", "-e", f"DB_PASSWORD={secret}", "img"]},
    "option with variable": lambda secret: {"args": ["run", f"--env=DB_PASSWORD={secret}"]},
    "option": lambda secret: {"args": [f"--token={secret}"]},
    "first word": lambda secret: {"command": f"DB_PASSWORD={secret} node x"},
    "header": lambda secret: {"args": ["--header", f"X-Api-Key: {secret}"]},
    "header with scheme": lambda secret: {"args": ["-H", f"Authorization: Bearer {secret}"]},
    "header behind an option": lambda secret: {"args": [f"-HX-Api-Key:{secret}"]},
    "headers": lambda secret: {"headers": {"X": f"token={secret}", "Accept": "*/*"}},
    "text of env": lambda secret: {"env": {"OPTIONS": f"DB_PASSWORD={secret}"}},
    "JSON": lambda secret: {"args": ["-c", json.dumps({"a": 1, "password": secret})]},
    "JSON of an option": lambda secret: {"args": [f"-c={json_text({'a': {'apiKey': secret}})}"]},
    "JSON behind brackets": lambda secret: {"command": f"[ x ] {json_text({'key': secret})}"},
    "JSON below a name": lambda secret: {
        "command": f"[ x ] {json_text({'auth': {'user': '${U}', 'word': 'x' + secret}})}"
    },
    "JSON in JSON": lambda secret: {"args": [json.dumps(json.dumps({"secret": secret}))[1:-1]]},
}
# Here something follows that could also follow nothing.
DOUBTFUL: dict[str, Callable[[str], Any]] = {
    "word": lambda secret: {"command": f"env A=b DB_PASSWORD={secret} node x"},
    "connection": lambda secret: {"env": {"DB": f"Server=x;Password={secret};Port=1"}},
    "header in a command": lambda secret: {"args": ["-c", f'curl -H "X-Api-Key: {secret}" x']},
}


@pytest.mark.parametrize("form", [*CERTAIN, *DOUBTFUL])
def test_any_password_is_found(form: str) -> None:
    server_with = (CERTAIN | DOUBTFUL)[form]

    missed = [word for word in random_passwords(SIGNS) if not clear_secrets(server_with(word))]

    assert missed == []


@pytest.mark.parametrize("form", CERTAIN)
def test_a_password_of_signs_is_found(form: str) -> None:
    missed = [word for word in random_passwords(HARD) if not clear_secrets(CERTAIN[form](word))]

    assert missed == []


@pytest.mark.parametrize(
    "text",
    [
        *(f"DB_PASSWORD={sign}x9!kQ7z" for sign in string.punctuation),
        *(f"sh -c DB_PASSWORD={sign}x9!kQ7z run" for sign in string.punctuation),
        *(f"X-Api-Key: {sign}abc" for sign in string.punctuation),
        "Password=;a=b",
        "sh -c 'curl -H \"X-Api-Key: (abc\" x'",
        "-e DB_PASSWORD={} -e TOKEN={x",
        "TOKEN={}abc",
        "x TOKEN=[]abc y",
        "x TOKEN=''abc y",
        "--token=-abc",
        "2fa_token=abc",
        "curl -H 'Authorization: Bearer {abc' x",
        "[ x ] && y {'auth': {'word': ';abc'}}",
        r"{\"auth\": {\"word\": \"abc\"}}",
        "path/key: abc",
        "TOKEN=${A}b",
        "Authorization: Bearer ${A}b",
    ],
)
def test_a_value_is_found_whatever_it_begins_with(text: str) -> None:
    assert clear_secrets({"args": [text]}) == ["args[0]"]
    assert clear_secrets({"env": {"OPTIONS": text}}) == ["env.OPTIONS"]


@pytest.mark.parametrize(
    "text",
    [
        "Server=x;Password=${P};Port=1",
        "Server=x;Password=;Port=1",
        "Password=${P};Server=x",
        'TOKEN="${T}" npx x',
        "TOKEN=${T}&&cmd",
        "export TOKEN='${T}'; npx x",
        "x --config {'auth': {'token': '${T}', 'on': true}, 'log': 'debug'}",
        r"{\"auth\":{\"token\":\"${T}\"},\"log\":\"debug\"}",
        r"{\n  \"token\": \"${T}\",\n  \"x\": \"y\"\n}",
        '{"run": "TOKEN=${T};cmd", "then": "x --token ${T} y"}',
        '["TOKEN=","x"]',
        '["-e","TOKEN=${T}","-e","KEY=${K}"]',
        "https://e.org/?token=&x=1",
        "curl -H 'Authorization: Bearer ${T}' -H 'X-Key: ${K}' https://x",
        '--header="X-Key: ${T}"',
        "-HX-Key:${T}",
        "--token=env:T",
        "x --token=env:T y",
        'headers: { "X-Api-Key": "${K}", "Y": 1 }',
        '[ x ] && y {"token":"","my x":1}',
        '[ x ] && y {"keys":[],"x":"z"}',
        '[ x ] && y {"keys":[{"key":{}}]}',
        "docker run -v /home/me/keys:/keys ghcr.io/x/token-server:2",
        "x key:",
    ],
)
def test_a_name_without_a_value_is_no_secret(text: str) -> None:
    assert clear_secrets({"args": [text]}) == []


@pytest.mark.parametrize("text", ['x"token=" + t', f"x 'token={VARIABLE}',y"])
def test_a_quote_may_close_what_began_before_the_name(text: str) -> None:
    assert not assigns_secret(text)


@pytest.mark.parametrize(
    "piece",
    [
        *("a=", "a=a=", "key=;", "x key=", "key:{}", '"key":{', '"key":[null,', "key=[ ]"),
        *("key", "key ", "\\", "key=\\", "key=,k", "${a:-", "-key= ", "a='", "://a:", "(key=)}"),
    ],
)
def test_a_long_text_takes_no_longer_than_its_length(piece: str) -> None:
    text = (piece * 200_000)[:200_000]
    began = time.perf_counter()

    clear_secrets({"args": [text]})

    # It takes a tenth of a second; looking to the end from each piece took minutes.
    assert time.perf_counter() - began < 5
