"""The alias for raw JSON: the one place where `Any` is allowed to enter.

Whoever receives a `Json` narrows it in the same function.
"""

from typing import Any, TypeAlias

__all__ = ("Json", "JsonObject", "JsonSchema")

# null, bool, int, float, str, list or dict with string keys, as `json.loads` returns them.
Json: TypeAlias = Any
JsonObject: TypeAlias = dict[str, Any]
JsonSchema: TypeAlias = dict[str, Any]
