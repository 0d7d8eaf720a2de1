"""`toolweft call` with awkward parameter names and with results that are bytes."""

import base64
import json

import pytest
from tests.cli.fixtures.travel import PIXEL
from tests.cli.shell import FIXTURES, Shell


@pytest.fixture
def travel(bare: Shell) -> Shell:
    bare.write("toolweft.toml", f"[python.travel]\ntarget = {str(FIXTURES / 'travel.py')!r}\n")
    return bare


@pytest.mark.parametrize(
    "arguments",
    [
        ("from_=Oslo", "to_city=Bergen"),
        ("from=Oslo", "to-city=Bergen"),
        ('from_:="Oslo"', "--args", '{"to_city": "Bergen"}'),
    ],
    ids=["as shown", "original", "mixed"],
)
def test_parameters_are_known_by_the_names_that_show_prints(
    travel: Shell, arguments: tuple[str, ...]
) -> None:
    assert "from_" in travel("show", "book").out
    assert travel("call", "book", *arguments).out == "Oslo to Bergen\n"


def test_an_image_is_named_with_the_option_that_writes_it(travel: Shell) -> None:
    assert travel("call", "draw_map").out == "[image/png, 10 bytes; --output FILE writes them]\n"


def test_an_image_is_written_to_the_file_asked_for(travel: Shell) -> None:
    ended = travel("call", "draw_map", "--output", "map.png")

    assert (ended.code, ended.out) == (0, "[image/png, 10 bytes, in map.png]\n")
    assert (travel.folder / "map.png").read_bytes() == PIXEL


def test_several_blobs_get_numbers(travel: Shell) -> None:
    ended = travel("call", "draw_maps", "-o", "map.png", "--json")

    assert ended.json["files"] == ["map-1.png", "map-2.png"]
    assert (travel.folder / "map-1.png").read_bytes() == PIXEL
    assert (travel.folder / "map-2.png").read_bytes() == PIXEL[::-1]
    assert "base64" not in ended.out


def test_json_holds_small_blobs_in_base64_and_of_large_ones_the_size(travel: Shell) -> None:
    small = travel("call", "draw_maps", "--json").json["value"]
    large = travel("call", "scan", "--json").json["value"]

    assert small[0] == "two"
    assert base64.b64decode(small[1]["base64"]) == PIXEL
    assert large == {"media_type": "application/octet-stream", "size_bytes": 1024 * 1024 + 1}


def test_an_image_beside_a_value_is_not_lost(travel: Shell) -> None:
    value, image = travel("call", "measure").out.rsplit("[", 1)

    assert json.loads(value) == {"km": 7}
    assert image.startswith("image/png, 10 bytes")
    travel("call", "measure", "-o", "way.png")
    assert (travel.folder / "way.png").read_bytes() == PIXEL


def test_a_result_without_bytes_writes_nothing_and_says_so(travel: Shell) -> None:
    ended = travel("call", "book", "from=A", "to-city=B", "-o", "out.bin")

    assert (ended.code, ended.out) == (1, "A to B\n")
    assert "holds no bytes" in ended.err
    assert not (travel.folder / "out.bin").exists()


def test_a_file_that_cannot_be_written_is_named(travel: Shell) -> None:
    ended = travel("call", "draw_map", "-o", "no/such/folder.png")

    assert ended.code == 2
    assert "'no/such/folder.png' cannot be written" in ended.err
