"""The JSON Schema of `toolweft.toml`, for editors. Pure but for `schema_path`.

The shipped file is this schema rendered; a test keeps the two the same.
"""

import copy
import json
from pathlib import Path

from toolweft.config.models import ConfigModel
from toolweft.config.shape import UNIT_SUFFIXES
from toolweft.core.json import Json, JsonSchema

__all__ = ("json_schema", "render_schema", "schema_path")


def json_schema() -> JsonSchema:
    """The schema of `toolweft.toml`, short names of keys included."""
    schema = ConfigModel.model_json_schema()
    for section in (schema, *schema["$defs"].values()):
        _add_short_names(section.get("properties", {}))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "toolweft.toml",
    }


def render_schema() -> str:
    """The schema as the text of the shipped file."""
    return json.dumps(json_schema(), indent=2, sort_keys=True) + "\n"


def schema_path() -> Path:
    """The schema file that ships with the package."""
    return Path(__file__).with_name("toolweft.schema.json")


def _add_short_names(properties: dict[str, Json]) -> None:
    for name in tuple(properties):
        for suffix in UNIT_SUFFIXES:
            short = name.removesuffix(suffix)
            if short not in properties:
                properties[short] = copy.deepcopy(properties[name])
                # Two keys with a default would make editors fill in both.
                properties[short].pop("default", None)
