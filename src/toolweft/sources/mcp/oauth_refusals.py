"""What a refusal of an authorization server means for what is kept. Pure.

A wrong secret, a gateway in between or a bad day of the server take no login away: only the words
that RFC 6749 has for it do.
"""

import httpx2

from toolweft.core.errors import SourceUnavailable
from toolweft.sources.mcp.oauth_answers import answered_code, render_answer

__all__ = ("TokenRefused", "check_refusal")


class TokenRefused(Exception):
    """The authorization server gives no new token for the old one; a person has to log in.

    Args:
        is_unknown: it does not know the client any more either, which toolweft registered.
    """

    def __init__(self, *, is_unknown: bool = False) -> None:
        super().__init__()
        self.is_unknown = is_unknown


def check_refusal(answer: httpx2.Response, *, is_configured: bool) -> None:
    """Return where a refresh token that got no new one may still be good.

    Args:
        answer: of the token endpoint.
        is_configured: whether the client was configured, and not registered by toolweft.

    Raises:
        TokenRefused: it is good for nothing.
        SourceUnavailable: the configured client is refused, and the token is not to blame.
    """
    code = answered_code(answer)
    if code == "invalid_grant":
        raise TokenRefused
    if code != "invalid_client":
        return
    if not is_configured:
        raise TokenRefused(is_unknown=True)
    raise SourceUnavailable(
        f"the authorization server refuses the configured client: {render_answer(answer)}",
        hint="check client_id, client_secret and client_auth in the server's auth",
    )
