"""What a transport gives to a connection, whatever carries the messages."""

from typing import Protocol

from mcp.client import Transport

__all__ = ("Link",)


class Link(Protocol):
    """An open way to one server, and what is known when it ends."""

    @property
    def transport(self) -> Transport:
        """The message streams, for the client; entered once."""
        ...

    async def wait_ended(self) -> None:
        """Return once the server is gone for good and a new link is needed."""
        ...

    def explain(self) -> str:
        """Why the server is gone: exit code, noise; "" where nothing is known."""
        ...

    def last_words(self) -> str:
        """What it printed last, for the owner of this machine only; "" where nothing."""
        ...
