"""The host's handle on a zygote: starts it, asks it for guests, has the dead ones reaped.

The zygote ends when its control socket closes, however the host ends, and no thread of the host
matters to it.
"""

import json
import os
import platform
import secrets
import socket
import subprocess  # nosec B404  starts this interpreter with fixed arguments only
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeAlias

import anyio
import anyio.to_thread

from toolweft.core.errors import SandboxUnavailable
from toolweft.core.json import JsonObject
from toolweft.core.programs import ProgramLimits
from toolweft.sandbox.environments import PackageEnvironment
from toolweft.sandbox.guest.launcher import BOOT
from toolweft.sandbox.guest.lockdown import NAMESPACES
from toolweft.sandbox.guest.machines import MACHINES
from toolweft.sandbox.process.answers import parse_answer
from toolweft.sandbox.process.child import Child
from toolweft.sandbox.process.tiers import Tier

__all__ = ("Launch", "Zygote", "launch_zygote")

# Starts a process for a tier, given the descriptor of its control socket.
Launch: TypeAlias = Callable[[Tier, int], subprocess.Popen[bytes]]

# A reason of 500 characters, each of which JSON may write with twelve, and room.
_MAX_ANSWER_BYTES = 8192
_ANSWER_TIMEOUT_S = 10.0
_EXIT_TIMEOUT_S = 5.0
_MAX_SHOWN_BYTES = 60
_ENDED_EARLY = "the zygote ended before it was ready"
_DISTURBED = (
    "an imported package disturbed the process that programs come from, by writing to open"
    " descriptors that are not its own"
)
# Nothing of the host's environment; a known time zone and encoding.
_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "PATH": "/usr/bin:/bin",
    # A zygote with several threads makes guests in which libraries wait for ever for the others.
    **dict.fromkeys(
        ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
    ),
}


