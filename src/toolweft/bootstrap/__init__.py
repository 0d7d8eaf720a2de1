"""The only folder that names concrete classes; it opens and closes everything, in order.

    settings → ledger → handles → journal → catalog → pins → sources → road → sandbox → programs
    → toolbox

`open_app` is for the command line and the gateways, `open_toolbox` is the library's front door
(`toolweft.open`). What talks to models, `agent`, `models` and `sampling`, is not re-exported: a
gateway starts without it.
"""

from toolweft.bootstrap.app import (
    App,
    PythonTool,
    open_app,
    open_pins,
    open_reader,
    open_saved,
    open_toolbox,
    read_models,
)
from toolweft.bootstrap.logins import log_in_to, log_out_of
from toolweft.bootstrap.serving import serve_attached, serve_http, serve_stdio
from toolweft.stores import forget_searches

__all__ = (
    "App",
    "PythonTool",
    "forget_searches",
    "log_in_to",
    "log_out_of",
    "open_app",
    "open_pins",
    "open_reader",
    "open_saved",
    "open_toolbox",
    "read_models",
    "serve_attached",
    "serve_http",
    "serve_stdio",
)
