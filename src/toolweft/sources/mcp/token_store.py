"""What an authorization server gave for one server, in a file that only its owner can read.

One file for each server, address and principal, written whole and renamed into place. Who gets new
tokens holds the lock beside it meanwhile, so that two processes do not use one refresh token.
"""

import json
import math
import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

import anyio
import anyio.to_thread

from toolweft.core.errors import SourceUnavailable
from toolweft.core.json import Json, JsonObject
from toolweft.sources.options import HttpServerOptions

__all__ = ("Grant", "TokenStore")

_FORMAT: Final = 1
_MAX_BYTES: Final = 1024 * 1024
_FILE_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700
# Bits by which anyone but the owner could read or write.
_OTHERS: Final = 0o077
# Longer than whoever holds the lock may take to ask an authorization server.
_LOCK_TIMEOUT_S: Final = 40.0
_LOCK_STEP_S: Final = 0.02
# What is no file must not make the reader wait.
_AT_ONCE: Final = getattr(os, "O_NONBLOCK", 0)
# As files are opened that nobody may swap for a link; Windows has the second alone.
_AS_IT_IS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Tokens, and what it takes to get new ones; as the authorization server wrote each part."""

    # RFC 6749 §5.1; none after they were found to be of no more use.
    tokens: JsonObject | None = field(repr=False)
    # Seconds since 1970; None where the server did not say.
    expires_at_s: float | None
    # RFC 7591 §3.2.1, without a secret that the configuration has.
    client: JsonObject = field(repr=False)
    # RFC 8414.
    metadata: JsonObject
    # RFC 9728; None where the server has none.
    resource: JsonObject | None

    @property
    def access_token(self) -> str:
        """For requests; empty where there is none."""
        return str((self.tokens or {}).get("access_token", ""))

    @property
    def refresh_token(self) -> str:
        """For new tokens; empty where there is none."""
        return str((self.tokens or {}).get("refresh_token") or "")


class TokenStore:
    """The grant of one server and principal.

    Args:
        options: with `oauth`.
    """

    def __init__(self, options: HttpServerOptions) -> None:
        assert options.oauth is not None
        principal = options.oauth.principal
        named = [options.name, options.url, principal.tenant, principal.user]
        key = sha256(json.dumps(named).encode("utf-8", "surrogatepass")).hexdigest()[:32]
        self._folder = options.oauth.folder
        self.path = self._folder / f"{key}.json"

    async def load(self) -> Grant | None:
        """What is kept; None where nothing is, or nothing that can be used.

        Raises:
            SourceUnavailable: others may have read or written it.
        """
        raw = await anyio.to_thread.run_sync(self._read)
        return None if raw is None else _parse(raw)

    async def save(self, grant: Grant) -> None:
        """Keep it in place of what was.

        Raises:
            SourceUnavailable: it cannot be written.
        """
        record = {
            "format": _FORMAT,
            "tokens": grant.tokens,
            "expires_at": grant.expires_at_s,
            "client": grant.client,
            "metadata": grant.metadata,
            "resource": grant.resource,
        }
        # Once given, a token that is lost can mean that a person has to log in again.
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._write, json.dumps(record).encode())

    async def remove(self) -> bool:
        """Forget it; whether there was anything.

        Raises:
            SourceUnavailable: it cannot be removed.
        """
        try:
            await anyio.to_thread.run_sync(self.path.unlink)
        except FileNotFoundError:
            return False
        except OSError as exc:
            raise SourceUnavailable(
                f"the tokens in {str(self.path)!r} cannot be removed: {exc.strerror or exc}",
                hint="remove what is there yourself",
            ) from exc
        return True

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Keep everybody else from changing it, in this process and in others.

        Raises:
            SourceUnavailable: somebody else does not let go of it.
        """
        fd = await anyio.to_thread.run_sync(self._open_lock)
        try:
            await self._wait_for(fd)
            yield
        finally:
            _close_lock(fd)

    async def _wait_for(self, fd: int) -> None:
        with anyio.move_on_after(_LOCK_TIMEOUT_S) as patience:
            try:
                while not _try_lock(fd):  # noqa: ASYNC110 (another process gives no event)
                    await anyio.sleep(_LOCK_STEP_S)
            except OSError as exc:
                # Not every file system has locks.
                raise self._cannot_write(exc) from exc
        if patience.cancelled_caught:
            raise SourceUnavailable(
                f"another process holds the tokens in {str(self.path)!r}",
                hint="try again, or end the process that hangs",
            )

    def _open_lock(self) -> int:
        self._make_folder()
        flags = os.O_RDWR | os.O_CREAT | _AS_IT_IS
        try:
            return os.open(self.path.with_suffix(".lock"), flags, _FILE_MODE)
        except OSError as exc:
            raise self._cannot_write(exc) from exc

    def _read(self) -> bytes | None:
        try:
            fd = os.open(self.path, os.O_RDONLY | _AS_IT_IS | _AT_ONCE)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise self._cannot_read(exc.strerror or str(exc)) from exc
        try:
            self._check_private(os.fstat(fd))
            with os.fdopen(fd, "rb", closefd=False) as file:
                return file.read(_MAX_BYTES)
        except OSError as exc:
            raise self._cannot_read(exc.strerror or str(exc)) from exc
        finally:
            os.close(fd)

    def _check_private(self, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise self._cannot_read("it is no file")
        if os.name != "nt" and (found.st_mode & _OTHERS or found.st_uid != os.geteuid()):
            raise SourceUnavailable(
                f"the tokens in {str(self.path)!r} are not yours alone",
                hint="if nobody else used them: chmod 600 on the file; else remove it and"
                " log in again",
            )

    def _cannot_read(self, why: str) -> SourceUnavailable:
        return SourceUnavailable(
            f"the tokens in {str(self.path)!r} cannot be read: {why}",
            hint="make the file readable for yourself, or remove it and log in again",
        )

    def _write(self, data: bytes) -> None:
        self._make_folder()
        aside = self.path.with_name(f".{self.path.name}.{os.getpid()}.{os.urandom(8).hex()}")
        try:
            fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _AS_IT_IS, _FILE_MODE)
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(self.path)
        except OSError as exc:
            raise self._cannot_write(exc) from exc
        finally:
            with suppress(OSError):
                aside.unlink(missing_ok=True)

    def _make_folder(self) -> None:
        try:
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            self._folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
            if os.name != "nt" and self._folder.stat().st_mode & _OTHERS:
                self._folder.chmod(_FOLDER_MODE)
        except OSError as exc:
            raise self._cannot_write(exc) from exc

    def _cannot_write(self, exc: OSError) -> SourceUnavailable:
        return SourceUnavailable(
            f"tokens cannot be kept in {str(self._folder)!r}: {exc.strerror or exc}",
            hint="make the folder writable for yourself",
        )


def _parse(raw: bytes) -> Grant | None:
    """What a file says; None where it is not of this format, so that one logs in again."""
    try:
        found: Json = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("format") != _FORMAT:
        return None
    tokens, client = found.get("tokens"), found.get("client")
    metadata, resource = found.get("metadata"), found.get("resource")
    expires = found.get("expires_at")
    if not isinstance(client, dict) or not isinstance(metadata, dict):
        return None
    return Grant(
        tokens=tokens if isinstance(tokens, dict) else None,
        expires_at_s=_seconds(expires),
        client=client,
        metadata=metadata,
        resource=resource if isinstance(resource, dict) else None,
    )


def _seconds(value: Json) -> float | None:
    """A moment; one that no clock has is long ago, so that a new token is asked for."""
    if value is None:
        return None
    try:
        moment = float(value)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return moment if math.isfinite(moment) else 0.0


def _try_lock(fd: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _close_lock(fd: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        with suppress(OSError):
            msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)
    os.close(fd)
