"""docs/configuration.md lists every key there is, with the default it has."""

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from toolweft.config.model_models import CapabilitiesModel, ModelModel, PricesModel
from toolweft.config.models import ConfigModel, OpenApiModel, PythonModel, RuleModel, ServerModel

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"
_ROW = re.compile(r"^\| `([a-z_.]+)` \| (?:`([^`]+)`)? ?\|", re.MULTILINE)


def list_keys(model: type[BaseModel] = ConfigModel, above: str = "") -> set[str]:
    keys = set()
    for name, field in model.model_fields.items():
        section = field.annotation
        # A decision about tools is a value, documented with the sources.
        if isinstance(section, type) and issubclass(section, BaseModel) and section != RuleModel:
            keys |= list_keys(section, f"{above}{name}.")
        elif name not in {"openapi", "python", "servers"}:
            keys.add(f"{above}{name}")
    return keys


def load_rows() -> dict[str, str]:
    table = PAGE.read_text(encoding="utf-8").partition("## Every other key")[2]
    return dict(_ROW.findall(table))


def test_every_key_is_listed_once_and_no_other() -> None:
    assert set(load_rows()) == list_keys()


def test_every_listed_default_is_the_real_one() -> None:
    documented: dict[str, Any] = {}
    for key, text in load_rows().items():
        if text:
            *sections, name = key.split(".")
            place = documented
            for section in sections:
                place = place.setdefault(section, {})
            place[name] = tomllib.loads(f"value = {text}")["value"]

    assert ConfigModel.model_validate(documented) == ConfigModel()


def test_every_key_of_a_source_and_of_a_decision_is_named() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for model in (
        *(ServerModel, PythonModel, OpenApiModel, RuleModel),
        *(ModelModel, PricesModel, CapabilitiesModel),
    ):
        assert [key for key in model.model_fields if f"`{key}`" not in text] == []
