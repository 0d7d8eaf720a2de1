"""A server's child process: started with a small environment, ended with all its descendants.

Knows nothing of messages. Used by the stdio transport.
"""

import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from subprocess import PIPE  # nosec B404

import anyio
import anyio.lowlevel
from anyio.abc import ByteReceiveStream, ByteSendStream, Process
from mcp.client.stdio import get_default_environment

from toolweft.core.errors import SourceUnavailable
from toolweft.core.secret import reveal
from toolweft.sources.masking import all_values
from toolweft.sources.mcp.stderr import StderrRing, render_tail
from toolweft.sources.mcp.watch import watch_group
from toolweft.sources.options import StdioServerOptions

__all__ = ("ServerProcess", "open_process")

# A good server ends when its stdin does; the others are told, then killed.
_EXIT_GRACE_S = 0.5
_TERMINATE_GRACE_S = 0.5
_KILL_GRACE_S = 2.0
_EXIT_POLL_S = 0.01
# Without an end of its stdout, a server's death is seen within this.
_WATCH_POLL_S = 0.25
# The rest of stderr after the death, where a stranger does not hold the pipe open.
_STDERR_GRACE_S = 0.25
_SHOWN_PATH_CHARACTERS = 240


class ServerProcess:
    """A running server: its pipes, its exit code, its last words."""

    def __init__(self, process: Process, *, options: StdioServerOptions) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.stdin: ByteSendStream = process.stdin
        self.stdout: ByteReceiveStream = process.stdout
        self._stderr: ByteReceiveStream = process.stderr
        self._process = process
        self._ring = StderrRing()
        self._stderr_ended = anyio.Event()
        self._was_signalled = False
        self._secrets = all_values((*options.env.values(), *options.secrets))

    @property
    def exit_code(self) -> int | None:
        """Its own exit code, negative for a signal; None while it runs or where we ended it."""
        return None if self._was_signalled else self._process.returncode

    def stderr_tail(self) -> str:
        """What it printed last on stderr, safe to show."""
        return render_tail(self._ring.to_bytes(), secrets=self._secrets)

    async def wait_exit(self) -> None:
        """Return once the process itself is dead, whoever still holds its pipes."""
        # Not Process.wait(): in some Python versions it waits for the pipes too.
        while self._process.returncode is None:  # noqa: ASYNC110 (the exit gives no event)
            await anyio.sleep(_WATCH_POLL_S)

    async def keep_stderr(self) -> None:
        """Read stderr to its end into the ring."""
        with suppress(anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
            while True:
                self._ring.append(await self._stderr.receive())
        self._stderr_ended.set()

    async def stop(self) -> None:
        """End the process and its group: politely, then not; about a second at the most."""
        await self.stdin.aclose()
        if not await self._exits_within(_EXIT_GRACE_S):
            self._was_signalled = True
            self._end_group()
            await self._exits_within(_TERMINATE_GRACE_S)
        # Always: a grandchild may have stayed behind where the server itself went politely.
        self._end_group(at_once=True)
        await self._exits_within(_KILL_GRACE_S)
        with anyio.move_on_after(_STDERR_GRACE_S):
            await self._stderr_ended.wait()

    def close_pipes(self) -> None:
        """Give the pipes back, even where a process outside the group still holds them."""
        # anyio closes its streams but not the pipes under them, and offers no way to; without
        # this they stay open until the garbage collector complains.
        transport = getattr(getattr(self._process, "_process", None), "_transport", None)
        close = getattr(transport, "close", None)
        if callable(close):
            close()

    async def _exits_within(self, timeout_s: float) -> bool:
        with anyio.move_on_after(timeout_s):
            while self._process.returncode is None:  # noqa: ASYNC110 (the exit gives no event)
                await anyio.sleep(_EXIT_POLL_S)
        return self._process.returncode is not None

    def _end_group(self, *, at_once: bool = False) -> None:
        kill_group = getattr(os, "killpg", None)
        with suppress(ProcessLookupError, PermissionError):
            if kill_group is not None:
                # The server leads its own group, so its pid names the group, also after its death.
                name = "SIGKILL" if at_once else "SIGTERM"
                kill_group(self._process.pid, signal.Signals[name])
            elif self._process.returncode is None:
                # Windows has no groups of this kind, and only one way to end a process.
                self._process.kill()


@asynccontextmanager
async def open_process(options: StdioServerOptions) -> AsyncIterator[ServerProcess]:
    """Start a server in a process group of its own; end it on leaving.

    Raises:
        SourceUnavailable: it cannot be started.
    """
    # Cut off halfway, a process would stay that nobody ends.
    with anyio.CancelScope(shield=True):
        process = await _spawn(options)
    server = ServerProcess(process, options=options)
    async with watch_group(process.pid), anyio.create_task_group() as tasks:
        tasks.start_soon(server.keep_stderr)
        try:
            yield server
        finally:
            with anyio.CancelScope(shield=True):
                await server.stop()
                server.close_pipes()
                # One turn of the loop, in which the pipes really close.
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()


async def _spawn(options: StdioServerOptions) -> Process:
    environment = get_default_environment()
    environment |= {name: reveal(value) for name, value in options.env.items()}
    try:
        return await anyio.open_process(
            [_find_command(options, path=environment.get("PATH")), *options.args],
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=options.cwd,
            env=environment,
            start_new_session=True,
        )
    except (OSError, ValueError) as exc:
        raise _cannot_start(exc, options, path=environment.get("PATH", "")) from exc


def _find_command(options: StdioServerOptions, *, path: str | None) -> str:
    """The command as the system starts it."""
    if os.name != "nt":
        return options.command
    # Windows itself looks for nothing but .exe, and `npx` is a .cmd.
    return shutil.which(options.command, path=path) or options.command


def _cannot_start(
    exc: OSError | ValueError, options: StdioServerOptions, *, path: str
) -> SourceUnavailable:
    command = options.command
    if options.cwd is not None and not options.cwd.is_dir():
        return SourceUnavailable(
            f"its working folder {str(options.cwd)!r} is not a folder",
            hint="correct cwd in the server's configuration",
        )
    if isinstance(exc, FileNotFoundError) and os.sep not in command:
        return SourceUnavailable(
            f"its command {command!r} is not found on PATH ({_shorten(path)})",
            hint=f"install {command!r}, or give its full path as the command",
        )
    reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
    return SourceUnavailable(
        f"its command {command!r} cannot be started: {reason}",
        hint="check the command in the server's configuration; it must be an executable file",
    )


def _shorten(path: str) -> str:
    return path if len(path) <= _SHOWN_PATH_CHARACTERS else f"{path[:_SHOWN_PATH_CHARACTERS]}..."
