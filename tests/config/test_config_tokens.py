"""Files that hold one bearer key."""

import os
import stat
import sys
from pathlib import Path

import pytest

from toolweft.config import load_token, make_token
from toolweft.core.errors import ConfigError

pytestmark = pytest.mark.promise("attach.token")
on_modes = pytest.mark.skipif(sys.platform == "win32", reason="has no modes")


@on_modes
def test_a_new_file_gets_a_new_key_that_only_its_owner_can_read(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = make_token(tmp_path / "a")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    assert len(made.reveal()) == 64
    assert make_token(tmp_path / "a") == load_token(tmp_path / "a") == made
    assert make_token(tmp_path / "b") != made


@on_modes
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o700 | 0o001])
def test_a_file_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    made = make_token(tmp_path / "a")
    (tmp_path / "a").chmod(mode)
    for read in (load_token, make_token):
        with pytest.raises(ConfigError, match=f"has mode {mode:04o}") as caught:
            read(tmp_path / "a")
        assert made.reveal() not in str(caught.value)


@pytest.mark.parametrize("text", ["", " \n", "é" * 20, "a\nb", "a" * 5000])
def test_a_file_without_a_key_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a"
    path.touch(mode=0o600)
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match="holds no key"):
        load_token(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'.*/a' cannot be read: No such file"):
        load_token(tmp_path / "a")
    with pytest.raises(ConfigError, match=r"'.*/no/a' cannot be written: No such file"):
        make_token(tmp_path / "no" / "a")
