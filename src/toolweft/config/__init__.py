"""Configuration: the only reader of files and environment.

`load_settings` turns files, environment and flags into the options classes of the other folders,
and remembers where every value came from. Called by `bootstrap` and the command line alone.
"""

from toolweft.config.environment import read_environment, read_home
from toolweft.config.explain import explain
from toolweft.config.load import load_settings
from toolweft.config.lookup import lookup_paths
from toolweft.config.schema import json_schema, schema_path
from toolweft.config.settings import BrokenServer, PythonSourceOptions, Settings, SettingValue
from toolweft.config.tokens import load_token, make_token
from toolweft.gateway.keys import hash_key

__all__ = (
    "BrokenServer",
    "PythonSourceOptions",
    "SettingValue",
    "Settings",
    "explain",
    "hash_key",
    "json_schema",
    "load_settings",
    "load_token",
    "lookup_paths",
    "make_token",
    "read_environment",
    "read_home",
    "schema_path",
)
