"""What `toolweft tools --lint-examples` prints. Pure: from findings to text and plain JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from toolweft.catalog import ExampleFinding
from toolweft.core.json import JsonObject

__all__ = ("ExampleReport", "render_report", "render_totals")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleReport:
    """The examples of some tools, judged."""

    tools: int
    # Of them all, those that are shown.
    examples: int
    findings: tuple[ExampleFinding, ...]
    # Sources whose tools could not be looked at.
    not_ready: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Whether there was nothing to mend, and everything was looked at."""
        return not self.findings and not self.not_ready

    def to_dict(self) -> JsonObject:
        """All of it as plain JSON."""
        return {
            "ok": self.is_clean,
            "tools": self.tools,
            "examples": self.examples,
            "not_ready": list(self.not_ready),
            "findings": [
                {
                    "tool": finding.tool,
                    "rule": finding.rule,
                    "path": finding.path,
                    "reason": finding.reason,
                    "hint": finding.hint,
                }
                for finding in self.findings
            ],
        }


def render_report(findings: Sequence[ExampleFinding]) -> str:
    """The findings under their tools: place, why, and what to do."""
    lines: list[str] = []
    for tool, found in groupby(findings, key=lambda finding: finding.tool):
        lines.append(tool)
        for finding in found:
            lines.append(f"  {finding.rule}  {finding.path}: {finding.reason}")
            lines.append(f"    next: {finding.hint}")
    return "\n".join(lines)


def render_totals(report: ExampleReport) -> str:
    """The figures in one line."""
    findings = len(report.findings)
    line = f"tools: {report.tools}, examples: {report.examples}, findings: {findings}"
    if report.not_ready:
        line += f"; not looked at, as not ready: {', '.join(report.not_ready)}"
    return line
