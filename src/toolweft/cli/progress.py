"""A line on the terminal while servers start; nothing at all where stderr is no terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from toolweft.cli.output import printable
from toolweft.core.snapshot import Snapshot

__all__ = ("Progress", "render_progress", "show_progress")

_MAX_NAMED = 3


class Progress(Protocol):
    """Who is told how far the sources are."""

    def update(self, snapshot: Snapshot) -> None:
        """Show the state of this snapshot."""
        ...

    def stop(self) -> None:
        """Take the line away."""
        ...


class _Silent:
    def update(self, snapshot: Snapshot) -> None:
        pass

    def stop(self) -> None:
        pass


class _StatusLine:
    def __init__(self) -> None:
        from rich.console import Console
        from rich.text import Text

        self._text = Text
        self._status = Console(stderr=True).status("starting servers")
        self._status.start()

    def update(self, snapshot: Snapshot) -> None:
        self._status.update(self._text(render_progress(snapshot)))

    def stop(self) -> None:
        self._status.stop()


@contextmanager
def show_progress(*, wanted: bool) -> Iterator[Progress]:
    """A progress line for the body, taken away at its end."""
    progress: Progress = _StatusLine() if wanted and sys.stderr.isatty() else _Silent()
    try:
        yield progress
    finally:
        progress.stop()


def render_progress(snapshot: Snapshot) -> str:
    """`starting servers: 3 of 5 ready, 412 tools; waiting for git, time`."""
    sources = snapshot.sources.values()
    waiting = [source.name for source in sources if source.state == "starting"]
    ready = sum(source.is_usable for source in sources)
    text = (
        f"starting servers: {ready} of {len(snapshot.sources)} ready, {len(snapshot.tools)} tools"
    )
    if not waiting:
        return text
    named = ", ".join(waiting[:_MAX_NAMED])
    more = f" and {len(waiting) - _MAX_NAMED} more" if len(waiting) > _MAX_NAMED else ""
    return printable(f"{text}; waiting for {named}{more}")
