"""The section of the models: roles, bounds, and what holds for one model; no secret shown."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import pytest

from toolweft.config import Settings, explain, load_settings
from toolweft.config.model_models import CapabilitiesModel, ModelModel, ModelsModel, PricesModel
from toolweft.core.errors import ConfigError
from toolweft.core.models import TokenPrices
from toolweft.core.providers import ModelCapabilities
from toolweft.providers.options import ModelOptions

KEY = "sk-nobody-may-see-this"  # pragma: allowlist secret


def load(
    tmp_path: Path, text: str, environ: Mapping[str, str] | None = None, **overrides: str
) -> Settings:
    file = tmp_path / "toolweft.toml"
    file.write_text(text, encoding="utf-8")
    return load_settings(config=file, environ=environ or {}, cwd=tmp_path, home=tmp_path / "home")


def test_every_option_of_a_model_has_a_key() -> None:
    options = {field.name for field in fields(ModelOptions)} - {"origin", "problem", "hint"}
    assert set(ModelModel.model_fields) == options
    assert set(PricesModel.model_fields) == {field.name for field in fields(TokenPrices)}
    capabilities = {field.name for field in fields(ModelCapabilities)}
    assert set(CapabilitiesModel.model_fields) == capabilities


def test_roles_and_bounds_are_read(tmp_path: Path) -> None:
    text = '[models]\nplanner = "a:b"\nworkers = ["c:d", "e:f"]\nmax_cost = 0.5\nmax_turns = 3\n'
    settings = load(tmp_path, f'{text}native = "auto"\n')
    assert settings.agent.planners == ("a:b",)
    assert settings.agent.workers == ("c:d", "e:f")
    assert (settings.agent.max_cost_usd, settings.agent.max_turns) == (0.5, 3)
    assert settings.models.native == "auto"


def test_a_model_has_a_table_of_its_own(tmp_path: Path) -> None:
    text = """
        [models."openai_chat:phi4.1"]
        base_url = "http://${HOST}/v1"
        key = "env:MY_KEY"
        timeout = "5 s"
        headers = {X-Tenant = "env:TENANT"}
        prices = {input = 2, output = 8, cache_read = 0.5}
        capabilities = {takes_images = true}
    """
    environ = {"HOST": "127.0.0.1:9", "MY_KEY": KEY, "TENANT": "acme"}
    model = load(tmp_path, text, environ).models.by_name["openai_chat:phi4.1"]
    assert model.base_url == "http://127.0.0.1:9/v1"
    assert model.key is not None
    assert model.key.reveal() == KEY
    assert model.headers["X-Tenant"].reveal() == "acme"
    assert model.prices == TokenPrices(input=2, output=8, cache_read=0.5, cache_write=2)
    assert (model.timeout_s, dict(model.capabilities)) == (5, {"takes_images": True})
    assert model.origin == "toolweft.toml:2"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "plannr = 'a:b'",
            "toolweft.toml:2: unknown key 'models.plannr' (did you mean 'planner'",
        ),
        ("[models.foo]\nbase_url = 'x'", "unknown key 'models.foo'"),
        (
            "[models.'a:b']\nbase_ur = 'x'",
            "'models.a:b.base_ur' (did you mean 'base_url'",
        ),
        ("max_cost = true", "models.max_cost_usd is True"),
        ("max_cost = 0", "models.max_cost_usd is 0"),
        ("native = 'yes'", "models.native is 'yes'"),
        ("[models.'a:b']\nprices = {input = 1}", "'models.a:b.prices.output' is missing"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f"[models]\n{text}\n")
    assert reason in str(caught.value)


def test_a_missing_variable_is_told_of_the_one_model(tmp_path: Path) -> None:
    settings = load(tmp_path, '[models."openai:x"]\nkey = "env:NOT_SET"\n')
    model = settings.models.by_name["openai:x"]
    assert model.problem == "the variable 'NOT_SET' is not set"
    assert "export NOT_SET" in model.hint


def test_secrets_are_not_explained(tmp_path: Path) -> None:
    text = f'[models."a:b"]\nkey = "{KEY}"\nheaders = {{X-Key = "{KEY}"}}\nbase_url = "http://h"\n'
    shown = {key: value for key, value, _ in explain(load(tmp_path, text))}
    assert shown["models.a:b.key"] == "***"
    assert shown["models.a:b.headers.X-Key"] == "***"
    assert shown["models.a:b.base_url"] == "http://h"
    assert set(ModelsModel.model_fields) <= {key.removeprefix("models.") for key in shown}
    assert KEY not in repr(load(tmp_path, text))


def test_another_address_does_not_get_an_earlier_key(tmp_path: Path) -> None:
    (tmp_path / "first.toml").write_text(
        f'[models."a:b"]\nkey = "{KEY}"\nheaders = {{X = "{KEY}"}}\neffort = "low"\n'
        f'[models."c:d"]\nkey = "{KEY}"\n',
        encoding="utf-8",
    )
    settings = load(tmp_path, 'include = ["first.toml"]\n[models."a:b"]\nbase_url = "http://h"\n')
    model = settings.models.by_name["a:b"]
    assert (model.key, dict(model.headers), model.effort) == (None, {}, "low")
    assert settings.models.by_name["c:d"].key is not None
