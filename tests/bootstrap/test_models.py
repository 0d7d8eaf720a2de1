"""A model from its name, or an error that says what to write instead."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from toolweft.bootstrap.models import VENDORS, open_model
from toolweft.config import Settings, load_settings
from toolweft.core.errors import ConfigError
from toolweft.core.messages import AssistantMessage, ModelReply
from toolweft.core.models import TokenUsage
from toolweft.providers.scripted import render_transcript

KEYS = {
    "ANTHROPIC_API_KEY": "a",
    "ANTHROPIC_FOUNDRY_API_KEY": "f",
    "OPENAI_API_KEY": "o",
    "AZURE_OPENAI_API_KEY": "z",
    "OPENROUTER_API_KEY": "r",
    "GEMINI_API_KEY": "g",
}
ADDRESSES = "".join(
    f'[models."{vendor}:{model}"]\nbase_url = "http://127.0.0.1:9/v1"\n'
    for vendor, model in (("azure", "mine"), ("foundry", "mine"), ("openai_chat", "mine"))
)


def load(tmp_path: Path, text: str, environ: Mapping[str, str] | None = None) -> Settings:
    file = tmp_path / "toolweft.toml"
    file.write_text(text, encoding="utf-8")
    return load_settings(config=file, environ=environ or {}, cwd=tmp_path, home=tmp_path)


@pytest.mark.parametrize("vendor", [vendor for vendor in VENDORS if vendor != "scripted"])
def test_every_vendor_is_opened_by_its_name(vendor: str, tmp_path: Path) -> None:
    settings = load(tmp_path, ADDRESSES)
    model = open_model(f"{vendor}:mine", settings, environment=KEYS)
    shown = {"gemini_interactions": "gemini", "openai_chat": "127.0.0.1:9"}.get(vendor, vendor)
    assert model.name == f"{shown}:mine"


async def test_a_transcript_is_a_model(tmp_path: Path) -> None:
    reply = ModelReply(
        message=AssistantMessage(text="Done."), stop="end_turn", usage=TokenUsage(), model="m"
    )
    path = tmp_path / "answers.json"
    path.write_text(render_transcript([reply]), encoding="utf-8")
    assert open_model(f"scripted:{path}").name == f"scripted:{path}"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("antropic:claude-opus-5-5", "did you mean 'anthropic'?"),
        ("claude-opus-5-5", "there is no vendor 'claude-opus-5-5'"),
        ("anthropic:", "names a vendor and no model"),
        ("openai", "names a vendor and no model"),
        ("openai:claude-opus-5-5", 'write "anthropic:claude-opus-5-5"'),
        ("anthropic:gpt-5.6-sol", 'write "openai:gpt-5.6-sol"'),
        ("anthropic:claude-opus-5-5", "there is no key in ANTHROPIC_API_KEY"),
        ("openrouter:x", "there is no key in OPENROUTER_API_KEY"),
        ("openai_chat:x", "needs its base_url"),
        ("scripted:nowhere.json", "'nowhere.json' cannot be read"),
    ],
)
def test_a_model_that_cannot_be_had_is_told(name: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_model(name, environment={})
    assert reason in str(caught.value)
    assert name.partition(":")[2] in str(caught.value)


def test_options_of_a_model_reach_it(tmp_path: Path) -> None:
    text = """
        [models."openai_chat:phi4"]
        base_url = "http://127.0.0.1:9/v1"
        prices = {input = 1, output = 2}
        capabilities = {takes_images = true, context_tokens = 8000}
    """
    model = open_model("openai_chat:phi4", load(tmp_path, text), environment={})
    assert model.prices is not None
    assert model.prices.output == 2
    assert model.capabilities.takes_images
    assert model.capabilities.context_tokens == 8000
    # What was not said stays as the table has it.
    assert model.capabilities.has_structured_output


def test_native_forms_are_off_unless_wanted(tmp_path: Path) -> None:
    name = "anthropic:claude-opus-5-5"
    off = open_model(name, load(tmp_path, ""), environment=KEYS)
    on = open_model(name, load(tmp_path, '[models]\nnative = "on"\n'), environment=KEYS)
    one = f'[models]\nnative = "on"\n[models."{name}"]\nnative = "off"\n'
    assert not off.capabilities.has_deferral
    assert on.capabilities.has_deferral
    assert not open_model(name, load(tmp_path, one), environment=KEYS).capabilities.has_deferral


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[models."openai:x"]\nkey = "env:NO"\n', "toolweft.toml:1: openai:x: the variable 'NO'"),
        ('[models."openai:x"]\nheaders = {A = "b"}\n', "models of this vendor have no 'headers'"),
        ('[models."openai:x"]\napi_version = "v1"\n', "toolweft.toml:1: openai:x: models of this"),
    ],
)
def test_an_option_that_cannot_be_used_is_told_with_its_place(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        open_model("openai:x", load(tmp_path, text), environment=KEYS)
    assert reason in str(caught.value)


@pytest.mark.parametrize("vendor", ["azure", "foundry"])
def test_a_deployment_without_an_address_is_told(vendor: str) -> None:
    with pytest.raises(ConfigError, match="needs its base_url"):
        open_model(f"{vendor}:x", environment=KEYS)
