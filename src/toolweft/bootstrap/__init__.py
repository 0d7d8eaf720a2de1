"""The only folder that names concrete classes; it opens and closes everything, in order.

    settings → ledger → handles → journal → catalog → sources → road → sandbox → programs → toolbox

`open_app` is for the command line and the gateways, `open_toolbox` is the library's front door
(`toolweft.open`).
"""

from toolweft.bootstrap.agent import Agent
from toolweft.bootstrap.app import (
    App,
    PythonTool,
    open_app,
    open_reader,
    open_saved,
    open_toolbox,
    read_models,
)
from toolweft.bootstrap.models import ClosedModel, open_model
from toolweft.bootstrap.serving import serve_attached, serve_http, serve_stdio
from toolweft.stores import forget_searches

__all__ = (
    "Agent",
    "App",
    "ClosedModel",
    "PythonTool",
    "forget_searches",
    "open_app",
    "open_model",
    "open_reader",
    "open_saved",
    "open_toolbox",
    "read_models",
    "serve_attached",
    "serve_http",
    "serve_stdio",
)
