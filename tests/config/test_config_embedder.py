"""The section of the embedder: two kinds, each whole, and no secret shown."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import pytest

from toolweft.config import Settings, explain, load_settings
from toolweft.config.search_models import EmbedderModel
from toolweft.core.errors import ConfigError
from toolweft.search.embedding.options import EmbedderOptions

KEY = "sk-nobody-may-see-this"  # pragma: allowlist secret
ENDPOINT = '[search.embedder]\nurl = "http://127.0.0.1:11434/v1"\nmodel = "all-minilm"\n'


def load(tmp_path: Path, text: str, environ: Mapping[str, str] | None = None) -> Settings:
    file = tmp_path / "project" / "toolweft.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return load_settings(config=file, environ=environ or {}, cwd=tmp_path, home=tmp_path / "home")


def embedder(
    tmp_path: Path, text: str, environ: Mapping[str, str] | None = None
) -> EmbedderOptions:
    found = load(tmp_path, text, environ).embedder
    assert found is not None
    return found


def test_every_option_of_the_embedder_has_a_key() -> None:
    keys = set(EmbedderModel.model_fields) - {"store_url", "max_stored"}
    assert keys == {field.name for field in fields(EmbedderOptions)} - {"problem"}


def test_without_the_section_there_is_none(tmp_path: Path) -> None:
    assert load(tmp_path, "").embedder is None
    assert load(tmp_path, "[search.embedder]\nweight = 0.5\n").embedder is None


def test_an_endpoint_has_its_key_from_the_environment(tmp_path: Path) -> None:
    text = f'{ENDPOINT}key = "env:MY_KEY"\nweight = 0.5\nquery_timeout = "2 s"\n'
    found = embedder(tmp_path, text, {"MY_KEY": KEY})
    assert found.url == "http://127.0.0.1:11434/v1"
    assert found.key is not None
    assert found.key.reveal() == KEY
    assert (found.weight, found.patience_s) == (0.5, 2)


def test_a_folder_counts_from_the_file_it_stands_in(tmp_path: Path) -> None:
    found = embedder(tmp_path, '[search.embedder]\npath = "models/minilm"\n')
    assert found.path == tmp_path / "project" / "models" / "minilm"
    assert found.patience_s == 5


def test_a_folder_may_stand_under_home(tmp_path: Path) -> None:
    found = embedder(tmp_path, '[search.embedder]\npath = "~/minilm"\n')
    assert found.path == tmp_path / "home" / "minilm"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f'{ENDPOINT}path = "x"\n', "both 'url' and 'path'"),
        ('[search.embedder]\nurl = "http://h/v1"\n', "no 'model'"),
        ('[search.embedder]\nmodel = "m"\n', "model belongs to an endpoint"),
        ('[search.embedder]\npath = "x"\nkey = "env:K"\n', "key belongs to an endpoint"),
        ("[search.embedder]\nweight = 1.5\n", "weight"),
        ('[search.embedder]\nmodle = "m"\n', "did you mean 'model'"),
    ],
)
def test_a_section_that_makes_no_sense_is_refused_with_its_place(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(ConfigError, match=r"toolweft\.toml:") as caught:
        load(tmp_path, text)
    assert reason in str(caught.value)


def test_a_missing_variable_stops_the_embedder_alone(tmp_path: Path) -> None:
    settings = load(tmp_path, f'{ENDPOINT}key = "env:MY_KEY"\n')
    assert settings.embedder is not None
    assert "'MY_KEY', which is not set" in settings.embedder.problem
    assert settings.embedder.problem in settings.problems


def test_an_address_that_is_none_is_not_repeated(tmp_path: Path) -> None:
    text = f'[search.embedder]\nurl = "ftp://{KEY}@h"\nmodel = "m"\n'
    found = embedder(tmp_path, text)
    assert "not an http or https address" in found.problem
    assert KEY not in found.problem


def test_what_is_shown_holds_no_key(tmp_path: Path) -> None:
    text = (
        f'[search.embedder]\nurl = "https://user:{KEY}@host/v1?key={KEY}"\nmodel = "m"\n'
        f'key = "{KEY}"\nstore_url = "postgresql://user:{KEY}@host/db"\n'
    )
    settings = load(tmp_path, text)
    assert KEY not in repr(explain(settings))
    assert KEY not in settings.embedder.name  # type: ignore[union-attr]


def test_a_later_file_that_names_another_place_does_not_get_the_key_of_the_first(
    tmp_path: Path,
) -> None:
    (tmp_path / "project").mkdir()
    base = tmp_path / "project" / "base.toml"
    base.write_text(f'{ENDPOINT}key = "env:MY_KEY"\n', encoding="utf-8")
    other = '[search.embedder]\nurl = "http://elsewhere/v1"\nmodel = "m"\n'
    found = embedder(tmp_path, f'include = ["base.toml"]\n{other}', {"MY_KEY": KEY})
    assert found.url == "http://elsewhere/v1"
    assert found.key is None


def test_vectors_are_kept_in_the_users_cache(tmp_path: Path) -> None:
    assert load(tmp_path, "").vectors.url == f"sqlite:///{tmp_path}/home/.cache/toolweft/vectors.db"
    there = load(tmp_path, "", {"XDG_CACHE_HOME": "/var/cache/me"})
    assert there.vectors.url == "sqlite:////var/cache/me/toolweft/vectors.db"
