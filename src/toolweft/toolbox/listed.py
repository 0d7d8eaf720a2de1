"""Which tool a model means that names one beside the four. Pure."""

from difflib import get_close_matches

from toolweft.core.errors import ToolGone, ToolNotFound
from toolweft.core.snapshot import Snapshot
from toolweft.toolbox.surface import TOOL_NAMES, is_listed

__all__ = ("find_listed",)


def find_listed(name: str, snapshot: Snapshot) -> str:
    """The full name of a listed tool.

    Raises:
        ToolGone: there was one, and its source took it away.
        ToolNotFound: no such tool is listed; the hint says how to reach it all the same.
    """
    meant = snapshot.find(name)
    if meant is not None and is_listed(meant) and meant.wire_name == name:
        return meant.qualified
    if meant is not None:
        hint = f"call it with call_tool(name={meant.qualified!r}, arguments={{…}})"
    else:
        near = [
            *get_close_matches(name, TOOL_NAMES, 1),
            *snapshot.near_names(_full(name, snapshot)),
        ]
        hint = f"did you mean {', '.join(near)}? " if near else ""
        hint += "search_tools finds tools by what they do"
        if name in snapshot.gone:
            raise ToolGone(str(snapshot.gone[name]), hint=hint)
    raise ToolNotFound(f"no tool named {name[:200]!r} is listed here", hint=hint)


def _full(name: str, snapshot: Snapshot) -> str:
    """A name written nearly like those of listed tools, `source-tool`, as `source.tool`."""
    for source in snapshot.sources.values():
        start = source.python_name
        if name.startswith((f"{start}-", f"{start}_")):
            return f"{start}.{name[len(start) + 1 :]}"
    return name