class Zygote:
    """A warm process that makes guests of one tier."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        control: socket.socket,
        *,
        has_scratch: bool = False,
        answer_timeout_s: float = _ANSWER_TIMEOUT_S,
    ) -> None:
        self._process = process
        self._control = control
        self._has_scratch = has_scratch
        self._answer_timeout_s = answer_timeout_s
        self._lock = anyio.Lock()
        # Whether it answers; once it did not, it never gets another request.
        self.is_usable = True

    @classmethod
    async def start(cls, tier: Tier, *, timeout_s: float, launch: Launch | None = None) -> Self:
        """Start one and wait until it is warm.

        Args:
            tier: the layers its guests get.
            timeout_s: for becoming warm.
            launch: starts the process; `launch_zygote` without packages unless given.

        Raises:
            SandboxUnavailable: it could not start; the message has the reason.
        """
        if sys.platform != "linux" or platform.machine() not in MACHINES:
            raise SandboxUnavailable(
                f"the process backend runs on Linux on {' and '.join(MACHINES)},"
                f" this is {sys.platform!r} on {platform.machine()!r}"
            )
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = await anyio.to_thread.run_sync(launch or launch_zygote, tier, theirs.fileno())
        ours.setblocking(False)  # noqa: FBT003  its only argument
        zygote = cls(process, ours, has_scratch=NAMESPACES in tier.layers)
        try:
            with anyio.fail_after(timeout_s):
                await zygote._get_ready()
        except BaseException as fault:
            await zygote.close()
            if isinstance(fault, TimeoutError):
                reason = f"the zygote was not ready within {timeout_s} s"
                raise SandboxUnavailable(reason) from fault
            if isinstance(fault, ConnectionError):
                raise SandboxUnavailable(_ENDED_EARLY) from fault
            raise
        return zygote

    async def spawn(self, limits: ProgramLimits) -> tuple[Child, socket.socket]:
        """A fresh guest and the host's end of its channel.

        Raises:
            SandboxUnavailable: the kernel refused.
        """
        try:
            ours, theirs = socket.socketpair()
        except OSError as refusal:
            raise SandboxUnavailable(f"no guest could be made: {refusal}") from refusal
        request = {
            "memory_bytes": limits.memory_bytes,
            "disk_bytes": limits.disk_bytes,
            "max_files": limits.max_files,
            "max_threads": limits.max_threads,
        }
        with theirs:
            channel_inode = os.fstat(theirs.fileno()).st_ino
            answer, fds = await self._ask({"spawn": request}, [theirs.fileno()])
        if "error" in answer or not fds:
            ours.close()
            if "pid" in answer:
                # This process could not take its descriptor; without a channel the guest ends.
                await self._ask({"reap": answer["pid"]}, [])
            reason = answer.get("error", "too many files are open here")
            raise SandboxUnavailable(f"no guest could be made: {reason}")
        ours.setblocking(False)  # noqa: FBT003  its only argument
        child = Child(
            int(answer["pid"]),
            fds[0],
            channel_inode=channel_inode,
            has_scratch=self._has_scratch,
        )
        return child, ours

    async def reap(self, child: Child) -> int:
        """The exit status of a guest that has ended; negative for a signal."""
        answer, _fds = await self._ask({"reap": child.pid}, [])
        child.note_peak_memory(int(answer.get("peak_bytes", 0)))
        return int(answer.get("status", 0))

    async def close(self) -> None:
        """End the zygote and every guest it made."""
        self.is_usable = False
        self._control.close()
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(_wait, self._process)

    async def _get_ready(self) -> None:
        """Wait until it says that everything is imported, and see that it was the one to say so."""
        answer, _fds = await self._receive("ready")
        if "error" not in answer:
            # Imported code may have sent anything: what answers this has come after all of that.
            nonce = secrets.token_hex()
            try:
                self._control.send(json.dumps({"hello": nonce}).encode())
                answer, _fds = await self._receive("hello", hello=nonce)
            except ConnectionError:
                # While it imports, it is ended by whatever is sent to it.
                answer = {"error": f"{_DISTURBED}: it was not ready where that was said of it"}
        if "error" not in answer and (threads := _count_threads(self._process.pid)) != 1:
            answer = {"error": f"a zygote has {threads} threads, and guests of it would hang"}
        if "error" in answer:
            raise SandboxUnavailable(str(answer["error"]))

    async def _ask(self, request: JsonObject, fds: list[int]) -> tuple[JsonObject, list[int]]:
        unanswered: JsonObject = {"error": "the zygote does not answer"}
        # Answers carry no number, so an exchange is never left half done: an answer that came
        # too late would be taken for that of the next request.
        with anyio.CancelScope(shield=True):
            async with self._lock:
                if not self.is_usable:
                    return unanswered, []
                try:
                    socket.send_fds(self._control, [json.dumps(request).encode()], fds)
                    with anyio.fail_after(self._answer_timeout_s):
                        answer = await self._receive(*request)
                except (ConnectionError, TimeoutError):
                    self.is_usable = False
                    return unanswered, []
                except OSError as refusal:
                    # Nothing was sent.
                    return {"error": str(refusal)}, []
        # Closed meanwhile, it has nothing to give but a reason.
        return answer if self.is_usable or "error" in answer[0] else (unanswered, [])

    async def _receive(self, asked: str, *, hello: str = "") -> tuple[JsonObject, list[int]]:
        """The next message, which has to be the answer to a request of this kind, or an error."""
        await anyio.wait_readable(self._control)
        message, fds, _flags, _address = socket.recv_fds(self._control, _MAX_ANSWER_BYTES, 1)
        if not message:
            raise ConnectionResetError("the zygote ended")
        answer = parse_answer(message, asked=asked, hello=hello)
        if answer is None or "error" in answer:
            for fd in fds:
                os.close(fd)
            fds = []
        if answer is None:
            # Which of the next messages answers what can no longer be told.
            self.is_usable = False
            return {"error": f"{_DISTURBED}: {message[:_MAX_SHOWN_BYTES]!r} came from there"}, []
        for fd in fds:
            os.set_inheritable(fd, False)  # noqa: FBT003  its only argument
        return answer, fds


def launch_zygote(
    tier: Tier, control_fd: int, *, packages: PackageEnvironment | None = None
) -> subprocess.Popen[bytes]:
    """Start a zygote process that speaks on `control_fd`, with further packages where given."""
    guest = Path(__file__).parent.parent / "guest"
    standard_library = sysconfig.get_path("stdlib")
    interpreter = os.path.realpath(sys.executable)
    setup = {
        "layers": sorted(tier.layers),
        "file_calls": tier.file_calls,
        "standard_library": standard_library,
        "packages": "" if packages is None else str(packages.site),
        "preload": [] if packages is None else list(packages.preload),
        "proc_fd": -1,
        "interpreter": interpreter,
        "shared_libraries": _shared_libraries(standard_library),
    }
    module, function = ("launcher", "launch") if NAMESPACES in tier.layers else ("zygote", "main")
    boot = BOOT.format(module=module, function=function)
    arguments = [interpreter, "-I", "-S", "-c", boot, str(guest.parent), str(control_fd)]
    # Every part of the command line is ours; nothing of a program or a tool is in it.
    return subprocess.Popen(  # noqa: S603
        [*arguments, json.dumps(setup)],
        pass_fds=[control_fd],
        env=_ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )


def _count_threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def _shared_libraries(standard_library: str) -> list[str]:
    return sorted(str(path) for path in Path(standard_library).parent.glob("libpython*.so*"))


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_EXIT_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
