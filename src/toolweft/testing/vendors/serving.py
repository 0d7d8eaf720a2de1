"""An application served on loopback for as long as a test needs it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final

import anyio
import uvicorn
from anyio.abc import TaskGroup
from starlette.types import ASGIApp

__all__ = ("ServedApp",)

_START_TIMEOUT_S: Final = 30.0
_GRACE_S: Final = 1


class ServedApp:
    """An async context manager; gives the application's address, "http://127.0.0.1:40001"."""

    def __init__(self, app: ASGIApp) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=_GRACE_S,
        )
        self._server = _Server(config)
        self._tasks: TaskGroup

    async def __aenter__(self) -> str:
        """Serve."""
        listener = socket.create_server(("127.0.0.1", 0))
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._serve, listener)
        try:
            with anyio.fail_after(_START_TIMEOUT_S):
                await self._server.listening.wait()
        except BaseException:
            await self._stop()
            raise
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop, whatever the reason, which is not passed on: it would come back in a group."""
        await self._stop()

    async def _stop(self) -> None:
        self._server.should_exit = True
        await self._tasks.__aexit__(None, None, None)

    async def _serve(self, listener: socket.socket) -> None:
        # A cancelled uvicorn leaves its connections behind; it is asked to stop instead, and keeps
        # to its own deadline.
        with anyio.CancelScope(shield=True):
            await self._server.serve(sockets=[listener])


class _Server(uvicorn.Server):
    """uvicorn that leaves the process's signals alone and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = anyio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
