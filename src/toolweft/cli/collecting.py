"""Keeps Python's garbage collector out of a start, which makes objects and throws none away.

While modules and catalogs load it would look through all of them again and again.
"""

import gc

__all__ = ("pause_collection", "resume_collection")


def pause_collection() -> None:
    """Collect nothing from here on."""
    gc.disable()


def resume_collection() -> None:
    """Collect again; what is there now is there to stay and is not looked through any more."""
    gc.freeze()
    gc.enable()
