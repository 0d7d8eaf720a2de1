"""What a test needs of a sandbox, as `@needs("capability")` or `@needs("limits.disk")`."""

from dataclasses import fields

import pytest

from toolweft.core.ports import SandboxCapabilities

__all__ = ("ABILITIES", "find_missing", "has", "needs")

needs = pytest.mark.needs
_LIMITS = "limits."
# Every field that says yes or no.
ABILITIES = frozenset(field.name for field in fields(SandboxCapabilities) if field.type is bool)


def has(capabilities: SandboxCapabilities, name: str) -> bool:
    """Whether a sandbox has an ability, or holds programs to a limit.

    Raises:
        AttributeError: there is no such capability.
    """
    if name.startswith(_LIMITS):
        return name.removeprefix(_LIMITS) in capabilities.limits
    return bool(getattr(capabilities, name))


def find_missing(node: pytest.Item, capabilities: SandboxCapabilities) -> list[str]:
    """What a test needs and a sandbox has not got."""
    wanted = [name for mark in node.iter_markers("needs") for name in mark.args]
    return [name for name in wanted if not has(capabilities, name)]
