"""What the SDK's flows keep, in memory for one flow; our own store is written at its end."""

from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

__all__ = ("FlowStorage",)


class FlowStorage:
    """What a flow begins with, and what it was given.

    Args:
        tokens: None where it is to get the first.
        client: None where it is to register one.

    Attributes:
        new_tokens: None until it is given some.
    """

    def __init__(
        self, *, tokens: OAuthToken | None = None, client: OAuthClientInformationFull | None = None
    ) -> None:
        self.tokens = tokens
        self.client = client
        self.new_tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        """Those it begins with."""
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Those it was given."""
        self.new_tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """The client it begins with."""
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """The one that was registered."""
        self.client = client_info
