"""Text of a source, cut to one line. Pure."""

__all__ = ("clip_text",)


def clip_text(text: str, max_characters: int) -> str:
    """One line of printable text, cut at a sentence or word; an ellipsis marks a cut."""
    if max_characters <= 0:
        return ""
    # Enough for any cut below, without walking a megabyte of description.
    window = text[: max_characters * 4 + 64]
    line = " ".join("".join(c if c.isprintable() else " " for c in window).split())
    if len(line) <= max_characters and len(window) == len(text):
        return line
    head = line[: max_characters - 1]
    stop = max(head.rfind(". "), head.rfind("; "))
    if stop >= max_characters // 3 and not head[:stop].endswith(("e.g", "i.e", "etc", "vs")):
        return head[: stop + 1].rstrip(";")
    cut = head.rsplit(" ", 1)[0] if " " in head[max_characters // 2 :] else head
    return cut.rstrip(" ,;:.") + "…"
