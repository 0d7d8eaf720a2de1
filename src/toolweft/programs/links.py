"""Resources that a program loads by a link: read on their road, then kept as any stored result is.

A tool may answer with a link in place of a large result. The program names it, the host asks the
server that gave it. Nothing else is read: what a program may reach is what tools gave it, and which
resources there are is not its affair. Used by the host's end of a run's calls.
"""

import base64
import binascii
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from toolweft.calls.contents.names import prefix_uri
from toolweft.core.client import CallingClient
from toolweft.core.countdown import Countdown
from toolweft.core.errors import CallDenied, InvalidArguments, ToolFailed
from toolweft.core.handles import Draft, Handle, HandleStore
from toolweft.core.ids import SourceName
from toolweft.core.json import Json, JsonObject, encode_canonical
from toolweft.core.principals import Principal

__all__ = ("GivenLinks", "LinkReader", "ReaderFor", "keep_link")

_MAX_TYPE_CHARACTERS: Final = 100
# Of all principals together; those given longest ago are forgotten.
_MAX_LINKS: Final = 10_000
_MAX_URI_CHARACTERS: Final = 8_000


class LinkReader(Protocol):
    """Reads resources for one principal, recorded and within their limits."""

    async def read(
        self, uri: str, *, client: CallingClient = ..., within: Countdown | None = None
    ) -> JsonObject:
        """The answer to `resources/read`."""
        ...


ReaderFor: TypeAlias = Callable[[Principal], LinkReader]


class GivenLinks:
    """Which links tools gave to whom, over all runs."""

    def __init__(self) -> None:
        self._given: OrderedDict[tuple[Principal, str], tuple[SourceName, ...]] = OrderedDict()

    def note(self, value: Json, *, source: SourceName, owner: Principal) -> None:
        """Remember the links in what a tool of a source answered.

        One that names another source is not that one's to give.
        """
        for item in value if isinstance(value, list) else (value,):
            if not isinstance(item, dict) or item.get("source") != source:
                continue
            uri = item.get("uri")
            if isinstance(uri, str) and len(uri) <= _MAX_URI_CHARACTERS:
                others = self._given.pop((owner, uri), ())
                self._given[owner, uri] = (*(one for one in others if one != source), source)
        while len(self._given) > _MAX_LINKS:
            self._given.popitem(last=False)

    def find(self, uri: str, *, owner: Principal) -> tuple[SourceName, ...]:
        """The sources that gave somebody this link."""
        return self._given.get((owner, uri), ())

    def check(self, uri: Json, source: Json, *, owner: Principal) -> tuple[str, SourceName]:
        """A link that was given, and whose it is.

        Raises:
            InvalidArguments: that is no link.
            CallDenied: no tool gave it.
        """
        if not isinstance(uri, str) or not isinstance(source, str):
            raise InvalidArguments(
                "load() takes a link that a tool answered with", hint="text = await load(link)"
            )
        if source not in self.find(uri, owner=owner):
            raise CallDenied(
                f"no tool of {source[:100]!r} gave a link to {uri[:200]!r}",
                hint="load takes links as tools answered with them",
            )
        return uri, SourceName(source)


async def keep_link(
    link: tuple[str, SourceName],
    *,
    reader: LinkReader,
    store: HandleStore,
    owner: Principal,
    client: CallingClient,
    countdown: Countdown,
) -> Handle:
    """What a link leads to, as a stored result of whoever loads it.

    Args:
        link: the source's own address, and whose it is.
        reader: reads it.
        store: keeps it.
        owner: whose run it is.
        client: who is asked what the server asks meanwhile.
        countdown: the run's.

    Raises:
        ToolFailed: the answer has no contents.
        ToolweftError: it could not be read or kept.
    """
    uri, source = link
    answer = await reader.read(prefix_uri(source, uri), client=client, within=countdown)
    data, draft = _read_contents(answer, uri=uri)
    return await store.keep(data, owner=owner, draft=draft)


def _read_contents(answer: JsonObject, *, uri: str) -> tuple[bytes, Draft]:
    """One content as it is; several as a list of what the server sent."""
    contents = answer.get("contents")
    if not isinstance(contents, list) or not contents:
        raise ToolFailed(f"the resource {uri[:200]!r} was answered without contents")
    if len(contents) > 1:
        return encode_canonical(contents).encode("utf-8", "replace"), Draft(kind="json")
    (only,) = contents
    part: JsonObject = only if isinstance(only, dict) else {}
    media_type = _media_type(part.get("mimeType"))
    text, blob = part.get("text"), part.get("blob")
    if isinstance(text, str):
        is_json = media_type is None or "json" in media_type
        draft = Draft(kind=None if is_json else "text", media_type=media_type)
        return text.encode("utf-8", "replace"), draft
    try:
        data = base64.b64decode(blob) if isinstance(blob, str) else None
    except (binascii.Error, ValueError):
        data = None
    if data is None:
        raise ToolFailed(f"the content of {uri[:200]!r} is neither text nor base64")
    return data, Draft(kind=None if media_type else "binary", media_type=media_type)


def _media_type(value: Json) -> str | None:
    is_usable = isinstance(value, str) and value.isprintable() and len(value) < _MAX_TYPE_CHARACTERS
    return value.lower() if is_usable and value else None
