"""Standard output of a program: kept up to a cap, sent in batches, counted without end."""

import asyncio
import io
import threading
import time
from collections.abc import Callable

from .faults import Stop

__all__ = ("Output",)

# Often enough to look live, seldom enough that a print costs no system call.
_INTERVAL_S = 0.02
_BATCH_CHARACTERS = 32 * 1024


class Output(io.TextIOBase):
    """Stands in for sys.stdout and sys.stderr."""

    encoding: str = "utf-8"
    errors: str | None = "replace"

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        send: Callable[[str], None],
        *,
        tell_over: Callable[[], None],
    ) -> None:
        """Keep what is needed.

        Args:
            loop: where everything is sent.
            send: takes what was printed.
            tell_over: tells the host that the program printed more than it may.
        """
        super().__init__()
        self._loop = loop
        self._send = send
        self._tell_over = tell_over
        self._is_program_over = True
        self._is_told = False
        self._thread = threading.get_ident()
        self._bytes = _Bytes(self)
        self._pending: list[str] = []
        self._pending_characters = 0
        self._sent_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._room = 0
        self._max_characters = 0
        self.characters = 0

    def start(self, *, kept_characters: int, max_characters: int) -> None:
        """Begin a run: keep this many characters, stop the program beyond so many."""
        self.characters = 0
        self._room = kept_characters
        self._max_characters = max_characters
        self._is_program_over = self._is_told = False

    def end_program(self) -> None:
        """The program is over: what is printed from here on is no reason to stop it."""
        self._is_program_over = True

    def finish(self) -> int:
        """End a run: send what is pending and tell how many characters were printed."""
        self.send_pending()
        self._room = 0
        return self.characters

    @property
    def is_over_limit(self) -> bool:
        """Whether the program printed more than it may."""
        return self.characters > self._max_characters

    @property
    def buffer(self) -> io.RawIOBase:
        """For programs that write bytes; invalid UTF-8 is replaced."""
        return self._bytes

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, text: str) -> int:
        """Take printed text."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self.characters += len(text)
        if self._room > 0:
            self._keep(text[: self._room])
        if self.is_over_limit:
            self._report()
            raise Stop(
                "output", f"output limit: more than {self._max_characters} characters were printed"
            )
        return len(text)

    def flush(self) -> None:
        """Nothing to do: text leaves within 20 ms, and a system call a print would be slow."""

    def _report(self) -> None:
        # A program can swallow the stop it gets here; the host's it cannot.
        if self._is_told:
            return
        self._is_told = True
        if threading.get_ident() == self._thread:
            self._send_report()
        else:
            self._loop.call_soon_threadsafe(self._send_report)

    def _send_report(self) -> None:
        if not self._is_program_over:
            self.send_pending()
            self._tell_over()

    def _keep(self, text: str) -> None:
        self._room -= len(text)
        self._pending.append(text)
        self._pending_characters += len(text)
        if threading.get_ident() != self._thread:
            self._loop.call_soon_threadsafe(self.send_pending)
        elif (
            self._pending_characters >= _BATCH_CHARACTERS
            or time.monotonic() - self._sent_s >= _INTERVAL_S
        ):
            self.send_pending()
        elif self._timer is None:
            self._timer = self._loop.call_later(_INTERVAL_S, self.send_pending)

    def send_pending(self) -> None:
        """Send what was printed and kept so far."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._pending:
            return
        pending, self._pending, self._pending_characters = self._pending, [], 0
        self._sent_s = time.monotonic()
        # `print(end="")` writes nothing, and the host takes no empty frame.
        if text := "".join(pending):
            self._send(text)


class _Bytes(io.RawIOBase):
    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]  # Buffer needs Python 3.12
        text = bytes(data)
        self._output.write(text.decode("utf-8", "replace"))
        return len(text)
