"""Which configured rules speak of a tool.

Globs are over original names, compiled once; a later rule wins over an earlier one, field by
field, so readers look for the last rule that says something.
"""

import re
from collections.abc import Sequence
from fnmatch import translate

from toolweft.catalog.options import ToolRule
from toolweft.core.ids import SourceName

__all__ = ("RuleBook", "SourceRules")


class SourceRules:
    """The rules that can speak of the tools of one source."""

    def __init__(self, rules: Sequence[tuple[re.Pattern[str], ToolRule]]) -> None:
        self._rules = rules

    def of(self, tool: str) -> tuple[ToolRule, ...]:
        """The rules for one tool, the strongest first."""
        return tuple(rule for pattern, rule in self._rules if pattern.match(tool))


class RuleBook:
    """All rules, ready to be asked."""

    def __init__(self, rules: Sequence[ToolRule]) -> None:
        self._rules = [
            (re.compile(translate(rule.server)), re.compile(translate(rule.tool)), rule)
            for rule in reversed(rules)
        ]

    def for_source(self, name: SourceName) -> SourceRules:
        """The rules whose server glob fits."""
        return SourceRules(
            [(tool, rule) for server, tool, rule in self._rules if server.match(name)]
        )
