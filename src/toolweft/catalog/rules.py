"""Which configured rules speak of a tool.

Globs are over original names, compiled once; a later rule wins over an earlier one, field by
field, so readers look for the last rule that says something.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase, translate
from glob import escape

from toolweft.catalog.options import ToolRule
from toolweft.core.answers import Answers
from toolweft.core.ids import SourceName
from toolweft.core.snapshot import Snapshot

__all__ = ("IdleRule", "RuleBook", "SourceRules", "build_answer_rules", "find_idle_rules")

# Names beyond are not compared with one that was perhaps mistyped.
_MAX_COMPARED = 2_000


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


def build_answer_rules(answers: Answers) -> tuple[ToolRule, ...]:
    """What was answered as rules, each for one definition.

    Where nothing is known of a tool it counts as destructive, so that only the others are rules.
    """
    return tuple(
        ToolRule(
            server=escape(source),
            tool=escape(name),
            pin_hash=answer.pin_hash,
            severity=answer.severity,
            origin="your answer at first use",
        )
        for source, tools in answers.items()
        for name, answer in tools.items()
        if answer.severity != "destructive"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleRule:
    """A configured rule that speaks of no tool there is."""

    # Where it stands.
    origin: str
    # The glob that fits nothing, and the tool it was perhaps meant for; "" where none is near.
    glob: str
    nearest: str

    def __str__(self) -> str:
        """One line for people."""
        guess = f"; did you mean {self.nearest!r}?" if self.nearest else ""
        return f"{self.origin} decides about no tool: none is named {self.glob!r}{guess}"


def find_idle_rules(rules: Sequence[ToolRule], snapshot: Snapshot) -> tuple[IdleRule, ...]:
    """The rules by name or glob that no tool fits, in the order given.

    A rule that may speak of a source whose tools are not known, as it failed or is disabled, is
    left out.
    """
    idle = []
    for rule in rules:
        sources = [name for name in snapshot.sources if fnmatchcase(name, rule.server)]
        are_known = bool(sources) and all(snapshot.sources[name].is_usable for name in sources)
        if rule.tool == "*" or not are_known:
            continue
        names = [
            tool.definition.name
            for tool in snapshot.tools.values()
            if tool.definition.namespace in sources
        ]
        if not any(fnmatchcase(name, rule.tool) for name in names):
            near = get_close_matches(rule.tool, names[:_MAX_COMPARED], n=1)
            nearest = near[0] if near else ""
            idle.append(IdleRule(origin=rule.origin, glob=rule.tool, nearest=nearest))
    return tuple(idle)
