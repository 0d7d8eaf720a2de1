"""Sizes and durations as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.config.units import parse_bytes, parse_seconds, render_bytes


@pytest.mark.parametrize(
    ("written", "size_bytes"),
    [
        (1024, 1024),
        ("1024", 1024),
        ("1 KiB", 1024),
        ("1kib", 1024),
        ("1.5 GiB", 1536 * 1024**2),
        (" 16 MB ", 16_000_000),
        ("7 B", 7),
        (2.0, 2),
    ],
)
def test_sizes_are_read_in_every_unit(written: object, size_bytes: int) -> None:
    assert parse_bytes(written) == size_bytes


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(30, 30.0), (0.5, 0.5), ("30", 30.0), ("30 s", 30.0), ("250 ms", 0.25), ("5 min", 300.0),
     ("1 h", 3600.0), ("2d", 172800.0)],
)  # fmt: skip
def test_durations_are_read_in_every_unit(written: object, seconds: float) -> None:
    assert parse_seconds(written) == pytest.approx(seconds)


@pytest.mark.parametrize("written", ["", "GiB", "1 XiB", "-1", "1 2", True, None, [1], "1e3", "٣"])
def test_everything_else_is_refused_with_the_units(written: object) -> None:
    with pytest.raises(ValueError, match="GiB"):
        parse_bytes(written)
    with pytest.raises(ValueError, match="min"):
        parse_seconds(written)


def test_half_a_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="whole number of bytes"):
        parse_bytes("1.5 B")


@given(st.integers(0, 2**70))
def test_a_rendered_size_reads_back(size_bytes: int) -> None:
    assert parse_bytes(render_bytes(size_bytes)) == size_bytes
