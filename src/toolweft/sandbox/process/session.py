"""A session whose guest is a child process of a zygote."""

import asyncio
import socket

import anyio

from toolweft.core.clock import Clock
from toolweft.core.programs import ProgramLimits, ProgramStats
from toolweft.sandbox.channel import Channel
from toolweft.sandbox.guest.limits import Limits
from toolweft.sandbox.limits import fixed_limits
from toolweft.sandbox.process.child import Child
from toolweft.sandbox.process.descriptors import check_descriptors, read_descriptors
from toolweft.sandbox.process.zygote import Zygote
from toolweft.sandbox.session import GuestSession, SessionStart

__all__ = ("ProcessSession",)

_START_TIMEOUT_S = 10.0
_EXIT_TIMEOUT_S = 5.0
# A process that is ending has its status at once; one that only closed its channel is killed.
_LEAVE_TIMEOUT_S = 0.25
# Of the host's own end: a large result goes over in few turns of the loop. The kernel may cap it.
_SEND_BUFFER_BYTES = 1024 * 1024


class ProcessSession(GuestSession[Child]):
    """One guest; made by `open`."""

    def __init__(
        self, *, zygote: Zygote, child: Child, channel: Channel, clock: Clock, fixed: Limits
    ) -> None:
        super().__init__(child=child, channel=channel, clock=clock, fixed=fixed)
        self._zygote = zygote

    @classmethod
    async def open(cls, zygote: Zygote, limits: ProgramLimits, *, clock: Clock) -> "ProcessSession":
        """A fresh guest, locked down and ready.

        Raises:
            SandboxUnavailable: it could not be made or locked down.
        """
        child, sock = await zygote.spawn(limits)
        start = SessionStart()
        channel = await _connect(sock, start)
        session = cls(
            zygote=zygote, child=child, channel=channel, clock=clock, fixed=fixed_limits(limits)
        )
        try:
            await start.wait(_START_TIMEOUT_S)
            check_descriptors(read_descriptors(child.pid), channel_inode=child.channel_inode)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await session.close()
            raise
        child.note_shared_memory()
        session._ready()
        return session

    @property
    def pid(self) -> int:
        """The process id, for whoever looks at the guest from outside."""
        return self._child.pid

    def _shows_memory(self, stats: ProgramStats, limits: ProgramLimits) -> bool:
        # Its own limit refuses memory and ends nothing; what the machine ends for want of memory
        # holds much of it.
        return stats.peak_mem_bytes >= limits.memory_bytes // 2

    async def _end(self) -> int:
        went_away = self._channel.fault == ""
        self._channel.close()
        if went_away and not self._child.was_killed:
            # Gone by itself, or about to be: its own exit status tells why.
            with anyio.move_on_after(_LEAVE_TIMEOUT_S) as leaving:
                await self._child.wait_exit()
            if leaving.cancelled_caught:
                self._fault_at_end = "its program closed it and went on"
        self._child.kill_if_alive()
        with anyio.move_on_after(_EXIT_TIMEOUT_S):
            await self._child.wait_exit()
        status = await self._zygote.reap(self._child)
        self._child.close()
        return status


async def _connect(sock: socket.socket, start: SessionStart) -> Channel:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
    channel = Channel(start)
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: channel, sock=sock)
    return channel
