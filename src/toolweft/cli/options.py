"""The options every command takes, declared once.

`with_common` adds them to a command's own parameters, so that they may stand before the command's
name or after it; after it wins.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

__all__ = ("Common", "with_common")

Own = ParamSpec("Own")


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What holds for a whole invocation."""

    # The configuration file; None for the usual places.
    config: Path | None = None
    # A folder of recorded definitions, taken instead of starting the servers.
    recorded: Path | None = None
    # 0: warnings. 1: what happens. 2: every step. Below 0: errors only.
    verbosity: int = 0
    json: bool = False
    progress: bool = True

    def merged(self, later: "Common") -> "Common":
        """These options, with those of `later` that were given."""
        return Common(
            config=later.config or self.config,
            recorded=later.recorded or self.recorded,
            verbosity=self.verbosity + later.verbosity,
            json=self.json or later.json,
            progress=self.progress and later.progress,
        )


_ANNOTATIONS: dict[str, Any] = {
    "config": Annotated[
        Path | None,
        typer.Option("--config", "-C", metavar="FILE", help="toolweft.toml or mcp.json to use."),
    ],
    "recorded": Annotated[
        Path | None,
        typer.Option(
            "--recorded",
            metavar="DIR",
            help="Read tools from DIR/<server>.json, start no server; they cannot be called.",
        ),
    ],
    "verbose": Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            show_default=False,
            help="Say more; twice for every step (SDKs only warn, as they log secrets).",
        ),
    ],
    "quiet": Annotated[
        int, typer.Option("--quiet", "-q", count=True, show_default=False, help="Say less.")
    ],
    "json": Annotated[bool, typer.Option("--json", help="Print the result as JSON.")],
    "no_progress": Annotated[
        bool, typer.Option("--no-progress", help="Show no progress on the terminal.")
    ],
}
_DEFAULTS: dict[str, Any] = {
    "config": None,
    "recorded": None,
    "verbose": 0,
    "quiet": 0,
    "json": False,
    "no_progress": False,
}


def with_common(command: Callable[Concatenate[Common, Own], None]) -> Callable[..., None]:
    """A typer callback that takes the common options and hands them over as one `Common`.

    Args:
        command: its first parameter receives the merged options, one named `context` typer's
            context, the rest are its own.
    """

    @wraps(command)
    def callback(context: typer.Context, **values: Any) -> None:
        given = Common(
            config=values.pop("config"),
            recorded=values.pop("recorded"),
            verbosity=values.pop("verbose") - values.pop("quiet"),
            json=values.pop("json"),
            progress=not values.pop("no_progress"),
        )
        before = context.obj if isinstance(context.obj, Common) else Common()
        context.obj = before.merged(given)
        if wants_context:
            values["context"] = context
        command(context.obj, **values)  # type: ignore[call-arg]  # by keyword, as typer calls

    signature = inspect.signature(command, eval_str=True)
    wants_context = "context" in signature.parameters
    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in list(signature.parameters.values())[1:]
        if parameter.name != "context"
    ]
    common = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=_DEFAULTS[name], annotation=annotation
        )
        for name, annotation in _ANNOTATIONS.items()
    ]
    context_parameter = inspect.Parameter(
        "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
    )
    callback.__signature__ = signature.replace(  # type: ignore[attr-defined]  # read by inspect
        parameters=[context_parameter, *own, *common]
    )
    return callback


assert len(fields(Common)) == len(_ANNOTATIONS) - 1  # verbose and quiet are one field
