"""Requirements files for environments: read as pip reads them, and refused where they name a build.

What is built runs its own code as whoever builds it, so only wheels may be named: by name and
version, or as a `.whl` file. What passes is written anew, so that an installer reads just what was
checked. Called by `environment_build`.
"""

import codecs
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from toolweft.core.errors import SandboxUnavailable

__all__ = ("Requirements", "load_requirements")

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MAX_FILES: Final = 50
_MAX_SHOWN_CHARACTERS: Final = 200
_COMMENT: Final = re.compile(r"(^|\s+)#.*$")
_HASHES: Final = re.compile(r"(?:\s+--hash[=\s]\s*[a-z0-9]+:[0-9a-fA-F]+)+$")
_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_EXTRAS: Final = r"(?:\s*\[[A-Za-z0-9._,\s-]*\])?"
_BY_VERSION: Final = re.compile(rf"{_NAME}{_EXTRAS}\s*\(?[\w\s.,<>=!~*+-]*\)?", re.ASCII)
_BY_ADDRESS: Final = re.compile(rf"{_NAME}{_EXTRAS}\s*@\s*(?P<address>\S+)")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_ARCHIVES: Final = tuple(
    f".{end}"
    for end in ("zip", "tar", "tgz", "tbz", "txz", "tlz", "gz", "bz2", "xz", "lz", "lzma", "egg")
)
_NESTED: Final = {"-r": "-r", "--requirement": "-r", "-c": "-c", "--constraint": "-c"}
# Where packages come from, and which; none of these can name something to build.
_WITH_VALUE: Final = {
    "-i": "--index-url",
    "--index-url": "--index-url",
    "--pypi-url": "--index-url",
    "--extra-index-url": "--extra-index-url",
    "-f": "--find-links",
    "--find-links": "--find-links",
    "--trusted-host": "--trusted-host",
}
# Their value may follow without anything between.
_SHORT: Final = frozenset({"-r", "-c", "-i", "-f"})
_WITHOUT_VALUE: Final = frozenset({"--no-index", "--pre", "--prefer-binary", "--require-hashes"})
_HINT: Final = (
    "name wheels only: `package==1.0` from an index, or the path or address of a .whl file;"
    " `pip wheel` makes one of a source tree, where you trust its code"
)


@dataclass(frozen=True, slots=True)
class Requirements:
    """What may be installed, line by line."""

    # With the options that say where from.
    lines: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)


def load_requirements(file: Path) -> Requirements:
    """Everything a requirements file and the files it names ask for.

    Raises:
        SandboxUnavailable: it cannot be read, or a line of it would have something built.
    """
    found = Requirements()
    _load(file, found, _Way(seen=[file], files=(file,)), is_constraint=False)
    return found


@dataclass(frozen=True, slots=True)
class _Way:
    """How a file was come to."""

    # Every file so far, of all ways.
    seen: list[Path]
    # From the first one to the one that is read.
    files: tuple[Path, ...]

    def enter(self, file: Path, *, place: str, line: str) -> "_Way":
        """The way on into a file that this line names.

        Raises:
            SandboxUnavailable: it leads back, or to too many.
        """
        # As they lie on the disk, however they are written.
        passed = [os.path.realpath(known) for known in self.files]
        real = os.path.realpath(file)
        if real in passed:
            between = ", ".join(known.name for known in self.files[passed.index(real) + 1 :])
            through = f" through {between}" if between else ""
            raise SandboxUnavailable(
                f"{place}: {line[:_MAX_SHOWN_CHARACTERS]!r}: {file.name} names itself{through}",
                hint="take this line away: what it names is read already",
            )
        if len(self.seen) >= _MAX_FILES:
            raise SandboxUnavailable(
                f"{place}: {file} is one of more than {_MAX_FILES} requirements files",
                hint="put what they ask for into fewer files",
            )
        self.seen.append(file)
        return _Way(seen=self.seen, files=(*self.files, file))


def _load(file: Path, found: Requirements, way: _Way, *, is_constraint: bool) -> None:
    for number, line in _logical_lines(_load_text(file)):
        place = f"{file}:{number}"
        if "\0" in line:
            raise _refusal(place, line, "it has a zero byte")
        if not line.startswith("-"):
            (found.constraints if is_constraint else found.lines).append(_check_line(line, place))
            continue
        option, value = _split_option(line, place)
        if option not in _NESTED:
            found.lines.append(_check_option(option, value, line, place, file.parent))
        elif _SCHEME.match(value):
            raise _refusal(place, line, "a list from elsewhere is not read; download it first")
        else:
            constrains = is_constraint or _NESTED[option] == "-c"
            further = file.parent / value
            beyond = way.enter(further, place=place, line=line)
            _load(further, found, beyond, is_constraint=constrains)


