"""Tools that installed packages offer: found by their metadata, imported when they are named."""

import sys
from pathlib import Path

import pytest

from toolweft.core.errors import ConfigError
from toolweft.sources import find_entry_point, load_python_tools


def install(folder: Path, package: str, **offered: str) -> None:
    """What an installer leaves of a package: its metadata."""
    info = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = "".join(f"{name} = {target}\n" for name, target in offered.items())
    (info / "entry_points.txt").write_text(f"[toolweft.tools]\n{lines}[other]\nhidden = a:b\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_the_target_of_a_name_is_found_without_importing_it(site: Path) -> None:
    install(site, "acme-weather", weather="acme_weather_tools:desk [fast]", sky="acme_sky")

    assert find_entry_point("weather") == "acme_weather_tools:desk"
    assert find_entry_point("sky") == "acme_sky"
    assert find_entry_point("acme_weather:sky") == "acme_sky"
    assert "acme_sky" not in sys.modules


def test_tools_of_a_package_are_loaded_like_any_others(site: Path) -> None:
    (site / "acme_rain_tools.py").write_text(
        "class Desk:\n    def rain(self) -> int: ...\ndesk = Desk()\n"
    )
    install(site, "acme-rain", rain="acme_rain_tools:desk")

    (found,) = load_python_tools(find_entry_point("rain"))

    assert found.__name__ == "rain"


def test_a_name_that_nobody_offers_is_refused_with_those_there_are(site: Path) -> None:
    install(site, "acme-weather", weather="acme")

    for name in ("wether", "hidden", "other-package:weather"):
        with pytest.raises(ConfigError, match=f"no .* '{name}' .*'acme-weather:weather'"):
            find_entry_point(name)


def test_a_name_that_two_packages_offer_is_nobodys_until_one_is_named(site: Path) -> None:
    install(site, "acme-weather", weather="acme:weather")
    install(site, "evil-weather", weather="evil:weather")

    with pytest.raises(
        ConfigError, match=r"several .* 'acme-weather:weather', 'evil-weather:weather'"
    ):
        find_entry_point("weather")
    assert find_entry_point("acme-weather:weather") == "acme:weather"
