import tomllib
from pathlib import Path

import pytest

from toolweft.cli.demo.servers import (
    SERVERS,
    find_repository,
    find_server_folder,
    make_repository,
    render_config,
)
from toolweft.cli.errors import UsageFault


def install(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for server in SERVERS:
        (folder / server).write_text("")
    return folder


def test_servers_are_found_beside_the_nearest_place_that_has_them(tmp_path: Path) -> None:
    expected = install(tmp_path / "far" / ".venv-demo" / "bin")

    assert find_server_folder(None, places=[tmp_path / "near", tmp_path / "far"]) == expected


def test_missing_servers_name_the_place_and_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match="mcp-server-git and mcp-server-time") as caught:
        find_server_folder(tmp_path, places=[])

    assert str(tmp_path) in caught.value.message
    assert "pip install mcp-server-git mcp-server-time" in (caught.value.hint or "")


def test_the_configuration_is_toml_whatever_the_paths_are_called(tmp_path: Path) -> None:
    folder = Path('/a "b"\\c')

    config = tomllib.loads(render_config(servers=folder, repository=folder, ledger=folder))

    assert config["servers"]["git"]["args"] == ["--repository", str(folder)]
    assert config["ledger"]["url"] == f"sqlite:///{folder}"


async def test_a_made_repository_has_a_history_and_is_found(tmp_path: Path) -> None:
    repository = await make_repository(tmp_path / "repository")

    assert await find_repository([tmp_path, repository]) == repository
    assert await find_repository([tmp_path]) is None


async def test_a_repository_without_history_is_of_no_use(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()

    assert await find_repository([tmp_path]) is None
