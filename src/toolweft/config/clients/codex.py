"""Servers as Codex writes them, with the keys that the other clients use. Pure."""

from collections.abc import Mapping

from toolweft.core.json import Json, JsonObject

__all__ = ("CODEX_UNUSED", "find_codex_key", "from_codex")

_RENAMED: Mapping[str, str] = {
    "http_headers": "headers",
    "startup_timeout_sec": "start_timeout_s",
    "disabled_tools": "disabledTools",
    "enabled_tools": "enabledTools",
}
_NAMES = ("enabled_tools", "disabled_tools")
# Keys that say nothing here; `required` is whether Codex may start without the server.
CODEX_UNUSED = frozenset({"tool_timeout_sec", "startup_timeout_ms", "required"})
_SPECIAL = frozenset({"env_http_headers", "bearer_token_env_var", "env_vars", "enabled"})


def from_codex(server: JsonObject) -> JsonObject:
    """The server in the shape of an `mcp.json`.

    Raises:
        ValueError: a value has the wrong type, or comes from where only Codex finds it.
    """
    left_out = _SPECIAL | CODEX_UNUSED
    common = {_RENAMED.get(key, key): value for key, value in server.items() if key not in left_out}
    for key in _NAMES:
        if key in server and not _are_texts(server[key]):
            raise ValueError(f"its {key} is no list of names")
    headers = _texts(server, "http_headers")
    headers |= {name: f"env:{v}" for name, v in _texts(server, "env_http_headers").items()}
    token = server.get("bearer_token_env_var")
    if token:
        headers["Authorization"] = f"Bearer ${{{token}}}"
    if headers:
        common["headers"] = headers
    passed: Json = server.get("env_vars", [])
    if not _are_texts(passed):
        raise ValueError("its env_vars are not all names of variables")
    if passed:
        common["env"] = {**{name: f"env:{name}" for name in passed}, **_texts(server, "env")}
    if server.get("enabled") is False:
        common["disabled"] = True
    return common


def find_codex_key(key: str, server: JsonObject) -> str:
    """The key as the file has it, of one in the shape of an `mcp.json`."""
    return next((own for own, ours in _RENAMED.items() if ours == key and own in server), key)


def _are_texts(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _texts(server: JsonObject, key: str) -> dict[str, str]:
    table: Json = server.get(key, {})
    if not isinstance(table, dict) or not all(isinstance(text, str) for text in table.values()):
        raise ValueError(f"its {key} is no table of texts")
    return dict(table)
