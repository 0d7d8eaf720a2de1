"""Why a tool was found, or was not, as short text. Pure: data to text."""

from toolweft.core.search import Placement, SearchHit

__all__ = ("render_hit", "render_placement")


def render_hit(hit: SearchHit) -> str:
    """One line of why a tool was found: score, its parts, fields, confidence."""
    times = f"{hit.uses:,} earlier use{'' if hit.uses == 1 else 's'}"
    used = f"; raised by {times} for like queries" if hit.uses else ""
    parts = ", ".join(f"{name} {part:.2f}" for name, part in hit.parts.items())
    score = f"{hit.score:.2f}: {parts}" if parts else f"{hit.score:.2f}"
    matched = f"; matched {', '.join(hit.matched)}" if hit.matched else ""
    weak = " (weak)" if hit.is_weak else ""
    return f"# {score}{matched}; confidence {hit.confidence:.2f}{weak}{used}"


def render_placement(placement: Placement) -> str:
    """Where a tool stands, then the words of the query, the reasons, and what to change."""
    place = "is not found" if placement.rank is None else f"stands at {placement.rank:,}"
    lines = [f"{placement.tool} {place}, of {placement.count:,} tools"]
    if placement.hit is not None:
        lines.append(f"  {render_hit(placement.hit)[2:]}")
    first = placement.first
    if first is not None and first.qualified != placement.tool:
        lines.append(f"first is {first.qualified}")
        lines.append(f"  {render_hit(first)[2:]}")
    for word in placement.words:
        stands = ", ".join(word.fields) or (f"not, but {word.near!r}" if word.near else "not")
        tools = "tool" if word.holders == 1 else "tools"
        lines.append(f"word {word.word!r}, in {word.holders:,} {tools}: {stands}")
    lines += [f"- {reason}" for reason in placement.reasons]
    lines += [f"to stand higher: {advice}" for advice in placement.advice]
    return "\n".join(lines)
