"""Where Python tools are, as text: "package.module", "path/to/file.py", either with ":object"."""

import re

__all__ = ("split_target",)

_OBJECT = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


def split_target(target: str) -> tuple[str, str]:
    """The module or file, and the object in it; the latter empty where the whole is meant."""
    place, colon, attribute = target.rpartition(":")
    if colon and place and not attribute.endswith(".py") and _OBJECT.fullmatch(attribute):
        return place, attribute
    return target, ""
