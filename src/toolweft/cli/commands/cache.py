"""`toolweft cache`: what is remembered of servers from one start to the next."""

from pathlib import Path

import typer

from toolweft.cli.options import Common, with_common
from toolweft.cli.output import write, write_json
from toolweft.cli.session import read_settings
from toolweft.core.errors import ConfigError
from toolweft.stores import clear_discoveries

__all__ = ("app", "clear", "show_group")

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="Forget the remembered tools of servers.",
)


@app.callback()
def show_group() -> None:
    """Forget the remembered tools of servers."""


@app.command()
@with_common
def clear(common: Common) -> None:
    """Forget every server's tools; each is started and asked anew at the next start."""
    folder = read_settings(common).discovery.folder
    try:
        files, size_bytes = (0, 0) if folder is None else clear_discoveries(folder)
    except OSError as exc:
        raise ConfigError(
            f"the cache {str(folder)!r} cannot be cleared: {exc.strerror or exc}",
            hint="make the folder writable, or remove it by hand",
        ) from exc
    if common.json:
        write_json({"folder": _shown(folder), "files": files, "bytes": size_bytes})
    else:
        write(f"removed {files} files, {size_bytes} bytes, from {_shown(folder) or 'no cache'}")


def _shown(folder: Path | None) -> str:
    return "" if folder is None else str(folder)
