"""The section of asks: how long they wait, under which keys, and what commands answer."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from toolweft.config import Settings, explain, load_settings
from toolweft.core.errors import ConfigError
from toolweft.gateway.options import AskOptions

KEY = "k" * 31 + "1"  # pragma: allowlist secret
OTHER = "k" * 31 + "2"  # pragma: allowlist secret


def load(tmp_path: Path, text: str, environ: Mapping[str, str] | None = None) -> Settings:
    file = tmp_path / "toolweft.toml"
    file.write_text(text, encoding="utf-8")
    return load_settings(config=file, environ=environ or {}, cwd=tmp_path, home=tmp_path / "home")


def test_without_a_section_the_defaults_hold(tmp_path: Path) -> None:
    settings = load(tmp_path, "")

    assert settings.asks == AskOptions()
    assert settings.programs.park_s == AskOptions().park_s == 600
    assert (settings.roots, settings.sampling_model) == ((), None)


def test_every_key_is_read(tmp_path: Path) -> None:
    text = """
        [asks]
        park_s = "2 min"
        max_parked = 3
        state_keys = ["env:NEW", "env:OLD"]
        roots = ["data", "~/work", "file:///srv/x"]
        sampling_model = "openai:gpt-5.6-luna"
    """
    settings = load(tmp_path, text, {"NEW": KEY, "OLD": OTHER})

    assert settings.programs.park_s == settings.asks.park_s == 120
    assert settings.asks.max_parked == 3
    assert [key.reveal() for key in settings.asks.state_keys] == [KEY, OTHER]
    assert settings.roots == (
        (tmp_path / "data").as_uri(),
        (tmp_path / "home" / "work").as_uri(),
        "file:///srv/x",
    )
    assert settings.sampling_model == "openai:gpt-5.6-luna"
    assert KEY not in str(explain(settings))


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({}, "needs the variable 'NEW', which is not set"),
        ({"NEW": "short"}, "shorter than 32 bytes"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused(
    environ: Mapping[str, str], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        load(tmp_path, '[asks]\nstate_keys = ["env:NEW"]\n', environ)

    assert "toolweft.toml" in str(caught.value)
    assert "short" not in str(caught.value).replace("shorter", "")


def test_one_key_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there twice"):
        load(tmp_path, '[asks]\nstate_keys = ["env:A", "env:B"]\n', {"A": KEY, "B": KEY})
