"""What makes two servers the same for the cache of listings: how they are reached, and as whom.

The hash covers every credential and shows none.
"""

import json
import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from toolweft.core.json import Json
from toolweft.core.secret import Secret, reveal
from toolweft.sources.options import HttpServerOptions, StdioServerOptions

__all__ = ("discovery_key",)


def discovery_key(options: StdioServerOptions | HttpServerOptions) -> str:
    """A SHA-256 in hex; the name of a server is no part of it."""
    if isinstance(options, HttpServerOptions):
        reached: list[Json] = ["http", options.url, _revealed(options.headers)]
        if options.oauth is not None:
            owner = options.oauth.principal
            client = [options.oauth.grant, reveal(options.oauth.client_id), *options.oauth.scopes]
            reached.append([owner.tenant, owner.user, options.oauth.issuer, *client])
    else:
        # `python server.py` is another server in another folder, or with another `python`.
        command = shutil.which(options.command) or options.command
        folder = str(options.cwd or Path.cwd())
        reached = ["stdio", command, list(options.args), folder, _revealed(options.env)]
    # What is left out is not listed, and not known of a server that is asked for all.
    reached += [name for name in ("resources", "prompts") if not getattr(options, name)]
    text = json.dumps(reached, sort_keys=True)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _revealed(values: Mapping[str, str | Secret]) -> Json:
    return {name: reveal(value) for name, value in values.items()}
