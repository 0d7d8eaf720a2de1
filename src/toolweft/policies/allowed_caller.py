"""Refuses a call from a caller the tool does not admit.

The catalog decided who may call, and why; the reason holds the configuration line that would
change it.
"""

from toolweft.core.calls import ToolCall, ToolResult
from toolweft.core.errors import CallDenied
from toolweft.core.ports import Proceed
from toolweft.core.snapshot import CatalogTool

__all__ = ("AllowedCaller",)

_WHO = {"direct": "directly", "programmatic": "from a program"}


class AllowedCaller:
    """Lets a call through where its caller is among the tool's own."""

    async def __call__(self, call: ToolCall, tool: CatalogTool, proceed: Proceed) -> ToolResult:
        """Proceed, or refuse.

        Raises:
            CallDenied: with the reason the catalog gave as hint.
        """
        caller = call.caller.type
        if caller not in tool.callers:
            raise CallDenied(
                f"{tool.qualified} may not be called {_WHO[caller]}", hint=tool.callers_reason
            )
        return await proceed(call, tool)
