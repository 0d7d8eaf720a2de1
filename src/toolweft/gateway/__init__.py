"""The gateway: the toolbox served over MCP, by stdio and by streamable HTTP.

Only options and keys are re-exported, so that reading a configuration loads no server package.
`server.build_server` makes the server, `stdio.serve_stdio` and `http.serve_http` serve it.
"""

from toolweft.gateway.keys import KeyRing, hash_key
from toolweft.gateway.options import ApiKey, HttpOptions

__all__ = ("ApiKey", "HttpOptions", "KeyRing", "hash_key")
