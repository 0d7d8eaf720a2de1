"""Which session was asked to open which address, until that has done its work. Pure.

Ids are the servers' own, each unique in one server only; a client sees them all from one. So an id
that its session waits for already is shown as another. Used by `asides`.
"""

import secrets
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar

from toolweft.core.asides import AskCompleted
from toolweft.core.ids import SourceName
from toolweft.core.principals import Principal

__all__ = ("Follower", "OpenedAddresses")

# Of one session; who opens more hears nothing of the oldest.
_MAX_FOLLOWED: Final = 256

_Told = TypeVar("_Told")
_Id: TypeAlias = tuple[SourceName, str]


@dataclass(slots=True)
class Follower(Generic[_Told]):
    """Who waits for an address to do its work."""

    # The id that its client knows.
    shown: str
    principal: Principal
    told: _Told


class OpenedAddresses(Generic[_Told]):
    """Every address that somebody waits for, and who that is."""

    def __init__(self) -> None:
        self._followers: dict[_Id, dict[Hashable, Follower[_Told]]] = {}
        # By session and by the id shown there, oldest first.
        self._shown: dict[Hashable, OrderedDict[str, _Id]] = {}

    def follow(self, session: Hashable, own: _Id, *, principal: Principal, told: _Told) -> str:
        """Wait for an address; gives the id to show.

        Args:
            session: whose client opens it.
            own: the source, and its own id.
            principal: behind the session.
            told: in place of whoever waited for the same in this session.
        """
        followers = self._followers.setdefault(own, {})
        known = followers.get(session)
        if known is not None:
            known.told = told
            return known.shown
        ids = self._shown.setdefault(session, OrderedDict())
        shown = own[1] if own[1] not in ids else secrets.token_hex(16)
        ids[shown] = own
        followers[session] = Follower(shown, principal, told)
        if len(ids) > _MAX_FOLLOWED:
            self.forget(session, next(iter(ids.values())))
        return shown

    def forget(self, session: Hashable, own: _Id) -> None:
        """No longer wait for an address."""
        followers = self._followers.get(own, {})
        follower = followers.pop(session, None)
        if follower is None:
            return
        if not followers:
            del self._followers[own]
        del self._shown[session][follower.shown]

    def close(self, session: Hashable) -> None:
        """The session is over."""
        for own in tuple(self._shown.get(session, {}).values()):
            self.forget(session, own)
        self._shown.pop(session, None)

    def take(self, completed: AskCompleted) -> Follower[_Told] | None:
        """Who waits for it, and from now on does not; None for nobody, or one of several."""
        own = (completed.source, completed.elicitation_id)
        fitting = [
            (session, follower)
            for session, follower in self._followers.get(own, {}).items()
            if completed.principal is None or completed.principal == follower.principal
        ]
        if len(fitting) != 1:
            return None
        ((session, follower),) = fitting
        self.forget(session, own)
        return follower
