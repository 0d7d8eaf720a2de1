"""Files that belong to others: read whole, written all at once or not at all.

Knows nothing of what is in them. A link is followed, so that what it points to is changed.
"""

import glob
import hashlib
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from toolweft.config.documents import Document, parse_document
from toolweft.config.json_text import plain_json
from toolweft.core.errors import ConfigError

__all__ = (
    "FileChange",
    "check_change",
    "clear_unfinished",
    "decode",
    "fingerprint",
    "parse_bytes",
    "read_bytes",
    "resolve",
    "write_change",
    "write_private",
)

# Claude Code keeps its history beside its servers; such files reach tens of megabytes.
_MAX_BYTES = 64 * 1024**2
_MARK = b"\xef\xbb\xbf"
_PRIVATE = 0o600
_UNFINISHED = ".toolweft-new"
# Windows would change line breaks.
_BINARY = getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """One file before and after; None where it is not there."""

    path: Path
    before: bytes | None
    after: bytes | None

    @property
    def is_change(self) -> bool:
        """Whether anything differs."""
        return self.before != self.after


def resolve(path: Path, *, inside: Path | None = None) -> Path:
    """The file itself, links followed.

    Args:
        path: as the client names it.
        inside: a folder that links must not lead out of.

    Raises:
        ConfigError: it leads out, or a link round in a circle.
    """
    try:
        found = path.resolve()
        is_allowed = inside is None or found.is_relative_to(inside.resolve())
    except (OSError, RuntimeError) as exc:
        raise ConfigError(
            f"{str(path)!r} cannot be followed: {exc}", hint="mend the link, then try again"
        ) from exc
    if not is_allowed:
        raise ConfigError(
            f"{str(path)!r} leads out of the project, to {str(found)!r}",
            hint="a project must not change files elsewhere; use a file inside it",
        )
    return found


def read_bytes(path: Path) -> bytes | None:
    """What the file holds; None where there is none.

    Raises:
        ConfigError: it cannot be read, is no plain file or is too large.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(f"{str(path)!r} is no file", hint="move away what is in its place")
        if status.st_size > _MAX_BYTES:
            raise ConfigError(
                f"{str(path)!r} has {status.st_size:,} bytes, more than {_MAX_BYTES:,}",
                hint="such a file is not read; check whether it is the right one",
            )
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise ConfigError(
            f"{str(path)!r} cannot be read: {exc.strerror or exc}", hint="check its permissions"
        ) from exc


def decode(content: bytes | None, *, label: str) -> tuple[str, bytes]:
    """The text and the byte order mark before it, either maybe empty.

    Raises:
        ConfigError: it is not UTF-8.
    """
    content = content or b""
    mark = _MARK if content.startswith(_MARK) else b""
    try:
        return content[len(mark) :].decode("utf-8"), mark
    except UnicodeDecodeError as exc:
        raise ConfigError(
            f"{label}: byte {exc.start} is not UTF-8", hint="save the file as UTF-8"
        ) from exc


def parse_bytes(content: bytes | None, path: Path) -> Document:
    """The document in a file that may be missing or empty.

    Raises:
        ConfigError: not UTF-8, or not valid.
    """
    text, _ = decode(content, label=str(path))
    if path.suffix != ".toml" and not plain_json(text).strip():
        text = "{}"
    return parse_document(text, path=path, label=str(path))


def fingerprint(content: bytes | None) -> str | None:
    """A hash that tells contents apart; None for a file that is not there."""
    return None if content is None else hashlib.sha256(content).hexdigest()


def check_change(change: FileChange) -> None:
    """Refuse a change that cannot be made, before anything was made.

    Raises:
        ConfigError: the file was made read-only, or changed since it was read.
    """
    if not change.is_change:
        return
    if read_bytes(change.path) != change.before:
        raise ConfigError(
            f"{str(change.path)!r} was changed by another program meanwhile",
            hint="close the client, then try again",
        )
    # Replacing a file needs no right to write to it: whoever took that right away meant it.
    if change.before is not None and not change.path.stat().st_mode & stat.S_IWUSR:
        raise ConfigError(
            f"{str(change.path)!r} is read-only", hint=f"chmod u+w {change.path}, then try again"
        )


def write_change(change: FileChange, *, private: bool = False) -> None:
    """Bring the file to what it should be, keeping its mode.

    Args:
        change: what.
        private: let only its user read it from now on.

    Raises:
        ConfigError: it changed meanwhile or cannot be written; then it is as it was.
    """
    check_change(change)
    if not change.is_change:
        return
    try:
        if change.after is None:
            change.path.unlink()
            return
        mode = _PRIVATE
        if change.before is not None:
            mode = stat.S_IMODE(change.path.stat().st_mode) & (0o700 if private else 0o777)
        change.path.parent.mkdir(parents=True, exist_ok=True)
        _replace(change.path, change.after, mode=mode)
    except OSError as exc:
        raise ConfigError(
            f"{str(change.path)!r} cannot be written: {exc.strerror or exc}",
            hint="check the permissions of its folder, and the space on its disk",
        ) from exc


def write_private(path: Path, content: bytes, *, mode: int = _PRIVATE) -> None:
    """Write a file of ours in a folder that only its user may enter.

    Args:
        path: the file.
        content: all of it.
        mode: its permissions.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.parent.chmod(0o700)
        _replace(path, content, mode=mode)
    except OSError as exc:
        raise ConfigError(
            f"{str(path)!r} cannot be written: {exc.strerror or exc}",
            hint="set XDG_STATE_HOME to a folder that you may write to",
        ) from exc


def clear_unfinished(path: Path) -> None:
    """Remove what processes that were killed left of a new content of this file."""
    for temporary in path.parent.glob(f".{glob.escape(path.name)}.*{_UNFINISHED}"):
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _replace(path: Path, content: bytes, *, mode: int) -> None:
    # A name of its own: two processes at once must not write into one file.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_UNFINISHED}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, _PRIVATE)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
