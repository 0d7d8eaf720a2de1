"""Folders in which environments are made: held as long as their maker lives, then swept away."""

import subprocess
import sys
from pathlib import Path

import pytest

from toolweft.sandbox.environment_drafts import Draft, remove_left_drafts
from toolweft.sandbox.environments import list_environments, write_description

_HOLD = """
import sys, time
from pathlib import Path
from toolweft.sandbox.environment_drafts import Draft
draft = Draft.make(Path(sys.argv[1]), "mine")
(draft.path / "site").mkdir()
print(draft.path, flush=True)
time.sleep(60)
"""


def write_left(folder: Path, name: str = ".mine-abcd1234") -> Path:
    """What a maker that was killed leaves behind."""
    left = folder / name
    (left / "site/package").mkdir(parents=True)
    (left / "site/package/__init__.py").touch(mode=0o444)
    (left / "site/package").chmod(0o555)
    (left / "requirements.txt").touch()
    return left


def test_a_draft_whose_maker_is_gone_is_removed(tmp_path: Path) -> None:
    left = write_left(tmp_path)
    remove_left_drafts(tmp_path)
    assert not left.exists()


def test_a_draft_stays_as_long_as_its_maker_lives(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as maker:
        assert maker.stdout is not None
        draft = Path(maker.stdout.readline().strip())
        remove_left_drafts(tmp_path)
        was_there = (draft / "site").is_dir()
        maker.kill()
    remove_left_drafts(tmp_path)
    assert was_there
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["mine", ".mine", ".mine-abcd", ".git"])
def test_a_folder_that_is_named_otherwise_stays(tmp_path: Path, name: str) -> None:
    kept = write_left(tmp_path, name)
    remove_left_drafts(tmp_path)
    assert (kept / "site/package/__init__.py").exists()


def test_a_folder_that_holds_anything_else_stays(tmp_path: Path) -> None:
    kept = write_left(tmp_path)
    (kept / "letters.txt").touch()
    link = tmp_path / ".link-abcd1234"
    link.symlink_to(write_left(tmp_path, "elsewhere"))
    remove_left_drafts(tmp_path)
    assert (kept / "letters.txt").exists()
    assert (link / "site").is_dir()


def test_a_folder_that_is_missing_has_no_drafts(tmp_path: Path) -> None:
    remove_left_drafts(tmp_path / "nowhere")


def test_a_draft_that_was_moved_to_its_place_stays_there(tmp_path: Path) -> None:
    with Draft.make(tmp_path, "mine") as draft:
        draft.path.rename(tmp_path / "mine")
    assert [found.name for found in tmp_path.iterdir()] == ["mine"]


def test_a_draft_is_not_listed(tmp_path: Path) -> None:
    with Draft.make(tmp_path, "mine") as draft:
        write_description(draft.path, preload=[], packages=[], requirements=[])
        assert list_environments(tmp_path) == []