def _load_text(file: Path) -> str:
    try:
        data = file.read_bytes()
    except OSError as exc:
        raise SandboxUnavailable(f"the requirements cannot be read: {exc}") from exc
    mark, encoding = next(((m, e) for m, e in _MARKS if data.startswith(m)), (b"", "utf-8"))
    try:
        return data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as exc:
        number = data.count(b"\n", 0, len(mark) + exc.start) + 1
        raise SandboxUnavailable(
            f"{file}:{number}: byte {exc.start + len(mark)} is not text in {encoding.upper()}",
            hint="save the requirements file as UTF-8",
        ) from exc


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines with continued ones joined, without comments; each with its first one's number."""
    parts: list[str] = []
    start = 1
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        start = start if parts else number
        is_comment = _COMMENT.match(line) is not None
        if line.endswith("\\") and not is_comment:
            parts.append(line[:-1])
            continue
        parts.append(f" {line}" if is_comment and parts else line)
        whole = _COMMENT.sub("", "".join(parts)).strip()
        parts.clear()
        if whole:
            yield start, whole


def _split_option(line: str, place: str) -> tuple[str, str]:
    """An option and its one value, however they are written."""
    try:
        words = shlex.split(line)
    except ValueError as exc:
        raise _refusal(place, line, f"it cannot be read: {exc}") from exc
    option, equals, value = words[0].partition("=")
    if words[0][:2] in _SHORT and len(words[0]) > 2:
        option, equals, value = words[0][:2], "=", words[0][2:]
    rest = words[1:]
    if not equals and rest:
        value, *rest = rest
    if rest:
        raise _refusal(place, line, "one option a line")
    return option, value


def _check_option(option: str, value: str, line: str, place: str, folder: Path) -> str:
    if option == "--only-binary" and value == ":all:":
        return "--only-binary :all:"
    if option in _WITHOUT_VALUE and not value:
        return option
    if option not in _WITH_VALUE or not value:
        raise _refusal(place, line, "this option is not for environments")
    known = _WITH_VALUE[option]
    if known == "--find-links" and (folder / value).exists():
        value = str((folder / value).absolute())
    # Not every installer takes quotes away.
    is_plain = not re.search(r"[\s'\"\\]", value)
    return f"{known} {value if is_plain else shlex.quote(value)}"


def _check_line(line: str, place: str) -> str:
    """A line that names a wheel, as it is."""
    hashes = _HASHES.search(line)
    asked = (line if hashes is None else line[: hashes.start()]).strip()
    if "${" in asked or re.search(r"\s-", asked):
        raise _refusal(place, line, "options and variables beside a requirement are not read")
    name = asked.split(";")[0].strip()
    # An address may hold a semicolon of its own.
    spaced = re.split(r"\s;|;\s", asked)[0].strip()
    by_address = _BY_ADDRESS.fullmatch(spaced)
    address = name if by_address is None else by_address["address"]
    if _is_wheel(spaced if by_address is None and _is_url(spaced) else address):
        return line
    is_archive = re.sub(r"\[[^\]]*\]$", "", name).strip().lower().endswith(_ARCHIVES)
    if by_address is not None or is_archive or not _BY_VERSION.fullmatch(name):
        raise _refusal(place, line, "it is no wheel, and would be built by running its own code")
    return line


def _is_wheel(address: str) -> bool:
    """Whether a path or an address is that of a wheel; a folder of such a name is none."""
    path = re.sub(r"\[[^\]]*\]$", "", address)
    if _is_url(address):
        parts = urlsplit(path)
        if parts.scheme not in ("http", "https", "file"):
            return False
        path = url2pathname(parts.path)
        if parts.scheme != "file":
            return path.endswith(".whl")
    return path.endswith(".whl") and not Path(path).is_dir()


def _is_url(address: str) -> bool:
    scheme = _SCHEME.match(address)
    # One letter and a colon begin a path of Windows.
    return scheme is not None and len(scheme[0]) > 2


def _refusal(place: str, line: str, reason: str) -> SandboxUnavailable:
    return SandboxUnavailable(f"{place}: {line[:_MAX_SHOWN_CHARACTERS]!r}: {reason}", hint=_HINT)
