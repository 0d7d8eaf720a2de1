"""The person at the terminal, as the client of the calls that a command makes."""

import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from toolweft.cli.forms import (
    NOTHING,
    describe_field,
    form_fields,
    in_one_line,
    is_required,
    parse_field,
)
from toolweft.cli.output import note
from toolweft.core.asks import check_askable
from toolweft.core.client import Ask, Progress
from toolweft.core.json import Json, JsonObject

__all__ = ("Lines", "Sample", "StandardInput", "TerminalClient")

# Answers `sampling/createMessage` in the place of a person's own client.
Sample: TypeAlias = Callable[[Ask], Awaitable[JsonObject]]
# The next line that somebody enters; None where they will enter none.
Lines: TypeAlias = Callable[[], Awaitable[str | None]]

_READ_BYTES: Final = 64 * 1024
# Log lines below it are shown with -v alone.
_USUAL_LEVEL: Final = "warning"
_DECLINED: Final[JsonObject] = {"action": "decline"}
_MAX_LOG_CHARACTERS: Final = 4_000


class StandardInput:
    """Lines of standard input, without holding up anything else of this process."""

    def __init__(self) -> None:
        self._read = b""

    async def __call__(self) -> str | None:
        """The next line; None at the end of the input, which on a terminal is Ctrl-D."""
        while b"\n" not in self._read:
            chunk = await self._read_some()
            if not chunk:
                return None
            self._read += chunk
        line, _, self._read = self._read.partition(b"\n")
        return line.decode("utf-8", "replace").rstrip("\r")

    def forget(self) -> None:
        """Drop what was entered so far; only a terminal holds some of it back."""
        self._read = b""
        if sys.platform == "win32":
            import msvcrt

            while msvcrt.kbhit():
                msvcrt.getwch()
            return
        import termios

        with suppress(termios.error):
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)

    async def _read_some(self) -> bytes:
        fd = sys.stdin.fileno()
        if sys.platform == "win32":
            return await anyio.to_thread.run_sync(os.read, fd, _READ_BYTES, abandon_on_cancel=True)
        # A terminal is readable once a whole line was entered.
        await anyio.wait_readable(fd)
        return os.read(fd, _READ_BYTES)


class TerminalClient:
    """Asks on stderr and reads the answers; one question at a time.

    Args:
        lines: what the person enters; None where nobody is there to be asked.
        forget: drops what was entered before a question: it is no answer to that one.
        roots: `file:` addresses that servers are told.
        sample: answers servers that ask for a model; None where none is configured.
        is_verbose: whether log lines of little weight are shown too.
    """

    wants_progress = False
    meta: Mapping[str, Json] = {}

    def __init__(
        self,
        *,
        lines: Lines | None,
        forget: Callable[[], None] = lambda: None,
        roots: Sequence[str] = (),
        sample: Sample | None = None,
        is_verbose: bool = False,
    ) -> None:
        self._lines = lines
        self._forget = forget
        self._roots = roots
        self._sample = sample
        self.log_level = "debug" if is_verbose else _USUAL_LEVEL
        self.capabilities: JsonObject = {}
        if lines is not None:
            self.capabilities["elicitation"] = {"form": {}, "url": {}}
        if roots:
            self.capabilities["roots"] = {}
        if sample is not None:
            self.capabilities["sampling"] = {}
        self._lock = anyio.Lock()

    async def ask(self, ask: Ask) -> JsonObject:
        """Put a question to the person; see `CallingClient.ask`.

        Raises:
            AskRefused: there is no terminal, no model or no folder to answer with.
        """
        check_askable(ask, self.capabilities)
        if ask.kind == "roots":
            return {"roots": [{"uri": uri} for uri in self._roots]}
        if ask.kind == "sampling":
            assert self._sample is not None, "it was declared"
            return await self._sample(ask)
        async with self._lock:
            self._forget()
            try:
                if ask.params.get("mode") == "url":
                    return await self._ask_to_open(ask)
                return await self._ask_to_fill_in(ask)
            except anyio.get_cancelled_exc_class():
                note(f"\nwhat {ask.source} asked is not needed any more")
                raise

    def report(self, progress: Progress) -> None:
        """Drop it: the command shows its own."""

    def log(self, level: str, data: Json, *, logger: str | None = None) -> None:
        """Show a line on stderr."""
        first, *others = str(data)[:_MAX_LOG_CHARACTERS].split("\n")
        note(f"{in_one_line(logger or 'server')}: {in_one_line(level)}: {first}")
        for line in others:
            note(f"  | {line}")

    async def _ask_to_open(self, ask: Ask) -> JsonObject:
        url = str(ask.params.get("url", ""))
        _show_message(ask)
        note(f"  open this address yourself, if you trust {_host(url)}:")
        note(f"    {url}")
        note("Did you, and shall it go on? [y/N]")
        line = await self._next_line()
        return {"action": "accept"} if _is_yes(line) else _DECLINED

    async def _ask_to_fill_in(self, ask: Ask) -> JsonObject:
        schema: JsonObject = ask.params.get("requestedSchema") or {}
        _show_message(ask)
        fields = form_fields(schema)
        if not fields:
            note("Do you agree? [y/N]")
            agreed = _is_yes(await self._next_line())
            return {"action": "accept", "content": {}} if agreed else _DECLINED
        note("  (Ctrl-D declines)")
        content: JsonObject = {}
        for name, field in fields.items():
            needed = is_required(name, schema)
            note(f"{describe_field(name, field, is_required=needed)}:")
            while True:
                line = await self._next_line()
                if line is None:
                    return _DECLINED
                try:
                    value = parse_field(line, name, schema=schema)
                except ValueError as exc:
                    note(f"  {exc}; again:")
                    continue
                if value is not NOTHING:
                    content[name] = value
                break
        return {"action": "accept", "content": content}

    async def _next_line(self) -> str | None:
        assert self._lines is not None, "it was declared"
        return await self._lines()


def _show_message(ask: Ask) -> None:
    # Each line is marked, so that none of them passes for one of ours.
    note(f"{ask.source} asks:")
    for line in str(ask.params.get("message", "")).split("\n"):
        note(f"  | {line}")


def _host(url: str) -> str:
    """Where it leads, in ASCII so that no letter passes for another."""
    host = urlsplit(url).hostname or ""
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return ascii(host)


def _is_yes(line: str | None) -> bool:
    return line is not None and line.strip().lower() in {"y", "yes"}
