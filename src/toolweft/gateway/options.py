"""How the gateway is reached over HTTP, and how long it waits for its clients' answers."""

from dataclasses import dataclass
from typing import Final

from toolweft.core.asks import DEFAULT_PARK_S
from toolweft.core.secret import Secret

__all__ = ("MAX_MESSAGE_BYTES", "ApiKey", "AskOptions", "GatewayOptions", "HttpOptions")

# A client waits this long for the lists of slow servers; it hears of what comes later.
SETTLE_S: Final = 2.0
# One request of a client, on any transport. The largest useful one is a program with its
# arguments, well below a megabyte; checked before anything is parsed.
MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """Who a bearer key stands for; only its hash is known."""

    # Shown in the ledger; never the key itself.
    id: str
    # SHA-256 of the key, lower-case hex.
    sha256: str
    tenant: str
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """Address, keys and the headers that are accepted."""

    host: str = "127.0.0.1"
    # 0 takes any free one.
    port: int = 8765
    path: str = "/mcp"
    # Required where host is not a loopback address.
    keys: tuple[ApiKey, ...] = ()
    # Beside the address itself; "name:port" or "name:*".
    allowed_hosts: tuple[str, ...] = ()
    # Beside loopback origins on a loopback address; "https://name", "https://name:port" or
    # "https://name:*".
    allowed_origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOptions:
    """What clients are shown, over stdio and over HTTP."""

    # Every tool of every source as it is, in the place of the four.
    pass_through: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AskOptions:
    """What clients are asked, and for how long."""

    # A call whose questions nobody answers is ended after this.
    park_s: float = DEFAULT_PARK_S
    # While it is asked something, a handshake client hears this often that its call goes on, where
    # it wants progress: many give up a request that is silent for a minute, some after half of one.
    progress_s: float = 10.0
    # Calls of one principal that may wait for answers while no request of theirs is open.
    max_parked: int = 20
    # Seal what a client of the stateless revision carries between rounds: the first seals, each
    # opens. Empty: a key of this process, so that a state is worth nothing after a restart.
    state_keys: tuple[Secret, ...] = ()
